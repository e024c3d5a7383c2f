//! The objects of Helix. Fields that are not used are left out; new ones are ignored. As in [payloads](crate::twitch::payload)
//! only what decides identity and time is required.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use url::Url;

use crate::twitch::id::{ChannelId, EventType, StreamId, UserId};
use crate::twitch::signature::WebhookSecret;
use crate::twitch::subscription_status::SubscriptionStatus;
use crate::twitch::tolerant::{Items, items, optional, required_time, stored_texts, time, version};

/// The channel or user that a subscription is about: for example `broadcaster_user_id` to an id. Fields that are not used
/// may be there as empty strings.
pub type Condition = BTreeMap<String, String>;

/// A user, who always has a channel.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct User {
    /// Twitch's id.
    pub id: UserId,
    /// Lower-case ASCII.
    pub login: String,
    /// As shown.
    #[serde(default, deserialize_with = "optional")]
    pub display_name: String,
    /// The address of the profile image.
    #[serde(default, deserialize_with = "optional")]
    pub profile_image_url: String,
    /// The address of the picture that is shown while the channel is offline; empty if it has none.
    #[serde(default, deserialize_with = "optional")]
    pub offline_image_url: String,
}

/// A stream that is live now.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Stream {
    /// The id that `stream.online` gives.
    pub id: StreamId,
    /// The channel.
    pub user_id: ChannelId,
    /// The channel's login.
    #[serde(default, deserialize_with = "optional")]
    pub user_login: String,
    /// The channel's display name.
    #[serde(default, deserialize_with = "optional")]
    pub user_name: String,
    /// `live`; empty in case of an error on Twitch's side.
    #[serde(rename = "type", default, deserialize_with = "optional")]
    pub kind: String,
    /// The stream's title.
    #[serde(default, deserialize_with = "optional")]
    pub title: Option<String>,
    /// An ISO 639-1 code, or `other`.
    #[serde(default, deserialize_with = "optional")]
    pub language: Option<String>,
    /// The category, may be empty.
    #[serde(default, deserialize_with = "optional")]
    pub game_id: Option<String>,
    /// Its name, may be empty.
    #[serde(default, deserialize_with = "optional")]
    pub game_name: Option<String>,
    /// When it began.
    #[serde(deserialize_with = "required_time")]
    pub started_at: OffsetDateTime,
    /// How many watch it.
    #[serde(default, deserialize_with = "optional")]
    pub viewer_count: Option<u32>,
}

/// A channel's settings, live or not. What is `None` is not known: it has not changed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ChannelInformation {
    /// The channel.
    pub broadcaster_id: ChannelId,
    /// Its login.
    #[serde(default, deserialize_with = "optional")]
    pub broadcaster_login: String,
    /// Its display name.
    #[serde(default, deserialize_with = "optional")]
    pub broadcaster_name: String,
    /// An ISO 639-1 code, or `other`.
    #[serde(default, deserialize_with = "optional")]
    pub broadcaster_language: Option<String>,
    /// The category, may be empty.
    #[serde(default, deserialize_with = "optional")]
    pub game_id: Option<String>,
    /// Its name, may be empty.
    #[serde(default, deserialize_with = "optional")]
    pub game_name: Option<String>,
    /// The title of the current or next stream.
    #[serde(default, deserialize_with = "optional")]
    pub title: Option<String>,
    /// The labels of the content.
    #[serde(default, deserialize_with = "labels")]
    pub content_classification_labels: Option<Vec<String>>,
    /// The tags.
    #[serde(default, deserialize_with = "stored_texts")]
    pub tags: Vec<String>,
}

impl From<&Stream> for ChannelInformation {
    /// What a stream shows of its channel, as far as events tell it, too: all but the labels.
    fn from(stream: &Stream) -> Self {
        Self {
            broadcaster_id: stream.user_id.clone(),
            broadcaster_login: stream.user_login.clone(),
            broadcaster_name: stream.user_name.clone(),
            broadcaster_language: stream.language.clone(),
            game_id: stream.game_id.clone(),
            game_name: stream.game_name.clone(),
            title: stream.title.clone(),
            content_classification_labels: None,
            tags: Vec::new(),
        }
    }
}

fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    items(deserializer).map(Some)
}

/// A follower of a channel.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Follower {
    /// The user.
    pub user_id: UserId,
    /// Their login.
    #[serde(default, deserialize_with = "optional")]
    pub user_login: String,
    /// Their display name.
    #[serde(default, deserialize_with = "optional")]
    pub user_name: String,
    /// Since when, in whole seconds.
    #[serde(deserialize_with = "required_time")]
    pub followed_at: OffsetDateTime,
}

