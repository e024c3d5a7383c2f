//! What each type of alert tells.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::view::Person;

/// `follow`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Follow {
    /// Who follows.
    pub user: Person,
}

/// `raid`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Raid {
    /// The channel that the raid comes from.
    pub user: Person,
    /// How many it brings.
    pub viewers: i64,
}

/// `cheer`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cheer {
    /// Who cheered; `null` if anonymous.
    pub user: Option<Person>,
    /// How many bits.
    pub bits: i64,
    /// With the cheermotes in it, such as `Cheer100`.
    pub message: Option<String>,
}

/// `power_up`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PowerUp {
    /// Who used it.
    pub user: Person,
    /// How many bits it cost.
    pub bits: i64,
    /// `message_effect`, `celebration`, `gigantify_an_emote`, or `custom` for one that the
    /// broadcaster made.
    pub power_up: String,
    /// What the broadcaster called it, if it is `custom`.
    pub title: Option<String>,
    /// What they wrote.
    pub message: Option<String>,
}

/// `subscribe`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Subscribe {
    /// Who subscribed.
    pub user: Person,
    /// `1000`, `2000` or `3000`; Prime is `1000`.
    pub tier: String,
}

/// `resubscribe`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Resubscribe {
    /// Who subscribed again.
    pub user: Person,
    /// `1000`, `2000` or `3000`; Prime is `1000`.
    pub tier: String,
    /// Months in all.
    pub months: i64,
    /// Months without a pause; `null` if they don't share it.
    pub streak_months: Option<i64>,
    /// What they wrote.
    pub message: Option<String>,
}

/// `gift`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Gift {
    /// Who gave; `null` if anonymous.
    pub user: Option<Person>,
    /// `1000`, `2000` or `3000`.
    pub tier: String,
    /// How many subscriptions this time.
    pub total: i64,
    /// How many in all on this channel; `null` if anonymous, or not shared.
    pub cumulative_total: Option<i64>,
}

/// `hype_train_begin`, `hype_train_progress`, `hype_train_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HypeTrain {
    /// Tells one train from another.
    pub hype_train_id: String,
    /// The level it has reached.
    pub level: i64,
    /// Points in all.
    pub total: i64,
    /// Points on this level; `null` at the end.
    pub progress: Option<i64>,
    /// Points that complete this level; `null` at the end.
    pub goal: Option<i64>,
    /// When it ends unless somebody contributes; `null` at the end.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// `regular`, `treasure` or `golden_kappa`; `null` where Twitch does not say.
    pub train_type: Option<String>,
    /// Who gave most.
    pub top_contributions: Vec<Contribution>,
}

/// What somebody added to a hype train.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Contribution {
    /// Who.
    pub user: Person,
    /// `bits`, `subscription` or `other`.
    pub kind: String,
    /// Bits, or points.
    pub total: i64,
}

/// `redemption`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Redemption {
    /// Who redeemed it.
    pub user: Person,
    /// What.
    pub reward: Reward,
    /// What they wrote.
    pub message: Option<String>,
}

/// A reward for channel points.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reward {
    /// Twitch's id; `null` for the rewards that every channel has.
    pub id: Option<String>,
    /// As the broadcaster called it; for a reward that every channel has its type, such as
    /// `send_highlighted_message`.
    pub title: String,
    /// In channel points.
    pub cost: i64,
}

/// `goal_begin`, `goal_progress`, `goal_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Goal {
    /// Tells one goal from another.
    pub goal_id: String,
    /// What is counted, such as `follow` or `subscription_count`.
    pub kind: String,
    /// In the broadcaster's words.
    pub description: Option<String>,
    /// How much there is.
    pub current: i64,
    /// How much there should be.
    pub target: i64,
    /// Whether it was achieved; `null` before the end.
    pub is_achieved: Option<bool>,
}

/// An amount of money.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Money {
    /// In the currency's smallest unit, such as cents.
    pub value: i64,
    /// How many digits of it stand behind the decimal point.
    pub decimal_places: i64,
    /// ISO 4217, such as `USD`.
    pub currency: String,
}

/// A charity.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Charity {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The address of its logo.
    pub logo: Option<String>,
    /// Its address.
    pub website: Option<String>,
}

/// `charity_donation`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CharityDonation {
    /// Who gave.
    pub user: Person,
    /// How much.
    pub amount: Money,
    /// To whom.
    pub charity: Charity,
}

/// `charity_campaign_begin`, `charity_campaign_progress`, `charity_campaign_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CharityCampaign {
    /// Tells one campaign from another.
    pub campaign_id: String,
    /// For whom.
    pub charity: Charity,
    /// How much was given.
    pub current: Money,
    /// How much is hoped for.
    pub target: Money,
}

/// `poll_begin`, `poll_progress`, `poll_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Poll {
    /// Tells one poll from another.
    pub poll_id: String,
    /// The question.
    pub title: String,
    /// The answers.
    pub choices: Vec<Choice>,
    /// When it ends, or has ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ends_at: OffsetDateTime,
    /// `completed`, `archived` or `terminated`; `null` before the end.
    pub status: Option<String>,
}

/// An answer of a poll.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Choice {
    /// Tells it from the others.
    pub id: String,
    /// In words.
    pub title: String,
    /// How often it was chosen, in all.
    pub votes: i64,
}

/// `prediction_begin`, `prediction_progress`, `prediction_lock`, `prediction_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Prediction {
    /// Tells one prediction from another.
    pub prediction_id: String,
    /// The question.
    pub title: String,
    /// What may come out.
    pub outcomes: Vec<Outcome>,
    /// The id of what came out; `null` before the end, and if it was cancelled.
    pub winning_outcome_id: Option<String>,
    /// `resolved` or `canceled`; `null` before the end.
    pub status: Option<String>,
}

/// An outcome that can be predicted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Outcome {
    /// Tells it from the others.
    pub id: String,
    /// In words.
    pub title: String,
    /// `blue` or `pink`.
    pub color: Option<String>,
    /// How many predicted it.
    pub users: i64,
    /// How much they staked.
    pub channel_points: i64,
}

/// `ad_break_begin`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdBreak {
    /// In seconds.
    pub duration_seconds: i64,
    /// Whether Twitch began it by schedule.
    pub is_automatic: bool,
}

/// `shoutout_received`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Shoutout {
    /// The channel that recommended this one.
    pub user: Person,
    /// How many heard it.
    pub viewers: i64,
}
