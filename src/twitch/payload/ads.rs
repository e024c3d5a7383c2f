//! `channel.ad_break.begin`.

use serde::Deserialize;

use super::User;
use super::user::Broadcaster;
use crate::twitch::tolerant::{flag, integer};

/// `channel.ad_break.begin` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct AdBreakBegin {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// In seconds.
    #[serde(deserialize_with = "integer")]
    pub duration_seconds: i64,
    /// Whether it was scheduled, not started by hand.
    #[serde(default, deserialize_with = "flag")]
    pub is_automatic: bool,
}
