//! What rules react to: something that happened once on a channel, read from an event of the log.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::links;
use super::role::Roles;
use super::vocabulary::{CHAT_MESSAGE, CHAT_NOTIFICATION, PRESENCE, PRESENCE_TYPE};
use crate::message::MessageType;
use crate::store::LogId;
use crate::store::read::events::LoggedEvent;
use crate::twitch::id::ChannelId;
use crate::twitch::payload::{Badge, Text, is_placeholder};
use crate::twitch::tolerant::{items, optional, text};

/// Events whose `id` is that of what they are about, of which each is told once.
const TOLD_ONCE: [&str; 15] = [
    "stream.online",
    "stream.offline",
    "channel.channel_points_custom_reward_redemption.add",
    "channel.channel_points_automatic_reward_redemption.add",
    "channel.poll.begin",
    "channel.poll.end",
    "channel.prediction.begin",
    "channel.prediction.lock",
    "channel.prediction.end",
    "channel.hype_train.begin",
    "channel.hype_train.end",
    "channel.charity_campaign.start",
    "channel.charity_campaign.stop",
    "channel.goal.begin",
    "channel.goal.end",
];

/// A user, as far as an event names one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The id; who comes to the chat has none.
    pub id: Option<String>,
    /// The name in lower case.
    pub login: Option<String>,
    /// The name as shown.
    pub name: Option<String>,
}

impl Person {
    /// By what a cooldown knows the user.
    #[must_use]
    pub fn key(&self) -> &str {
        self.id.as_deref().or(self.login.as_deref()).unwrap_or_default()
    }
}

/// A message in chat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatLine {
    /// Twitch's id.
    pub message_id: String,
    /// The text.
    pub text: String,
    /// Whether it answers another message.
    pub is_reply: bool,
    /// What filters look at: worked out once, however many they are.
    folded: OnceLock<String>,
    hosts: OnceLock<Vec<String>>,
}

impl ChatLine {
    /// A message that no filter has looked at.
    #[must_use]
    pub fn new(message_id: String, text: String, is_reply: bool) -> Self {
        Self { message_id, text, is_reply, ..Self::default() }
    }

    /// The text as [`links::folded`] makes it.
    #[must_use]
    pub fn folded(&self) -> &str {
        self.folded.get_or_init(|| links::folded(&self.text))
    }

    /// The hosts that the text links to.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        let found = || if links::may_have_link(self.folded()) { links::hosts(self.folded()) } else { Vec::new() };
        self.hosts.get_or_init(found)
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The event of the log.
    pub event_id: LogId,
    /// Its type, `arrive` or `leave`.
    pub kind: String,
    /// The channel.
    pub channel: ChannelId,
    /// When.
    pub at: OffsetDateTime,
    /// Whether it is a test.
    pub is_test: bool,
    /// Whether an earlier event told the same, or took it back.
    pub is_repeat: bool,
    /// Whether it is a copy of what happened on another channel of a shared chat.
    pub is_copy: bool,
    /// Whether it is a raid to another channel.
    pub is_outgoing_raid: bool,
    /// The user; `None` if there is none, or an anonymous one.
    pub user: Option<Person>,
    /// What the badges of the message say.
    pub badges: Option<Roles>,
    /// The message, if it is one.
    pub chat: Option<ChatLine>,
    /// What it is about. Events with the same subject tell the same.
    pub subject: String,
    /// The event as JSON.
    pub json: String,
}

/// The fields that decide what an event is about.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(deserialize_with = "text")]
    id: Option<String>,
    #[serde(deserialize_with = "text")]
    status: Option<String>,
    #[serde(deserialize_with = "text")]
    followed_at: Option<String>,
    #[serde(deserialize_with = "text")]
    user_id: Option<String>,
    #[serde(deserialize_with = "text")]
    user_login: Option<String>,
    #[serde(deserialize_with = "text")]
    user_name: Option<String>,
    #[serde(deserialize_with = "text")]
    chatter_user_id: Option<String>,
    #[serde(deserialize_with = "text")]
    chatter_user_login: Option<String>,
    #[serde(deserialize_with = "text")]
    chatter_user_name: Option<String>,
    #[serde(deserialize_with = "text")]
    from_broadcaster_user_id: Option<String>,
    #[serde(deserialize_with = "text")]
    from_broadcaster_user_login: Option<String>,
    #[serde(deserialize_with = "text")]
    from_broadcaster_user_name: Option<String>,
    #[serde(deserialize_with = "text")]
    to_broadcaster_user_id: Option<String>,
    #[serde(deserialize_with = "optional")]
    is_anonymous: bool,
    #[serde(deserialize_with = "optional")]
    chatter_is_anonymous: bool,
    #[serde(deserialize_with = "text")]
    message_id: Option<String>,
    #[serde(deserialize_with = "optional")]
    message: Text,
    #[serde(deserialize_with = "items")]
    badges: Vec<Badge>,
    #[serde(deserialize_with = "optional")]
    reply: Option<Reply>,
    #[serde(deserialize_with = "text")]
    source_broadcaster_user_id: Option<String>,
    #[serde(deserialize_with = "items")]
    joined: Vec<String>,
    #[serde(deserialize_with = "items")]
    left: Vec<String>,
}

#[derive(Deserialize)]
struct Reply {}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
}

