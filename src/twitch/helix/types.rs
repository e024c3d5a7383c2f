//! What Helix answers and takes. Fields that nobody reads are left out; new ones are ignored.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;

use crate::twitch::signature::WebhookSecret;

/// Whom a subscription is about: for example `broadcaster_user_id` to an id. Fields that are not
/// used may be there as empty strings.
pub type Condition = BTreeMap<String, String>;

/// A user, who always has a channel.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct User {
    /// Twitch's id.
    pub id: String,
    /// Lower-case ASCII.
    pub login: String,
    /// As shown.
    pub display_name: String,
}

/// A stream that is live now.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Stream {
    /// The id that `stream.online` gives.
    pub id: String,
    /// The channel.
    pub user_id: String,
    /// The channel's login.
    pub user_login: String,
    /// The channel's display name.
    pub user_name: String,
    /// `live`; empty in case of an error on Twitch's side.
    #[serde(rename = "type")]
    pub kind: String,
    /// The category, may be empty.
    pub game_id: String,
    /// Its name, may be empty.
    pub game_name: String,
    /// The stream's title.
    pub title: String,
    /// An ISO 639-1 code, or `other`.
    pub language: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

/// A channel's settings, live or not.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ChannelInformation {
    /// The channel.
    pub broadcaster_id: String,
    /// Its login.
    pub broadcaster_login: String,
    /// Its display name.
    pub broadcaster_name: String,
    /// An ISO 639-1 code, or `other`.
    pub broadcaster_language: String,
    /// The category, may be empty.
    pub game_id: String,
    /// Its name, may be empty.
    pub game_name: String,
    /// The title of the current or next stream.
    pub title: String,
    /// What the content was labelled with.
    #[serde(default)]
    pub content_classification_labels: Vec<String>,
}

/// An EventSub subscription, as Twitch holds it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Subscription {
    /// Twitch's id.
    pub id: String,
    /// One of webhook.md §7, or one that is newer.
    pub status: String,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For example `2`.
    pub version: String,
    /// Whom it is about.
    pub condition: Condition,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Where it delivers to.
    pub transport: Transport,
    /// What it takes of `max_total_cost`.
    pub cost: u32,
}

/// Where a subscription delivers to. Never shows the secret.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Transport {
    /// `webhook` or `conduit`.
    pub method: String,
    /// Of webhooks.
    pub callback: Option<String>,
}

/// All subscriptions of the application, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionList {
    /// Each once.
    pub subscriptions: Vec<Subscription>,
    /// What they cost together.
    pub total_cost: u32,
    /// What they may.
    pub max_total_cost: u32,
}

/// A subscription to be made, over a webhook.
#[derive(Clone, Debug)]
pub struct NewSubscription<'a> {
    /// For example `channel.follow`.
    pub kind: &'a str,
    /// For example `2`.
    pub version: &'a str,
    /// Whom it is about.
    pub condition: &'a Condition,
    /// `https` on port 443.
    pub callback: &'a Url,
    /// What Twitch is to sign its messages with.
    pub secret: &'a WebhookSecret,
}

/// [`NewSubscription`] as Twitch wants it, the secret in clear: to be sent and nothing else.
#[derive(Serialize)]
pub(super) struct SubscriptionRequest<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    version: &'a str,
    condition: &'a Condition,
    transport: TransportRequest<'a>,
}

#[derive(Serialize)]
struct TransportRequest<'a> {
    method: &'static str,
    callback: &'a str,
    secret: &'a str,
}

impl<'a> From<&NewSubscription<'a>> for SubscriptionRequest<'a> {
    fn from(wanted: &NewSubscription<'a>) -> Self {
        let transport = TransportRequest {
            method: "webhook",
            callback: wanted.callback.as_str(),
            secret: wanted.secret.expose_secret(),
        };
        Self { kind: wanted.kind, version: wanted.version, condition: wanted.condition, transport }
    }
}

/// What every list comes in; the costs only with subscriptions.
#[derive(Debug, Deserialize)]
pub(super) struct Listing<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pagination: Pagination,
    #[serde(default)]
    pub(super) total_cost: u32,
    #[serde(default)]
    pub(super) max_total_cost: u32,
}

#[derive(Debug, Default, Deserialize)]
struct Pagination {
    cursor: Option<String>,
}

impl<T> Listing<T> {
    /// Where the next page begins, if there is one.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.pagination.cursor.as_deref().filter(|cursor| !cursor.is_empty())
    }
}
