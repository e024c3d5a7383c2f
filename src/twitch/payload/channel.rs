//! `channel.update` and `channel.follow`.

use serde::Deserialize;
use time::OffsetDateTime;

use super::User;
use super::user::{Broadcaster, UserFields};
use crate::twitch::tolerant::{stored_text, stored_texts, time};

/// `channel.update` v2: title, category, language or labels changed. All of it replaces the state; what is absent is empty.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChannelUpdate {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The stream's title.
    #[serde(default, deserialize_with = "stored_text")]
    pub title: String,
    /// An ISO 639-1 code, or `other`.
    #[serde(default, deserialize_with = "stored_text")]
    pub language: String,
    /// May be empty.
    #[serde(default, deserialize_with = "stored_text")]
    pub category_id: String,
    /// May be empty.
    #[serde(default, deserialize_with = "stored_text")]
    pub category_name: String,
    /// Version 1 had none.
    #[serde(default, deserialize_with = "stored_texts")]
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
    /// When they followed; if it is absent, the message was sent then.
    #[serde(default, deserialize_with = "time")]
    pub followed_at: Option<OffsetDateTime>,
}
