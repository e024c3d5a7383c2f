//! Calls that write in a chat or change it.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Applied, Call, Helix, HelixError};
use crate::twitch::id::{ChannelId, UserId};
use crate::twitch::tolerant::{optional, text};

/// A chat message to send.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct NewChatMessage<'a> {
    /// The channel.
    pub broadcaster_id: &'a ChannelId,
    /// The author.
    pub sender_id: &'a UserId,
    /// At most 500 characters.
    pub message: &'a str,
    /// The message that this one replies to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_parent_message_id: Option<&'a str>,
    /// Whether it is pinned, for 20 minutes. If it can't be, it is not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<bool>,
}

/// What became of a chat message that Twitch took.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct SentChatMessage {
    /// Its id, as `channel.chat.message` gives it; empty if it was dropped.
    #[serde(default, deserialize_with = "optional")]
    pub message_id: String,
    /// Whether it is in the chat.
    pub is_sent: bool,
    /// Why it is not. Codes are not listed, and change without notice.
    #[serde(default, deserialize_with = "optional")]
    pub drop_reason: Option<DropReason>,
}

/// Why a chat message was dropped.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct DropReason {
    /// For example `msg_rejected`.
    #[serde(default, deserialize_with = "optional")]
    pub code: String,
    /// In words.
    #[serde(default, deserialize_with = "text")]
    pub message: Option<String>,
}

/// The color of an announcement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names of colors")]
pub enum AnnouncementColor {
    Blue,
    Green,
    Orange,
    Purple,
    /// The channel's own color.
    #[default]
    Primary,
}

/// Changes to the settings of a chat; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatSettings {
    /// Only emotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emote_mode: Option<bool>,
    /// Only followers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follower_mode: Option<bool>,
    /// For how long they must have followed, in minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 129_600)]
    pub follower_mode_duration: Option<u32>,
    /// Whether messages are delayed, so that moderators can delete them before they are seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_moderator_chat_delay: Option<bool>,
    /// The delay in seconds: 2, 4 or 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_moderator_chat_delay_duration: Option<u32>,
    /// Whether a user has to wait between two messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_mode: Option<bool>,
    /// For how long, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 3, maximum = 120)]
    pub slow_mode_wait_time: Option<u32>,
    /// Only subscribers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriber_mode: Option<bool>,
    /// No text twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_chat_mode: Option<bool>,
}

impl Helix {
    /// [Sends a chat message](https://dev.twitch.tv/docs/api/reference/#send-chat-message), with a token of the sender, or the
    /// application's. An answer does not mean that it is in the chat: see [`SentChatMessage::is_sent`].
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn send_chat_message(&self, new: &NewChatMessage<'_>) -> Result<SentChatMessage, HelixError> {
        self.first(&Call::new("send the message", Method::POST, "chat/messages", vec![]).with(json!(new))).await
    }

