//! Paid subscriptions to a channel.

use serde::Deserialize;

use super::user::{Broadcaster, UserFields, user_unless_anonymous};
use super::{Ident, MessageText, User};
use crate::twitch::tolerant::{flag, optional};

/// `channel.subscribe` v1: a new subscription, bought or received (not a renewal).
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Subscribe {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The new subscriber.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// `1000`, `2000` or `3000`.
    #[serde(default, deserialize_with = "optional")]
    pub tier: Option<Ident>,
    /// Whether another user paid for it.
    #[serde(default, deserialize_with = "flag")]
    pub is_gift: bool,
}

/// `channel.subscription.end` v1: a subscription ran out.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SubscriptionEnd {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The former subscriber.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// `1000`, `2000` or `3000`.
    #[serde(default, deserialize_with = "optional")]
    pub tier: Option<Ident>,
}

/// `channel.subscription.gift` v1: a user gave subscriptions away.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SubscriptionGift {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The giver; `None` if anonymous.
    #[serde(flatten, deserialize_with = "user_unless_anonymous")]
    pub user: Option<User>,
    /// How many subscriptions.
    pub total: u32,
    /// `1000`, `2000` or `3000`.
    #[serde(default, deserialize_with = "optional")]
    pub tier: Option<Ident>,
    /// How many the giver has given on this channel in all.
    #[serde(default, deserialize_with = "optional")]
    pub cumulative_total: Option<i64>,
}

/// `channel.subscription.message` v1: a subscriber announced a renewal.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SubscriptionMessage {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The subscriber.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// `1000`, `2000` or `3000`.
    #[serde(default, deserialize_with = "optional")]
    pub tier: Option<Ident>,
    /// Months subscribed in all.
    pub cumulative_months: u32,
    /// Months without a pause, if the subscriber shares them.
    #[serde(default, deserialize_with = "optional")]
    pub streak_months: Option<i64>,
    /// What the subscriber wrote.
    #[serde(default, deserialize_with = "optional")]
    pub message: MessageText,
}

impl SubscriptionMessage {
    /// Whether this is no renewal: Twitch sends `channel.subscribe` as well.
    #[must_use]
    pub fn is_first_month(&self) -> bool {
        self.cumulative_months == 1
    }
}
