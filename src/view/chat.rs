//! Messages in chat, and their deletion.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Person, event_json};
use crate::store::LogId;
use crate::store::read::events::LoggedEvent;
use crate::twitch::payload::{self, User};

/// A change of the chat.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Chat {
    /// A message was written.
    Message(Box<ChatMessage>),
    /// A message was deleted.
    Deleted(ChatMessageDeleted),
    /// Many messages were deleted.
    Cleared(ChatMessagesCleared),
}

/// The fields that all of these have.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatEvent {
    /// The event's id in the log.
    #[schema(value_type = i64)]
    pub id: LogId,
    /// The channel.
    pub channel: Person,
    /// When Twitch sent it.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// Whether it is a test event.
    pub is_test: bool,
    /// Whether it is a replay of an earlier event.
    pub is_replay: bool,
    /// The id of the earlier event that reported the same on another channel of a shared chat, or that deleted the message
    /// before it arrived; `null` for news.
    #[schema(value_type = Option<i64>)]
    pub repeats: Option<LogId>,
}

/// `message`: a user wrote, or Twitch announced something in the chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatMessage {
    #[serde(flatten)]
    #[expect(missing_docs, reason = "its fields are documented there")]
    pub event: ChatEvent,
    /// Twitch's id, by which it may be deleted.
    pub message_id: String,
    /// The author; `null` if anonymous.
    pub user: Option<Person>,
    /// The color of the author's name, such as `#1E90FF`; `null` if the author never chose one.
    pub color: Option<String>,
    /// What stands before the author's name.
    pub badges: Vec<Badge>,
    /// The whole text.
    pub text: String,
    /// The same, in parts.
    pub fragments: Vec<Fragment>,
    /// Whether it was written with `/me`, as an action of the author.
    pub is_action: bool,
    /// How it was written: `text`, `channel_points_highlighted`, `user_intro` (the first message of its author on the channel, as far as
    /// Twitch tells) …; `null` for notices.
    pub message_type: Option<String>,
    /// What Twitch announced. Then `text` is what the user wrote with it, and may be empty.
    pub notice: Option<Notice>,
    /// Bits that were cheered with it.
    pub bits: Option<i64>,
    /// The message that it replies to.
    pub reply: Option<Reply>,
    /// In a shared chat, the channel it was written on, if that is another one.
    pub source_channel: Option<Person>,
    /// Its id on that channel.
    pub source_message_id: Option<String>,
}

/// `message_deleted`: a moderator deleted a message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatMessageDeleted {
    #[serde(flatten)]
    #[expect(missing_docs, reason = "its fields are documented there")]
    pub event: ChatEvent,
    /// The message's id.
    pub message_id: String,
    /// The author of the message.
    pub user: Person,
}

/// `messages_cleared`: a moderator deleted all messages, or all messages of a user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatMessagesCleared {
    #[serde(flatten)]
    #[expect(missing_docs, reason = "its fields are documented there")]
    pub event: ChatEvent,
    /// The author of the messages; `null` for all messages.
    pub user: Option<Person>,
}

/// A badge. Twitch's API has its image.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Badge {
    /// For example `subscriber`.
    pub set_id: String,
    /// Its place in the set.
    pub id: String,
    /// For example the number of months.
    pub info: Option<String>,
}

/// A part of a text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Fragment {
    /// `text`, `emote`, `cheermote` or `mention`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As it was written.
    pub text: String,
    /// Present if it is an `emote`.
    pub emote: Option<Emote>,
    /// Present if it is a `cheermote`.
    pub cheermote: Option<Cheermote>,
    /// The mentioned user, if it is a `mention`.
    pub mention: Option<Person>,
}

/// An image in a text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Emote {
    /// Its image is
    /// `https://static-cdn.jtvnw.net/emoticons/v2/{id}/{format}/{light or dark}/{1.0, 2.0 or 3.0}`.
    pub id: String,
    /// `static`, and `animated` if it can be.
    pub formats: Vec<String>,
}

/// Bits in a text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cheermote {
    /// For example `cheer`.
    pub prefix: String,
    /// How many.
    pub bits: i64,
    /// The tier of its image.
    pub tier: i64,
}

/// What Twitch announces in the chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Notice {
    /// For example `resub`, `raid` or `announcement`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text; may be empty.
    pub text: String,
    /// The color of an announcement: `blue`, `green`, `orange`, `purple`, or `primary` for that of the channel.
    pub color: Option<String>,
}

