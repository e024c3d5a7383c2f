//! `channel.update` and `channel.follow`.

use serde::Deserialize;
use time::OffsetDateTime;

use super::User;
use super::tolerant::{items, optional};
use super::user::{Broadcaster, UserFields};

/// `channel.update` v2: title, category, language or labels changed.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChannelUpdate {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The stream's title.
    #[serde(default, deserialize_with = "optional")]
    pub title: String,
    /// An ISO 639-1 code, or `other`.
    #[serde(default, deserialize_with = "optional")]
    pub language: String,
    /// May be empty.
    #[serde(default, deserialize_with = "optional")]
    pub category_id: String,
    /// May be empty.
    #[serde(default, deserialize_with = "optional")]
    pub category_name: String,
    /// Version 1 had none.
    #[serde(default, deserialize_with = "items")]
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