    /// [Sends an announcement](https://dev.twitch.tv/docs/api/reference/#send-chat-announcement).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn announce(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        message: &str,
        color: AnnouncementColor,
    ) -> Result<(), HelixError> {
        let query = moderated(channel, moderator);
        let call = Call::new("send the announcement", Method::POST, "chat/announcements", query);
        self.send(&call.with(json!({ "message": message, "color": color }))).await.map(drop)
    }

    /// [Sends a whisper](https://dev.twitch.tv/docs/api/reference/#send-whisper). Twitch answers alike when it drops it.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn whisper(&self, from: &UserId, to: &UserId, message: &str) -> Result<(), HelixError> {
        let query = vec![("from_user_id", from.as_str()), ("to_user_id", to.as_str())];
        let call = Call::new("send the whisper", Method::POST, "whispers", query);
        self.send(&call.with(json!({ "message": message }))).await.map(drop)
    }

    /// [Recommends another channel](https://dev.twitch.tv/docs/api/reference/#send-a-shoutout) to the viewers of one that is
    /// live.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn shout_out(&self, (channel, moderator): (&ChannelId, &UserId), to: &UserId) -> Result<(), HelixError> {
        let query = vec![
            ("from_broadcaster_id", channel.as_str()),
            ("to_broadcaster_id", to.as_str()),
            ("moderator_id", moderator.as_str()),
        ];
        self.send(&Call::new("give the shoutout", Method::POST, "chat/shoutouts", query)).await.map(drop)
    }

    /// [Changes settings of a chat](https://dev.twitch.tv/docs/api/reference/#update-chat-settings).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn change_chat_settings(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        settings: &ChatSettings,
    ) -> Result<(), HelixError> {
        let query = moderated(channel, moderator);
        let call = Call::new("change the chat's settings", Method::PATCH, "chat/settings", query);
        self.send(&call.with(json!(settings))).await.map(drop)
    }

    /// [Pins a message](https://dev.twitch.tv/docs/api/reference/#pin-chat-message) for so many seconds; without them, until
    /// the stream ends.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn pin(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        message_id: &str,
        seconds: Option<u32>,
    ) -> Result<Applied, HelixError> {
        let seconds = seconds.map(|seconds| seconds.to_string());
        let mut query = moderated(channel, moderator);
        query.push(("message_id", message_id));
        query.extend(seconds.as_deref().map(|seconds| ("duration_seconds", seconds)));
        self.apply(&Call::new("pin the message", Method::PUT, "chat/pins", query), |_| false).await
    }

    /// [Unpins a message](https://dev.twitch.tv/docs/api/reference/#unpin-chat-message).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn unpin(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        message_id: &str,
    ) -> Result<Applied, HelixError> {
        let mut query = moderated(channel, moderator);
        query.push(("message_id", message_id));
        let call = Call::new("unpin the message", Method::DELETE, "chat/pins", query);
        self.apply(&call, |refusal| refusal.status == 404).await
    }
}

/// The parameters of every call that a moderator makes.
pub(super) fn moderated<'a>(channel: &'a ChannelId, moderator: &'a UserId) -> Vec<(&'static str, &'a str)> {
    vec![("broadcaster_id", channel.as_str()), ("moderator_id", moderator.as_str())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_says_whether_the_message_is_in_the_chat() {
        let read = |json: &str| serde_json::from_str::<SentChatMessage>(json).unwrap();
        for sent in [
            r#"{"message_id":"abc-123","is_sent":true}"#,
            r#"{"message_id":"abc-123","is_sent":true,"drop_reason":null}"#,
        ] {
            let sent = read(sent);
            assert_eq!((sent.message_id.as_str(), sent.is_sent, sent.drop_reason), ("abc-123", true, None));
        }
        let reason = r#"{"code":"msg_rejected","message":"checked by mods"}"#;
        let dropped = read(&format!(r#"{{"message_id":"","is_sent":false,"drop_reason":{reason}}}"#)).drop_reason;
        let expected = DropReason { code: "msg_rejected".to_owned(), message: Some("checked by mods".to_owned()) };
        assert_eq!(dropped, Some(expected));
        assert_eq!(read(r#"{"is_sent":false,"drop_reason":"why"}"#).drop_reason, None);
        assert!(serde_json::from_str::<SentChatMessage>(r#"{"message_id":"abc-123"}"#).is_err());
    }

    #[test]
    fn request_has_only_what_is_to_change() {
        let (channel, user) = ("7".parse().unwrap(), "8".parse().unwrap());
        let new = NewChatMessage {
            broadcaster_id: &channel,
            sender_id: &user,
            message: "hi",
            reply_parent_message_id: None,
            pin: None,
        };
        assert_eq!(json!(new), json!({ "broadcaster_id": "7", "sender_id": "8", "message": "hi" }));
        let settings = ChatSettings { slow_mode: Some(false), ..ChatSettings::default() };
        assert_eq!(json!(settings), json!({ "slow_mode": false }));
    }
}
