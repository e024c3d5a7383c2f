//! What a server has: channels, webhooks, roles and members.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::snowflake::Snowflake;

/// A kind of channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A text channel.
    #[default]
    Text,
    /// A channel whose messages can be published to followers.
    Announcement,
    /// A channel of threads.
    Forum,
    /// A forum of pictures.
    Media,
    /// A thread of a channel.
    Thread,
}

impl ChannelKind {
    /// Whether each message belongs to a thread.
    pub(super) fn is_forum(self) -> bool {
        matches!(self, Self::Forum | Self::Media)
    }
}

/// A tag of a forum.
#[derive(Clone, Debug, Serialize)]
pub struct Tag {
    /// Its id.
    pub id: Snowflake,
    /// Its name.
    pub name: String,
}

/// A channel or a thread.
#[derive(Clone, Debug, Serialize)]
pub struct Channel {
    /// Its id; the thread of a forum has that of its first message.
    pub id: Snowflake,
    /// The server that it is in.
    pub guild_id: Snowflake,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ChannelKind,
    /// A thread's channel.
    pub parent_id: Option<Snowflake>,
    /// Whether the thread is archived.
    pub is_archived: bool,
    /// Whether the thread is locked.
    pub is_locked: bool,
    /// A forum's tags.
    pub tags: Vec<Tag>,
    /// Whether each thread of the forum must have a tag.
    pub requires_tag: bool,
    /// A thread's tags.
    pub applied_tags: Vec<Snowflake>,
}

/// A webhook of a channel.
#[derive(Clone, Serialize)]
pub struct Webhook {
    /// Its id.
    pub id: Snowflake,
    /// The secret in its URL.
    pub token: String,
    /// The channel that it posts to.
    pub channel_id: Snowflake,
    /// The server that it is in.
    pub guild_id: Snowflake,
    /// The name that its messages show.
    pub name: String,
    /// The hash of its picture.
    pub avatar: Option<String>,
    /// The application that made it.
    pub application_id: Option<Snowflake>,
    /// Whether it has the permission to mention everyone and all roles.
    pub may_mention_everyone: bool,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).field("channel_id", &self.channel_id).finish_non_exhaustive()
    }
}

impl Webhook {
    /// The webhook object (<https://docs.discord.com/developers/resources/webhook#webhook-object>).
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "type": if self.application_id.is_some() { 3 } else { 1 },
            "guild_id": self.guild_id,
            "channel_id": self.channel_id,
            "name": self.name,
            "avatar": self.avatar,
            "token": self.token,
            "application_id": self.application_id,
        })
    }
}

/// A role of the servers.
#[derive(Clone, Debug, Serialize)]
pub struct DiscordRole {
    /// Its id.
    pub id: Snowflake,
    /// Its name.
    pub name: String,
    /// Whether everyone may mention it.
    pub mentionable: bool,
}

/// A user.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// Its id.
    pub id: Snowflake,
    /// Its name.
    pub username: String,
}

impl Member {
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id, "username": self.username, "global_name": null, "avatar": null, "discriminator": "0",
            "public_flags": 0,
        })
    }
}