/// The message that another one replies to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reply {
    /// The message's id.
    pub message_id: String,
    /// Its text.
    pub text: String,
    /// Its author.
    pub user: Person,
}

/// Reads the JSON of an event; the function makes the common fields of a channel. `None` if it can't be read or says nothing.
type Read = fn(&str, &dyn Fn(User) -> ChatEvent) -> Option<Chat>;

const SOURCES: [(&str, Read); 5] = [
    ("channel.chat.message", message),
    ("channel.chat.notification", message),
    ("channel.chat.message_delete", |json, event| {
        let it: payload::ChatMessageDelete = serde_json::from_str(json).ok()?;
        let (event, user) = (event(it.broadcaster), it.target.into());
        Some(Chat::Deleted(ChatMessageDeleted { event, message_id: it.message_id, user }))
    }),
    ("channel.chat.clear", |json, event| {
        let it: payload::ChatClear = serde_json::from_str(json).ok()?;
        Some(Chat::Cleared(ChatMessagesCleared { event: event(it.broadcaster), user: None }))
    }),
    ("channel.chat.clear_user_messages", |json, event| {
        let it: payload::ChatClearUserMessages = serde_json::from_str(json).ok()?;
        Some(Chat::Cleared(ChatMessagesCleared { event: event(it.broadcaster), user: Some(it.target.into()) }))
    }),
];

/// The subscription types that the chat comes from.
pub fn sources() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(kind, _)| *kind)
}

impl Chat {
    /// Reads an event as a change of the chat. Returns `None` for other types, for payloads that can't be read, and for
    /// messages without any text.
    #[must_use]
    pub fn new(logged: &LoggedEvent, is_replay: bool) -> Option<Self> {
        let kind = logged.kind.as_deref()?;
        let (_, read) = SOURCES.iter().find(|(source, _)| *source == kind)?;
        let LoggedEvent { id, occurred_at, is_test, repeats, .. } = *logged;
        let event = |channel: User| ChatEvent { id, channel: channel.into(), occurred_at, is_test, is_replay, repeats };
        read(event_json(logged)?, &event)
    }

    /// The name of the message that a live feed sends.
    #[must_use]
    pub fn event(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Deleted(_) => "message_deleted",
            Self::Cleared(_) => "messages_cleared",
        }
    }
}

fn message(json: &str, event: &dyn Fn(User) -> ChatEvent) -> Option<Chat> {
    let it: payload::ChatMessage = serde_json::from_str(json).ok()?;
    if it.message.text.is_empty() && it.system_message.is_empty() {
        return None;
    }
    let has_notice = it.notice_type.is_some() || !it.system_message.is_empty();
    let color = it.announcement.and_then(|it| it.color).map(|color| color.to_lowercase());
    let notice =
        || Notice { kind: it.notice_type.unwrap_or_else(|| "unknown".to_owned()), text: it.system_message, color };
    let source_channel = it.source.filter(|source| source.id != it.broadcaster.id).map(Person::from);
    let source_message_id = it.source_message_id.filter(|_| source_channel.is_some());
    Some(Chat::Message(Box::new(ChatMessage {
        event: event(it.broadcaster),
        message_id: it.message_id,
        user: it.chatter.map(Person::from),
        color: it.color,
        badges: it.badges.into_iter().map(Badge::from).collect(),
        text: it.message.text,
        fragments: it.message.fragments.into_iter().map(Fragment::from).collect(),
        is_action: it.message.is_action,
        message_type: it.message_type,
        notice: has_notice.then(notice),
        bits: it.cheer.map(|cheer| cheer.bits),
        reply: it.reply.map(Reply::from),
        source_channel,
        source_message_id,
    })))
}

impl From<payload::Badge> for Badge {
    fn from(it: payload::Badge) -> Self {
        Self { set_id: it.set_id, id: it.id, info: it.info }
    }
}

impl From<payload::Fragment> for Fragment {
    fn from(it: payload::Fragment) -> Self {
        Self {
            kind: it.kind.into(),
            text: it.text,
            emote: it.emote.map(|emote| Emote { id: emote.id, formats: emote.format }),
            cheermote: it.cheermote.map(|it| Cheermote { prefix: it.prefix, bits: it.bits, tier: it.tier }),
            mention: it.mention.map(|mention| mention.user.into()),
        }
    }
}

impl From<payload::Reply> for Reply {
    fn from(it: payload::Reply) -> Self {
        Self { message_id: it.parent_message_id, text: it.parent_message_body, user: it.parent.into() }
    }
}
