//! Bits: cheers and power-ups.

use serde::Deserialize;

use super::user::{Broadcaster, UserFields, user_unless_anonymous};
use super::{Ident, MessageText, User};
use crate::twitch::tolerant::{optional, text};

/// `channel.cheer` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Cheer {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The user who cheered; `None` if anonymous.
    #[serde(flatten, deserialize_with = "user_unless_anonymous")]
    pub user: Option<User>,
    /// How many bits.
    pub bits: u32,
    /// The message with its cheermotes, such as `Cheer100`.
    #[serde(default, deserialize_with = "text")]
    pub message: Option<String>,
}

/// `channel.bits.use` v1: bits were spent. Cheers also come as [`Cheer`], and power-ups of the broadcaster as
/// [`CustomPowerUpRedemption`].
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct BitsUse {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The user who spent them.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// How many bits.
    pub bits: i64,
    /// `cheer`, `power_up`, `custom_power_up`, or another way that Twitch added later.
    #[serde(rename = "type")]
    pub kind: Ident,
    /// The power-up, if it is one of Twitch's.
    #[serde(default, deserialize_with = "optional")]
    pub power_up: Option<PowerUp>,
    /// What the user wrote.
    #[serde(default, deserialize_with = "optional")]
    pub message: MessageText,
}

/// A power-up of Twitch.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct PowerUp {
    /// `message_effect`, `celebration` or `gigantify_an_emote`.
    #[serde(rename = "type")]
    pub kind: Ident,
}

/// `channel.custom_power_up_redemption.add` v1: a power-up of the broadcaster was redeemed.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CustomPowerUpRedemption {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The user who redeemed it.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// The power-up.
    pub custom_power_up: CustomPowerUp,
    /// What the user wrote.
    #[serde(default, deserialize_with = "text")]
    pub user_input: Option<String>,
}

/// A power-up that a broadcaster made.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CustomPowerUp {
    /// Its name.
    #[serde(default, deserialize_with = "optional")]
    pub title: Option<String>,
    /// What it costs.
    pub bits: i64,
}
