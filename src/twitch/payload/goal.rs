//! Goals of a broadcaster.

use serde::Deserialize;

use super::user::Broadcaster;
use super::{Ident, User};
use crate::twitch::tolerant::{optional, text};

/// `channel.goal.begin`, `.progress` and `.end` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Goal {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The goal's id.
    pub id: Ident,
    /// What is counted, such as `follow` or `subscription_count`.
    #[serde(rename = "type", default, deserialize_with = "optional")]
    pub kind: String,
    /// In the broadcaster's words.
    #[serde(default, deserialize_with = "text")]
    pub description: Option<String>,
    /// The count.
    pub current_amount: i64,
    /// The count that achieves the goal.
    pub target_amount: i64,
    /// Whether it was achieved; absent before the end.
    #[serde(default, deserialize_with = "optional")]
    pub is_achieved: Option<bool>,
}
