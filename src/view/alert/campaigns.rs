//! Alerts about what runs for a while: hype trains, goals, charity campaigns, polls and predictions.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::twitch::payload;
use crate::view::Person;

/// `hype_train_begin`, `hype_train_progress`, `hype_train_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HypeTrain {
    /// The same in all alerts of one train.
    pub hype_train_id: String,
    /// The level it has reached.
    pub level: i64,
    /// Points in all.
    pub total: i64,
    /// Points on this level; `null` at the end.
    pub progress: Option<i64>,
    /// Points that complete this level; `null` at the end.
    pub goal: Option<i64>,
    /// When it ends without further contributions; `null` at the end.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// `regular`, `treasure` or `golden_kappa`; `null` where Twitch does not say.
    pub train_type: Option<String>,
    /// The largest contributions.
    pub top_contributions: Vec<Contribution>,
}

/// A user's contribution to a hype train.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Contribution {
    /// The contributor.
    pub user: Person,
    /// `bits`, `subscription` or `other`.
    pub kind: String,
    /// Bits, or points.
    pub total: i64,
}

impl From<payload::HypeTrain> for HypeTrain {
    fn from(it: payload::HypeTrain) -> Self {
        Self {
            hype_train_id: it.id.into(),
            level: it.level,
            total: it.total,
            progress: it.progress,
            goal: it.goal,
            expires_at: it.expires_at,
            train_type: it.kind,
            top_contributions: it.top_contributions.into_iter().map(Contribution::from).collect(),
        }
    }
}

impl From<payload::Contribution> for Contribution {
    fn from(it: payload::Contribution) -> Self {
        Self { user: it.user.into(), kind: it.kind, total: it.total }
    }
}

/// `goal_begin`, `goal_progress`, `goal_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Goal {
    /// The same in all alerts of one goal.
    pub goal_id: String,
    /// What is counted, such as `follow` or `subscription_count`.
    pub kind: String,
    /// In the broadcaster's words.
    pub description: Option<String>,
    /// The count.
    pub current: i64,
    /// The count that achieves the goal.
    pub target: i64,
    /// Whether it was achieved; `null` before the end.
    pub is_achieved: Option<bool>,
}

impl From<payload::Goal> for Goal {
    fn from(it: payload::Goal) -> Self {
        Self {
            goal_id: it.id.into(),
            kind: it.kind,
            description: it.description,
            current: it.current_amount,
            target: it.target_amount,
            is_achieved: it.is_achieved,
        }
    }
}

/// An amount of money.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Money {
    /// In the currency's smallest unit, such as cents.
    pub value: i64,
    /// The number of decimal places of the value.
    pub decimal_places: i64,
    /// ISO 4217, such as `USD`.
    pub currency: String,
}

impl From<payload::Money> for Money {
    fn from(it: payload::Money) -> Self {
        Self { value: it.value, decimal_places: it.decimal_places, currency: it.currency }
    }
}

/// A charity.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Charity {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The URL of its logo.
    pub logo: Option<String>,
    /// The URL of its website.
    pub website: Option<String>,
}

impl From<payload::Charity> for Charity {
    fn from(it: payload::Charity) -> Self {
        Self { name: it.name, description: it.description, logo: it.logo, website: it.website }
    }
}

/// `charity_donation`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CharityDonation {
    /// The donor.
    pub user: Person,
    /// The donation.
    pub amount: Money,
    /// The charity.
    pub charity: Charity,
}

impl From<payload::CharityDonation> for CharityDonation {
    fn from(it: payload::CharityDonation) -> Self {
        Self { user: it.user.into(), amount: it.amount.into(), charity: it.charity.into() }
    }
}

/// `charity_campaign_begin`, `charity_campaign_progress`, `charity_campaign_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CharityCampaign {
    /// The same in all alerts of one campaign.
    pub campaign_id: String,
    /// The charity.
    pub charity: Charity,
    /// The amount donated so far.
    pub current: Money,
    /// The goal of the campaign.
    pub target: Money,
}

impl From<payload::CharityCampaign> for CharityCampaign {
    fn from(it: payload::CharityCampaign) -> Self {
        Self {
            campaign_id: it.id.into(),
            charity: it.charity.into(),
            current: it.current_amount.into(),
            target: it.target_amount.into(),
        }
    }
}

/// `poll_begin`, `poll_progress`, `poll_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Poll {
    /// The same in all alerts of one poll.
    pub poll_id: String,
    /// The question.
    pub title: String,
    /// The answers.
    pub choices: Vec<Choice>,
    /// When it ends, or has ended; `null` if Twitch did not say.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
    /// `completed`, `archived` or `terminated`; `null` before the end.
    pub status: Option<String>,
}

/// An answer of a poll.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Choice {
    /// The answer's id.
    pub id: String,
    /// Its text.
    pub title: String,
    /// Votes in all.
    pub votes: i64,
}

impl From<payload::Poll> for Poll {
    fn from(it: payload::Poll) -> Self {
        Self {
            poll_id: it.id.into(),
            title: it.title,
            choices: it.choices.into_iter().map(Choice::from).collect(),
            ends_at: it.ends_at.or(it.ended_at),
            status: it.status,
        }
    }
}

impl From<payload::Choice> for Choice {
    fn from(it: payload::Choice) -> Self {
        Self { id: it.id.into(), title: it.title, votes: it.votes }
    }
}

/// `prediction_begin`, `prediction_progress`, `prediction_lock`, `prediction_end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Prediction {
    /// The same in all alerts of one prediction.
    pub prediction_id: String,
    /// The question.
    pub title: String,
    /// The possible outcomes.
    pub outcomes: Vec<Outcome>,
    /// The id of the winning outcome; `null` before the end, and if it was cancelled.
    pub winning_outcome_id: Option<String>,
    /// `resolved` or `canceled`; `null` before the end.
    pub status: Option<String>,
}

/// A possible outcome of a prediction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Outcome {
    /// The outcome's id.
    pub id: String,
    /// Its text.
    pub title: String,
    /// `blue` or `pink`.
    pub color: Option<String>,
    /// How many users predicted it.
    pub users: i64,
    /// How many channel points they staked.
    pub channel_points: i64,
}

impl From<payload::Prediction> for Prediction {
    fn from(it: payload::Prediction) -> Self {
        Self {
            prediction_id: it.id.into(),
            title: it.title,
            outcomes: it.outcomes.into_iter().map(Outcome::from).collect(),
            winning_outcome_id: it.winning_outcome_id,
            status: it.status,
        }
    }
}

impl From<payload::Outcome> for Outcome {
    fn from(it: payload::Outcome) -> Self {
        Self { id: it.id.into(), title: it.title, color: it.color, users: it.users, channel_points: it.channel_points }
    }
}
