//! What is said in chat, and taken back.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::store::read::live::Logged;
use crate::view::fields::{Fields, Person, event_of};

/// The subscription types that the chat comes from.
pub const SOURCES: [&str; 5] = [
    "channel.chat.message",
    "channel.chat.notification",
    "channel.chat.message_delete",
    "channel.chat.clear",
    "channel.chat.clear_user_messages",
];

/// What happened in chat.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Chat {
    /// Something was said.
    Message(Box<ChatMessage>),
    /// A message was taken away.
    Deleted(ChatMessageDeleted),
    /// Many were.
    Cleared(ChatMessagesCleared),
}

/// What all of these tell.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatEvent {
    /// The event's id in the log.
    pub id: i64,
    /// Whose chat it is.
    pub channel: Person,
    /// When Twitch told it.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// Whether it is made up, to try an overlay.
    pub is_test: bool,
    /// Whether it has been shown before, and is to be shown again.
    pub is_replay: bool,
}

/// `message`: somebody wrote, or Twitch tells the chat something.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatMessage {
    #[serde(flatten)]
    #[expect(missing_docs, reason = "its fields are documented there")]
    pub event: ChatEvent,
    /// Twitch's id, by which it may be deleted.
    pub message_id: String,
    /// Who wrote; `null` if anonymous.
    pub user: Option<Person>,
    /// The colour of their name, such as `#1E90FF`; `null` if they never chose one.
    pub color: Option<String>,
    /// What stands before their name.
    pub badges: Vec<Badge>,
    /// The whole text.
    pub text: String,
    /// The same, in parts.
    pub fragments: Vec<Fragment>,
    /// How it was written: `text`, `channel_points_highlighted`, `user_intro` …; `null` for what
    /// Twitch tells.
    pub message_type: Option<String>,
    /// What Twitch tells, if it does; then `text` is what they wrote beside it, and may be empty.
    pub notice: Option<Notice>,
    /// Bits that were cheered with it.
    pub bits: Option<i64>,
    /// What it answers.
    pub reply: Option<Reply>,
    /// In a shared chat, the channel it was written on, if that is another one.
    pub source_channel: Option<Person>,
}

/// `message_deleted`: a moderator took one message away.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatMessageDeleted {
    #[serde(flatten)]
    #[expect(missing_docs, reason = "its fields are documented there")]
    pub event: ChatEvent,
    /// Which.
    pub message_id: String,
    /// Whose it was.
    pub user: Person,
}

/// `messages_cleared`: a moderator took all messages away, or all of somebody.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatMessagesCleared {
    #[serde(flatten)]
    #[expect(missing_docs, reason = "its fields are documented there")]
    pub event: ChatEvent,
    /// Whose; `null` for everybody's.
    pub user: Option<Person>,
}

/// A badge, whose picture Twitch's API has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Badge {
    /// For example `subscriber`.
    pub set_id: String,
    /// Which of that set.
    pub id: String,
    /// For example the months.
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
    /// If it is an `emote`.
    pub emote: Option<Emote>,
    /// If it is a `cheermote`.
    pub cheermote: Option<Cheermote>,
    /// If it is a `mention`: who.
    pub mention: Option<Person>,
}

/// A picture in a text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Emote {
    /// Its picture is
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
    /// Which of its pictures.
    pub tier: i64,
}

/// What Twitch tells the chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Notice {
    /// For example `resub`, `raid` or `announcement`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In words; may be empty.
    pub text: String,
}

/// What a message answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reply {
    /// The message's id.
    pub message_id: String,
    /// What it said.
    pub text: String,
    /// Who wrote it.
    pub user: Person,
}

impl Chat {
    /// What it is called on the wire.
    #[must_use]
    pub fn event(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Deleted(_) => "message_deleted",
            Self::Cleared(_) => "messages_cleared",
        }
    }
}

/// What an event does to the chat; `None` for those that do nothing, and for payloads that are not
/// as Twitch documents them.
#[must_use]
pub fn of(logged: &Logged, is_replay: bool) -> Option<Chat> {
    let kind = logged.kind.as_deref().filter(|kind| SOURCES.contains(kind))?;
    let payload = event_of(logged)?;
    let fields = Fields::new(&payload);
    let event = ChatEvent {
        id: logged.id,
        channel: fields.channel()?,
        occurred_at: logged.occurred_at,
        is_test: logged.is_test,
        is_replay,
    };
    Some(match kind {
        "channel.chat.message_delete" => Chat::Deleted(ChatMessageDeleted {
            event,
            message_id: fields.text("message_id")?,
            user: fields.person("target_user_")?,
        }),
        "channel.chat.clear" => Chat::Cleared(ChatMessagesCleared { event, user: None }),
        "channel.chat.clear_user_messages" => {
            Chat::Cleared(ChatMessagesCleared { event, user: Some(fields.person("target_user_")?) })
        }
        _ => Chat::Message(Box::new(message(event, fields)?)),
    })
}

fn message(event: ChatEvent, fields: Fields<'_>) -> Option<ChatMessage> {
    let user = match fields.flag("chatter_is_anonymous") {
        Some(true) => None,
        _ => Some(fields.person("chatter_user_")?),
    };
    let notice =
        fields.text("notice_type").map(|kind| Notice { kind, text: fields.text("system_message").unwrap_or_default() });
    let said = fields.object("message")?;
    let source_channel = fields.person("source_broadcaster_user_").filter(|source| source.id != event.channel.id);
    Some(ChatMessage {
        event,
        message_id: fields.text("message_id")?,
        user,
        color: fields.words("color"),
        badges: fields.list("badges").filter_map(badge).collect(),
        text: said.text("text")?,
        fragments: said.list("fragments").map(fragment).collect::<Option<_>>()?,
        message_type: fields.text("message_type"),
        notice,
        bits: fields.object("cheer").and_then(|cheer| cheer.number("bits")),
        reply: fields.object("reply").and_then(reply),
        source_channel,
    })
}

fn badge(it: Fields<'_>) -> Option<Badge> {
    Some(Badge { set_id: it.text("set_id")?, id: it.text("id")?, info: it.words("info") })
}

fn fragment(it: Fields<'_>) -> Option<Fragment> {
    let emote = |emote: Fields<'_>| Some(Emote { id: emote.text("id")?, formats: emote.texts("format") });
    let cheermote = |it: Fields<'_>| {
        Some(Cheermote { prefix: it.text("prefix")?, bits: it.number("bits")?, tier: it.number("tier")? })
    };
    Some(Fragment {
        kind: it.text("type")?,
        text: it.text("text")?,
        emote: it.object("emote").and_then(emote),
        cheermote: it.object("cheermote").and_then(cheermote),
        mention: it.object("mention").and_then(|mention| mention.person("user_")),
    })
}

fn reply(it: Fields<'_>) -> Option<Reply> {
    Some(Reply {
        message_id: it.text("parent_message_id")?,
        text: it.text("parent_message_body")?,
        user: it.person("parent_user_")?,
    })
}
