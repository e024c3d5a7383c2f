//! Messages that come over IRC: what was written in a chat, and who came and left.

use serde_json::json;
use time::OffsetDateTime;

use super::content::IRC;
use super::{Message, MessageType};
use crate::clock::to_microseconds;
use crate::twitch::eventsub::webhook::MAX_AGE;
use crate::twitch::id::ChannelId;
use crate::twitch::irc::{ChatLine, Login};

/// The type of a chat message, as with EventSub.
pub const CHAT_MESSAGE: &str = "channel.chat.message";

/// The type of a change of who is in a chat.
pub const PRESENCE: &str = "showtime.chat.presence";

/// A channel whose chat is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatChannel {
    /// Twitch's id.
    pub id: ChannelId,
    /// Lower-case ASCII.
    pub login: String,
    /// As shown.
    pub display_name: String,
}

/// Why a chat message is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// It is too old, or Twitch's clock is far ahead.
    #[error("the message is dated {0} seconds away from this server's clock, and at most 600 are allowed")]
    Stale(i64),
    /// It is about another channel than the one of this name.
    #[error("the message is of the channel {0}, which does not have this name")]
    OtherChannel(String),
    /// It can't be read back.
    #[error("the message can't be read back: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Message {
    /// A chat message that came over the connection of this login. Its id follows from Twitch's id of the message, so a
    /// message that comes over two connections is one.
    ///
    /// # Errors
    /// [`ChatError`]
    pub fn from_irc(
        _login: &Login,
        line: &ChatLine,
        channel: &ChatChannel,
        now: OffsetDateTime,
    ) -> Result<Box<Self>, ChatError> {
        let age = now - line.sent_at;
        if age.abs() > MAX_AGE {
            return Err(ChatError::Stale(age.whole_seconds()));
        }
        if line.channel_id != channel.id {
            return Err(ChatError::OtherChannel(line.channel_id.to_string()));
        }
        let subject = json!({ "type": CHAT_MESSAGE, "version": "1", "channel_id": line.channel_id });
        let body = json!({ IRC: subject, "event": line.event(&channel.display_name) });
        Ok(Self::own(MessageType::Irc, format!("irc:{}", line.id), to_microseconds(line.sent_at), &body)?)
    }

    /// The users, by login, who came into a chat and who left it until this time.
    ///
    /// # Errors
    /// Never, unless it can't be read back.
    pub fn presence(
        _login: &Login,
        channel: &ChatChannel,
        joined: &[String],
        left: &[String],
        at: OffsetDateTime,
    ) -> Result<Box<Self>, serde_json::Error> {
        let event = json!({
            "broadcaster_user_id": channel.id,
            "broadcaster_user_login": channel.login,
            "broadcaster_user_name": channel.display_name,
            "joined": joined,
            "left": left,
        });
        let body = json!({ IRC: { "type": PRESENCE, "version": "1", "channel_id": channel.id }, "event": event });
        let id = format!("irc:presence:{}:{}", channel.id, at.unix_timestamp_nanos() / 1_000);
        Self::own(MessageType::Irc, id, to_microseconds(at), &body)
    }
}
