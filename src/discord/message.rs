//! Messages as [Discord takes them](https://docs.discord.com/developers/resources/webhook#execute-webhook), and its answers.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::snowflake::Snowflake;

/// The flag of a message that makes no sound on devices.
const SUPPRESS_NOTIFICATIONS: u32 = 1 << 12;

/// The longest text of a message, in characters.
pub const MAX_CONTENT: usize = 2_000;

/// The longest title of an embed.
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
    /// Rows of buttons.
    pub components: Vec<Row>,
    /// The name and the picture that it shows in place of the webhook's. Posts only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
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

    /// What an edit makes of it: an edit notifies no one, and must not, and changes neither name nor picture.
    #[must_use]
    pub fn edit(self) -> Self {
        Self { content: self.content, embeds: self.embeds, components: self.components, ..Self::default() }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Image>,
}

/// A picture of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Image {
    pub url: String,
}

/// A row of buttons.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    #[serde(rename = "type")]
    kind: u8,
    components: [Button; 1],
}

/// A button that opens an address.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Button {
    #[serde(rename = "type")]
    kind: u8,
    style: u8,
    label: String,
    url: String,
}

impl Row {
    /// A row with one [button](https://docs.discord.com/developers/components/reference#button) that opens an address.
    #[must_use]
    pub fn link(label: String, url: String) -> Self {
        Self { kind: 1, components: [Button { kind: 2, style: 5, label, url }] }
    }
}

/// The line above the title of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Author {
    pub name: String,
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
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
