//! Predictions.

use serde::Deserialize;

use super::user::Broadcaster;
use super::{Ident, User};
use crate::twitch::tolerant::{items, optional, text};

/// `channel.prediction.begin`, `.progress`, `.lock` and `.end` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Prediction {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The prediction's id.
    pub id: Ident,
    /// The question.
    #[serde(default, deserialize_with = "optional")]
    pub title: String,
    /// The possible outcomes.
    #[serde(default, deserialize_with = "items")]
    pub outcomes: Vec<Outcome>,
    /// The id of the outcome that came true; absent before the end and if cancelled.
    #[serde(default, deserialize_with = "text")]
    pub winning_outcome_id: Option<String>,
    /// `resolved` or `canceled`; absent before the end.
    #[serde(default, deserialize_with = "optional")]
    pub status: Option<String>,
}

/// A possible outcome of a prediction.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Outcome {
    /// The outcome's id.
    pub id: Ident,
    /// Its text.
    #[serde(default, deserialize_with = "optional")]
    pub title: String,
    /// `blue` or `pink`.
    #[serde(default, deserialize_with = "text")]
    pub color: Option<String>,
    /// How many users predicted it; absent at the beginning.
    #[serde(default, deserialize_with = "optional")]
    pub users: i64,
    /// How many channel points they staked; absent at the beginning.
    #[serde(default, deserialize_with = "optional")]
    pub channel_points: i64,
}
