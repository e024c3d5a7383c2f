//! The chat, and the messages that come with other events.

use serde::{Deserialize, Deserializer};

use super::User;
use super::tolerant::{flag, items, optional, text};
use super::user::{Broadcaster, Chatter, Parent, Source, Target, UserFields};

/// The text of a message that comes with a subscription, a redemption or a power-up.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct MessageText {
    /// `None` if the user wrote nothing.
    #[serde(default, deserialize_with = "text")]
    pub text: Option<String>,
}

/// `channel.chat.message` and `channel.chat.notification` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatMessage {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The author. An anonymous notification may lack it or name a placeholder.
    #[serde(flatten, deserialize_with = "chatter")]
    pub chatter: Option<User>,
    /// Whether the author is anonymous.
    #[serde(default, deserialize_with = "flag")]
    pub chatter_is_anonymous: bool,
    /// The message's id.
    pub message_id: String,
    /// The text.
    pub message: Text,
    /// The color of the author's name, such as `#1E90FF`.
    #[serde(default, deserialize_with = "text")]
    pub color: Option<String>,
    /// The author's badges.
    #[serde(default, deserialize_with = "items")]
    pub badges: Vec<Badge>,
    /// For example `text` or `user_intro`; notifications have none.
    #[serde(default, deserialize_with = "optional")]
    pub message_type: Option<String>,
    /// For example `resub`; only notifications have one.
    #[serde(default, deserialize_with = "optional")]
    pub notice_type: Option<String>,
    /// The text of a notification.
    #[serde(default, deserialize_with = "optional")]
    pub system_message: String,
    /// Bits that were cheered with it.
    #[serde(default, deserialize_with = "optional")]
    pub cheer: Option<CheeredBits>,
    /// The message that this one replies to.
    #[serde(default, deserialize_with = "optional")]
    pub reply: Option<Reply>,
    /// In a shared chat, the channel on which it was written.
    #[serde(flatten, deserialize_with = "source")]
    pub source: Option<User>,
    /// In a shared chat, the message's id on that channel.
    #[serde(default, deserialize_with = "text")]
    pub source_message_id: Option<String>,
}

fn chatter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<User>, D::Error> {
    #[derive(Deserialize)]
    struct Named(#[serde(with = "Chatter")] User);
    Ok(Option::deserialize(deserializer)?.map(|Named(user)| user))
}

fn source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<User>, D::Error> {
    #[derive(Deserialize)]
    struct Named(#[serde(with = "Source")] User);
    Ok(Option::deserialize(deserializer)?.map(|Named(user)| user))
}

/// A text, whole and in parts.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Text {
    /// The whole.
    pub text: String,
    /// Its parts.
    #[serde(default, deserialize_with = "items")]
    pub fragments: Vec<Fragment>,
}

/// A part of a text.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Fragment {
    /// `text`, `emote`, `cheermote` or `mention`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As it was written.
    pub text: String,
    /// Present if it is an `emote`.
    #[serde(default, deserialize_with = "optional")]
    pub emote: Option<Emote>,
    /// Present if it is a `cheermote`.
    #[serde(default, deserialize_with = "optional")]
    pub cheermote: Option<Cheermote>,
    /// Present if it is a `mention`.
    #[serde(default, deserialize_with = "optional")]
    pub mention: Option<Mention>,
}

/// An emote.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Emote {
    /// Twitch's id.
    pub id: String,
    /// `static`, and `animated` if it can be.
    #[serde(default, deserialize_with = "items")]
    pub format: Vec<String>,
}

/// Bits in a text.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Cheermote {
    /// For example `cheer`.
    pub prefix: String,
    /// How many.
    pub bits: i64,
    /// The tier of its image.
    pub tier: i64,
}

/// A user in a text.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Mention {
    /// The user.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
}

/// A badge beside the author's name.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Badge {
    /// For example `subscriber`.
    pub set_id: String,
    /// Its place in the set.
    pub id: String,
    /// For example the number of months.
    #[serde(default, deserialize_with = "text")]
    pub info: Option<String>,
}

/// The bits of a message.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CheeredBits {
    /// How many.
    pub bits: i64,
}

/// The message that another one replies to.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Reply {
    /// The message's id.
    pub parent_message_id: String,
    /// Its text.
    pub parent_message_body: String,
    /// Its author.
    #[serde(flatten, with = "Parent")]
    pub parent: User,
}

/// `channel.chat.message_delete` v1: a moderator deleted a message.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatMessageDelete {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The author of the message.
    #[serde(flatten, with = "Target")]
    pub target: User,
    /// The message's id.
    pub message_id: String,
}

/// `channel.chat.clear` v1: a moderator deleted all messages.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatClear {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
}

/// `channel.chat.clear_user_messages` v1: a moderator deleted all messages of a user.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatClearUserMessages {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The author of the messages.
    #[serde(flatten, with = "Target")]
    pub target: User,
}
