//! Polls.

use serde::Deserialize;
use time::OffsetDateTime;

use super::user::Broadcaster;
use super::{Ident, User};
use crate::twitch::tolerant::{items, optional, time};

/// `channel.poll.begin`, `.progress` and `.end` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Poll {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The poll's id.
    pub id: Ident,
    /// The question.
    #[serde(default, deserialize_with = "optional")]
    pub title: String,
    /// The answers.
    #[serde(default, deserialize_with = "items")]
    pub choices: Vec<Choice>,
    /// When it will end; absent at the end.
    #[serde(default, deserialize_with = "time")]
    pub ends_at: Option<OffsetDateTime>,
    /// When it ended; absent before.
    #[serde(default, deserialize_with = "time")]
    pub ended_at: Option<OffsetDateTime>,
    /// `completed`, `archived` or `terminated`; absent before the end.
    #[serde(default, deserialize_with = "optional")]
    pub status: Option<String>,
}

/// An answer of a poll.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Choice {
    /// The answer's id.
    pub id: Ident,
    /// Its text.
    #[serde(default, deserialize_with = "optional")]
    pub title: String,
    /// Votes in all; absent at the beginning.
    #[serde(default, deserialize_with = "optional")]
    pub votes: i64,
}
