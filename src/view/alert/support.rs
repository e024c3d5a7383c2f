//! Alerts about what a user does for the channel.

use serde::Serialize;
use utoipa::ToSchema;

use crate::twitch::payload;
use crate::view::Person;

/// `follow`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Follow {
    /// The new follower.
    pub user: Person,
}

impl From<payload::Follow> for Follow {
    fn from(it: payload::Follow) -> Self {
        Self { user: it.user.into() }
    }
}

/// `raid`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Raid {
    /// The channel that the raid comes from.
    pub user: Person,
    /// How many viewers it brings.
    pub viewers: i64,
}

impl From<payload::Raid> for Raid {
    fn from(it: payload::Raid) -> Self {
        Self { user: it.from.into(), viewers: it.viewers.into() }
    }
}

/// `cheer`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cheer {
    /// The user who cheered; `null` if anonymous.
    pub user: Option<Person>,
    /// How many bits.
    pub bits: i64,
    /// The message with its cheermotes, such as `Cheer100`.
    pub message: Option<String>,
}

impl From<payload::Cheer> for Cheer {
    fn from(it: payload::Cheer) -> Self {
        Self { user: it.user.map(Person::from), bits: it.bits.into(), message: it.message }
    }
}

/// `power_up`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PowerUp {
    /// The user.
    pub user: Person,
    /// How many bits it cost.
    pub bits: i64,
    /// `message_effect`, `celebration`, `gigantify_an_emote`, or `custom` for one that the
    /// broadcaster made. Another way of using bits, such as `combo`, by Twitch's name for it.
    pub power_up: String,
    /// The broadcaster's name for it, if it is `custom`.
    pub title: Option<String>,
    /// What the user wrote.
    pub message: Option<String>,
}

/// Other uses of bits have types of their own: `channel.cheer` and `channel.custom_power_up_redemption.add`.
impl TryFrom<payload::BitsUse> for PowerUp {
    type Error = ();

    fn try_from(it: payload::BitsUse) -> Result<Self, ()> {
        if ["cheer", "custom_power_up"].contains(&it.kind.as_str()) {
            return Err(());
        }
        Ok(Self {
            user: it.user.into(),
            bits: it.bits,
            power_up: it.power_up.map_or(it.kind, |power_up| power_up.kind).into(),
            title: None,
            message: it.message.text,
        })
    }
}

impl From<payload::CustomPowerUpRedemption> for PowerUp {
    fn from(it: payload::CustomPowerUpRedemption) -> Self {
        Self {
            user: it.user.into(),
            bits: it.custom_power_up.bits,
            power_up: "custom".to_owned(),
            title: it.custom_power_up.title,
            message: it.user_input,
        }
    }
}

/// `subscribe`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Subscribe {
    /// The new subscriber.
    pub user: Person,
    /// `1000`, `2000` or `3000`; Prime is `1000`. `null` if Twitch did not say.
    pub tier: Option<String>,
    /// What the subscriber wrote.
    pub message: Option<String>,
}

/// A received gift is no alert: `channel.subscription.gift` is one for all that a user gives at once.
impl TryFrom<payload::Subscribe> for Subscribe {
    type Error = ();

    fn try_from(it: payload::Subscribe) -> Result<Self, ()> {
        if it.is_gift {
            Err(())
        } else {
            Ok(Self { user: it.user.into(), tier: it.tier.map(String::from), message: None })
        }
    }
}

/// The message of a first month, for which Twitch sends `channel.subscribe` as well.
impl TryFrom<payload::SubscriptionMessage> for Subscribe {
    type Error = ();

    fn try_from(it: payload::SubscriptionMessage) -> Result<Self, ()> {
        if !it.is_first_month() {
            return Err(());
        }
        Ok(Self { user: it.user.into(), tier: it.tier.map(String::from), message: it.message.text })
    }
}

/// `resubscribe`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Resubscribe {
    /// The subscriber.
    pub user: Person,
    /// `1000`, `2000` or `3000`; Prime is `1000`. `null` if Twitch did not say.
    pub tier: Option<String>,
    /// Months in all.
    pub months: i64,
    /// Months without a pause; `null` if the subscriber does not share them.
    pub streak_months: Option<i64>,
    /// What the subscriber wrote.
    pub message: Option<String>,
}

impl TryFrom<payload::SubscriptionMessage> for Resubscribe {
    type Error = ();

    fn try_from(it: payload::SubscriptionMessage) -> Result<Self, ()> {
        if it.is_first_month() {
            return Err(());
        }
        Ok(Self {
            user: it.user.into(),
            tier: it.tier.map(String::from),
            months: it.cumulative_months.into(),
            streak_months: it.streak_months,
            message: it.message.text,
        })
    }
}

/// `gift`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Gift {
    /// The giver; `null` if anonymous.
    pub user: Option<Person>,
    /// `1000`, `2000` or `3000`; `null` if Twitch did not say.
    pub tier: Option<String>,
    /// How many subscriptions this time.
    pub total: i64,
    /// How many in all on this channel; `null` if anonymous, or not shared.
    pub cumulative_total: Option<i64>,
}

impl From<payload::SubscriptionGift> for Gift {
    fn from(it: payload::SubscriptionGift) -> Self {
        Self {
            user: it.user.map(Person::from),
            tier: it.tier.map(String::from),
            total: it.total.into(),
            cumulative_total: it.cumulative_total,
        }
    }
}

/// `redemption`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Redemption {
    /// The user.
    pub user: Person,
    /// The reward.
    pub reward: Reward,
    /// What the user wrote.
    pub message: Option<String>,
}

/// A reward for channel points.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reward {
    /// Twitch's id; `null` for the rewards that every channel has.
    pub id: Option<String>,
    /// The broadcaster's name for it. For a reward that every channel has: its type, such as
    /// `send_highlighted_message`.
    pub title: String,
    /// In channel points.
    pub cost: i64,
}

impl From<payload::CustomRewardRedemption> for Redemption {
    fn from(it: payload::CustomRewardRedemption) -> Self {
        let reward = Reward { id: it.reward.id, title: it.reward.title, cost: it.reward.cost };
        Self { user: it.user.into(), reward, message: it.user_input }
    }
}

impl From<payload::AutomaticRewardRedemption> for Redemption {
    fn from(it: payload::AutomaticRewardRedemption) -> Self {
        let reward = Reward { id: None, title: it.reward.kind, cost: it.reward.channel_points };
        Self { user: it.user.into(), reward, message: it.message.text }
    }
}

/// `shoutout_received`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Shoutout {
    /// The channel that recommended this one.
    pub user: Person,
    /// How many viewers saw it.
    pub viewers: i64,
}

impl From<payload::ShoutoutReceive> for Shoutout {
    fn from(it: payload::ShoutoutReceive) -> Self {
        Self { user: it.from.into(), viewers: it.viewer_count }
    }
}
