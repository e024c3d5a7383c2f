//! Messages as [Discord takes them](https://docs.discord.com/developers/resources/webhook#execute-webhook), and its answers.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::snowflake::Snowflake;

/// The flag of a message that makes no sound on devices.
const SUPPRESS_NOTIFICATIONS: u32 = 1 << 12;

/// The longest title of an embed, in characters.
pub const MAX_TITLE: usize = 256;

/// The longest value of a field of an embed, and the longest name of its author.
pub const MAX_FIELD: usize = 1_024;

/// The longest name of a thread, in characters.
pub const MAX_THREAD_NAME: usize = 100;

/// A message to post, or what an edit makes of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Message {
    /// At most 2,000 characters.
    pub content: String,
    /// At most ten.
    pub embeds: Vec<Embed>,
    /// Without it, an edit would mention by the defaults.
    pub allowed_mentions: AllowedMentions,
    /// Posts only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<u32>,
    /// The name of the thread that it begins, in a forum. Posts only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_name: Option<String>,
    /// The tags of this thread.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applied_tags: Vec<Snowflake>,
}

impl Message {
    /// The same, without a notification on devices.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { flags: Some(SUPPRESS_NOTIFICATIONS), ..self }
    }
}

/// Who may be mentioned: by default, no one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AllowedMentions {
    /// Kinds of mentions that count wherever the text has them.
    pub parse: Vec<&'static str>,
    /// Roles that may be mentioned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Snowflake>,
    /// Users that may be mentioned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Snowflake>,
}

/// A card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Embed {
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub url: String,
    pub color: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
    pub author: Author,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// The line above the title of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Author {
    pub name: String,
    pub url: String,
}

/// A field of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Field {
    pub name: &'static str,
    pub value: String,
    pub inline: bool,
}

/// A webhook, as Discord shows it to those who have its token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: Snowflake,
    /// 1 for those that post messages.
    #[serde(rename = "type")]
    pub kind: u32,
    /// The channel that it posts to.
    pub channel_id: Snowflake,
    /// The server of the channel.
    #[serde(default)]
    pub guild_id: Option<Snowflake>,
    /// The application that made it.
    #[serde(default)]
    pub application_id: Option<Snowflake>,
}

/// A message that was posted or edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Posted {
    /// Its id.
    pub id: Snowflake,
    /// Where it is.
    pub channel_id: Snowflake,
}