/// An EventSub subscription at Twitch.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct HeldSubscription {
    /// Twitch's id.
    pub id: String,
    /// Whether it delivers, or why not.
    pub status: SubscriptionStatus,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// For example `2`.
    #[serde(deserialize_with = "required_version")]
    pub version: String,
    /// The channel or user that it is about.
    #[serde(deserialize_with = "condition")]
    pub condition: Condition,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<OffsetDateTime>,
    /// Where it delivers to.
    pub transport: HeldTransport,
    /// Its part of `max_total_cost`.
    #[serde(default, deserialize_with = "optional")]
    pub cost: u32,
}

/// Where a subscription at Twitch delivers to. Never has the secret.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct HeldTransport {
    /// `webhook`, `conduit` or `websocket`.
    pub method: String,
    /// Webhooks only.
    #[serde(default, deserialize_with = "optional")]
    pub callback: Option<String>,
    /// WebSocket only.
    #[serde(default, deserialize_with = "optional")]
    pub session_id: Option<String>,
    /// WebSocket only: when the session began.
    #[serde(default, deserialize_with = "time")]
    pub connected_at: Option<OffsetDateTime>,
    /// WebSocket only: when it ended, if it has.
    #[serde(default, deserialize_with = "time")]
    pub disconnected_at: Option<OffsetDateTime>,
}

/// Reads a version, a text that may also be a number.
fn required_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    version(deserializer)?.map(String::from).ok_or_else(|| D::Error::custom("expected a version"))
}

/// Reads a condition without the fields that are no text.
fn condition<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Condition, D::Error> {
    let fields = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    let text = |(name, value): (String, serde_json::Value)| Some((name, value.as_str()?.to_owned()));
    Ok(fields.into_iter().filter_map(text).collect())
}

/// All subscriptions of the application, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionList {
    /// Each once.
    pub subscriptions: Vec<HeldSubscription>,
    /// The sum of their costs.
    pub total_cost: u32,
    /// The limit of that sum.
    pub max_total_cost: u32,
    /// The number of those that could not be read.
    pub unreadable: usize,
}

/// Where subscriptions are to deliver to.
#[derive(Clone, Debug)]
pub enum Transport {
    /// An HTTP callback.
    Webhook {
        /// `https` on port 443.
        callback: Url,
        /// The key that Twitch signs its messages with.
        secret: WebhookSecret,
    },
    /// A WebSocket session. Only a token of the user who created the first subscription on it can create more.
    Websocket {
        /// As the welcome gave it.
        session_id: String,
    },
}

/// A subscription to be made.
#[derive(Clone, Debug)]
pub struct NewSubscription<'a> {
    /// For example `channel.follow`.
    pub kind: &'a str,
    /// For example `2`.
    pub version: &'a str,
    /// The channel or user that it is about.
    pub condition: &'a Condition,
    /// Where it is to deliver to.
    pub transport: &'a Transport,
}

/// [`NewSubscription`] as Twitch takes it, the secret in clear: to be sent and nothing else.
#[derive(Serialize)]
pub(super) struct SubscriptionRequest<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    version: &'a str,
    condition: &'a Condition,
    transport: TransportRequest<'a>,
}

#[derive(Serialize)]
#[serde(tag = "method", rename_all = "lowercase")]
enum TransportRequest<'a> {
    Webhook { callback: &'a str, secret: &'a str },
    Websocket { session_id: &'a str },
}

impl<'a> From<&NewSubscription<'a>> for SubscriptionRequest<'a> {
    fn from(new: &NewSubscription<'a>) -> Self {
        let transport = match new.transport {
            Transport::Webhook { callback, secret } => {
                TransportRequest::Webhook { callback: callback.as_str(), secret: secret.expose_secret() }
            }
            Transport::Websocket { session_id } => TransportRequest::Websocket { session_id },
        };
        Self { kind: new.kind, version: new.version, condition: new.condition, transport }
    }
}

/// The envelope of every list; only that of subscriptions has costs.
#[derive(Debug, Deserialize)]
pub(super) struct Listing<T> {
    #[serde(default = "Items::default")]
    pub(super) data: Items<T>,
    #[serde(default, deserialize_with = "optional")]
    pagination: Pagination,
    #[serde(default, deserialize_with = "optional")]
    pub(super) total_cost: u32,
    #[serde(default, deserialize_with = "optional")]
    pub(super) max_total_cost: u32,
}

#[derive(Debug, Default, Deserialize)]
struct Pagination {
    #[serde(default, deserialize_with = "optional")]
    cursor: Option<String>,
}

impl<T> Listing<T> {
    /// Where the next page begins, if there is one.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.pagination.cursor.as_deref().filter(|cursor| !cursor.is_empty())
    }
}
