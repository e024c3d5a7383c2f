//! Redemptions of channel points.

use serde::Deserialize;

use super::user::{Broadcaster, UserFields};
use super::{MessageText, User};
use crate::twitch::tolerant::{optional, text};

/// `channel.channel_points_custom_reward_redemption.add` v1: a reward of the broadcaster was redeemed.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CustomRewardRedemption {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The user who redeemed it.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// The reward.
    pub reward: CustomReward,
    /// What the user wrote.
    #[serde(default, deserialize_with = "text")]
    pub user_input: Option<String>,
}

/// A reward that a broadcaster made.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CustomReward {
    /// Twitch's id.
    #[serde(default, deserialize_with = "optional")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, deserialize_with = "optional")]
    pub title: String,
    /// In channel points.
    pub cost: i64,
}

/// `channel.channel_points_automatic_reward_redemption.add` v1 and v2: a reward that every channel has was redeemed.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct AutomaticRewardRedemption {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The user who redeemed it.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// The reward.
    pub reward: AutomaticReward,
    /// What the user wrote.
    #[serde(default, deserialize_with = "optional")]
    pub message: MessageText,
}

/// A reward that every channel has.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct AutomaticReward {
    /// For example `send_highlighted_message`.
    #[serde(rename = "type", default, deserialize_with = "optional")]
    pub kind: String,
    /// In channel points. Version 1 calls it `cost`.
    #[serde(alias = "cost")]
    pub channel_points: i64,
}
