//! Messages of webhooks (<https://docs.discord.com/developers/resources/message#message-object>).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::body::File;
use super::guild::Member;
use super::mentions::Mentions;
use super::payload::{CROSSPOSTED, IS_COMPONENTS_V2, SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS};
use super::snowflake::Snowflake;

/// A message.
#[derive(Clone, Debug, Serialize)]
pub struct DiscordMessage {
    /// Holds the time.
    pub id: Snowflake,
    /// The channel or thread that it is in.
    pub channel_id: Snowflake,
    /// The webhook that wrote it.
    pub webhook_id: Snowflake,
    /// The name that it shows.
    pub name: String,
    /// The picture that it shows, if not the webhook's.
    pub avatar_url: Option<String>,
    /// The text.
    pub content: String,
    /// Its embeds.
    pub embeds: Vec<Value>,
    /// Its components.
    pub components: Vec<Value>,
    /// Its files.
    pub attachments: Vec<Value>,
    /// Its poll.
    pub poll: Option<Value>,
    /// Whether it is read aloud.
    pub tts: bool,
    /// Bits, as Discord has them.
    pub flags: u64,
    /// What it mentions now, after edits.
    pub mentions: Mentions,
    /// What it pinged when it was created.
    pub pings: Mentions,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last edited.
    #[serde(with = "time::serde::rfc3339::option")]
    pub edited_at: Option<OffsetDateTime>,
}

impl DiscordMessage {
    /// Whether it notified a person when it was created.
    #[must_use]
    pub fn is_notifying(&self) -> bool {
        !self.pings.is_empty() && !self.has(SUPPRESS_NOTIFICATIONS)
    }

    pub(super) fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn is_published(&self) -> bool {
        self.has(CROSSPOSTED)
    }

    /// Whether it shows nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.content.is_empty()
            && self.embeds.is_empty()
            && self.components.is_empty()
            && self.attachments.is_empty()
            && self.poll.is_none()
    }

    /// Sets the flags that an edit may set.
    pub(super) fn edit_flags(&mut self, flags: u64) {
        self.flags = self.flags & !SUPPRESS_EMBEDS | flags & (SUPPRESS_EMBEDS | IS_COMPONENTS_V2);
    }

    pub(super) fn attach(&mut self, id: Snowflake, file: &File) {
        let url = format!("https://cdn.discordapp.com/attachments/{}/{id}/{}", self.channel_id, file.name);
        self.attachments.push(json!({
            "id": id,
            "filename": file.name,
            "size": file.size,
            "content_type": file.content_type,
            "url": url,
            "proxy_url": url,
        }));
    }

    /// The message object.
    pub(super) fn shown(&self, members: &BTreeMap<Snowflake, Member>) -> Value {
        let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        let users: Vec<_> = self.mentions.users.iter().filter_map(|id| members.get(id)).collect();
        let mut shown = json!({
            "id": self.id,
            "type": 0,
            "channel_id": self.channel_id,
            "webhook_id": self.webhook_id,
            "content": self.content,
            "author": {
                "id": self.webhook_id,
                "username": self.name,
                "global_name": null,
                "avatar": null,
                "discriminator": "0000", "public_flags": 0, "flags": 0, "bot": true,
            },
            "embeds": self.embeds,
            "components": self.components,
            "attachments": self.attachments,
            "mentions": users.iter().map(|member| member.shown()).collect::<Vec<_>>(),
            "mention_roles": self.mentions.roles,
            "mention_everyone": self.mentions.everyone || self.mentions.here,
            "pinned": false,
            "tts": self.tts,
            "flags": self.flags,
            "timestamp": text(self.created_at),
            "edited_timestamp": self.edited_at.map(text),
        });
        if let Some(poll) = &self.poll {
            shown["poll"] = poll.clone();
        }
        shown
    }
}
