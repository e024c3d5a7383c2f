//! `channel.update` and `channel.follow`.

use serde::Deserialize;
use time::OffsetDateTime;

use super::User;
use super::user::{Broadcaster, UserFields};

/// `channel.update` v2: title, category, language or labels changed. All of it replaces the state, so none is optional: a
/// field that Twitch has changed must not empty it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChannelUpdate {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The stream's title.
    pub title: String,
    /// An ISO 639-1 code, or `other`.
    pub language: String,
    /// May be empty.
    pub category_id: String,
    /// May be empty.
    pub category_name: String,
    /// Version 1 had none.
    #[serde(default)]
    pub content_classification_labels: Vec<String>,
}

/// `channel.follow` v2.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Follow {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The new follower.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
    /// When they followed.
    #[serde(with = "time::serde::rfc3339")]
    pub followed_at: OffsetDateTime,
}
