//! Hype trains.

use serde::Deserialize;
use time::OffsetDateTime;

use super::user::{Broadcaster, UserFields};
use super::{Ident, User};
use crate::twitch::tolerant::{items, optional, time};

/// `channel.hype_train.begin`, `.progress` and `.end` v2.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct HypeTrain {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The hype train's id.
    pub id: Ident,
    /// The level it has reached.
    pub level: i64,
    /// Points in all.
    pub total: i64,
    /// Points on this level; absent at the end.
    #[serde(default, deserialize_with = "optional")]
    pub progress: Option<i64>,
    /// Points that complete this level; absent at the end.
    #[serde(default, deserialize_with = "optional")]
    pub goal: Option<i64>,
    /// When it ends without further contributions; absent at the end.
    #[serde(default, deserialize_with = "time")]
    pub expires_at: Option<OffsetDateTime>,
    /// `regular`, `treasure` or `golden_kappa`.
    #[serde(rename = "type", default, deserialize_with = "optional")]
    pub kind: Option<String>,
    /// The largest contributions.
    #[serde(default, deserialize_with = "items")]
    pub top_contributions: Vec<Contribution>,
}

/// A user's contribution to a hype train.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Contribution {
    /// The contributor.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// `bits`, `subscription` or `other`.
    #[serde(rename = "type", default, deserialize_with = "optional")]
    pub kind: String,
    /// Bits, or points.
    pub total: i64,
}