/// The event of a payload, without the character U+0000: Postgres keeps it in the log, but in nothing that rules write.
fn event_of(payload: &str) -> Option<Cow<'_, str>> {
    let Body { event } = serde_json::from_str(payload).ok()?;
    if !event.get().contains(r"\u0000") {
        return Some(Cow::Borrowed(event.get()));
    }
    let event: Value = serde_json::from_str(event.get()).ok()?;
    Some(Cow::Owned(without_nul(event).to_string()))
}

fn without_nul(value: Value) -> Value {
    let stored = |text: String| text.replace('\0', "");
    match value {
        Value::String(text) => Value::String(stored(text)),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, field)| (stored(name), without_nul(field))).collect(),
        other => other,
    }
}

impl Occurrence {
    /// What an event tells: mostly one thing. Nothing if it is about no channel, is the end of a subscription or can't be read.
    #[must_use]
    pub fn read(logged: &LoggedEvent) -> Vec<Self> {
        let (Some(kind), Some(channel)) = (logged.kind.as_deref(), &logged.channel_id) else { return Vec::new() };
        if logged.message_type == MessageType::Revocation.as_str() {
            return Vec::new();
        }
        let Some(event) = event_of(logged.payload.get()) else { return Vec::new() };
        let Ok(fields) = serde_json::from_str::<Fields>(&event) else { return Vec::new() };
        let occurrence = Self {
            event_id: logged.id,
            kind: kind.to_owned(),
            channel: channel.clone(),
            at: logged.occurred_at,
            is_test: logged.is_test,
            is_repeat: is_repeat(logged),
            is_copy: fields.source_broadcaster_user_id.as_deref().is_some_and(|source| source != channel.as_str()),
            is_outgoing_raid: kind == "channel.raid"
                && fields.to_broadcaster_user_id.as_deref().is_some_and(|to| to != channel.as_str()),
            user: fields.user(),
            badges: None,
            chat: None,
            // Samples of tests have the same ids.
            subject: if logged.is_test {
                format!("test/{}", logged.message_id)
            } else {
                fields.subject(kind, &logged.message_id)
            },
            json: event.into_owned(),
        };
        match kind {
            PRESENCE_TYPE => occurrence.presences(fields),
            CHAT_MESSAGE | CHAT_NOTIFICATION => vec![occurrence.in_chat(fields)],
            _ => vec![occurrence],
        }
    }

    fn in_chat(mut self, fields: Fields) -> Self {
        let mut roles = Roles::default();
        fields.badges.iter().for_each(|badge| roles.add_badge(&badge.set_id, &badge.id));
        self.badges = Some(roles);
        if self.kind == CHAT_MESSAGE {
            let message_id = fields.message_id.unwrap_or_default();
            self.chat = Some(ChatLine::new(message_id, fields.message.text, fields.reply.is_some()));
        }
        self
    }

    /// One for each user who came or left.
    fn presences(self, fields: Fields) -> Vec<Self> {
        let [arrive, leave] = PRESENCE;
        let all = fields
            .joined
            .into_iter()
            .map(|login| (arrive, login))
            .chain(fields.left.into_iter().map(|login| (leave, login)));
        let of = |(kind, login): (&str, String)| Self {
            kind: kind.to_owned(),
            subject: format!("{}/{login}", self.subject),
            json: serde_json::json!({ "user_login": login }).to_string(),
            user: Some(Person { id: None, name: Some(login.clone()), login: Some(login) }),
            ..self.clone()
        };
        all.map(of).collect()
    }
}

impl Fields {
    fn user(&self) -> Option<Person> {
        if self.is_anonymous || self.chatter_is_anonymous {
            return None;
        }
        let users = [
            (&self.user_id, &self.user_login, &self.user_name),
            (&self.chatter_user_id, &self.chatter_user_login, &self.chatter_user_name),
            (&self.from_broadcaster_user_id, &self.from_broadcaster_user_login, &self.from_broadcaster_user_name),
        ];
        let (id, login, name) = users.into_iter().find(|(id, ..)| id.is_some())?;
        let id = id.clone().filter(|id| !is_placeholder(id))?;
        let name = name.clone().or_else(|| login.clone());
        Some(Person { id: Some(id), login: login.as_deref().map(str::to_lowercase), name })
    }

    fn subject(&self, kind: &str, message_id: &str) -> String {
        let id = || self.id.as_deref().filter(|_| TOLD_ONCE.contains(&kind));
        match (kind, &self.message_id, &self.user_id) {
            (CHAT_MESSAGE | CHAT_NOTIFICATION, Some(chat_id), _) => format!("chat/{chat_id}"),
            ("channel.follow", _, Some(user)) => match self.followed_at.as_deref().and_then(seconds) {
                Some(at) => format!("{kind}/{user}/{at}"),
                None => message_id.to_owned(),
            },
            ("channel.channel_points_custom_reward_redemption.update", ..) => match (&self.id, &self.status) {
                (Some(id), Some(status)) => format!("{kind}/{id}/{status}"),
                _ => message_id.to_owned(),
            },
            _ => id().map_or_else(|| message_id.to_owned(), |id| format!("{kind}/{id}")),
        }
    }
}

/// A time cut to seconds, however precisely and in whichever time zone it was told.
fn seconds(at: &str) -> Option<i64> {
    Some(OffsetDateTime::parse(at, &Rfc3339).ok()?.to_offset(UtcOffset::UTC).unix_timestamp())
}

/// A message of a shared chat repeats only those of the same channel.
fn is_repeat(event: &LoggedEvent) -> bool {
    let on = event.repeated_on.as_ref();
    event.repeats.is_some()
        && event.channel_id.as_ref().is_none_or(|channel| on.is_none_or(|channels| channels.contains(channel)))
}
