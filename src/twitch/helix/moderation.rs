//! Calls that a moderator makes against messages and users.

use reqwest::Method;
use serde_json::json;

use super::chat::moderated;
use super::{Applied, Call, Helix, HelixError, Refusal};
use crate::twitch::id::{ChannelId, UserId};

impl Helix {
    /// [Deletes a message](https://dev.twitch.tv/docs/api/reference/#delete-chat-messages); without its id, all messages of
    /// the chat. One that is unknown or older than six hours counts as deleted.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn delete_chat_messages(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        message_id: Option<&str>,
    ) -> Result<Applied, HelixError> {
        let mut query = moderated(channel, moderator);
        query.extend(message_id.map(|id| ("message_id", id)));
        let name = if message_id.is_some() { "delete the message" } else { "clear the chat" };
        self.apply(&Call::new(name, Method::DELETE, "moderation/chat", query), |refusal| refusal.status == 404).await
    }

    /// [Bans a user](https://dev.twitch.tv/docs/api/reference/#ban-user), or for so many seconds.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn ban(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        user: &UserId,
        seconds: Option<u32>,
        reason: Option<&str>,
    ) -> Result<Applied, HelixError> {
        let mut ban = json!({ "user_id": user, "reason": reason.unwrap_or_default() });
        if let Some(seconds) = seconds {
            ban["duration"] = seconds.into();
        }
        let name = if seconds.is_some() { "time the user out" } else { "ban the user" };
        let call = Call::new(name, Method::POST, "moderation/bans", moderated(channel, moderator));
        // The status is that of a wrong parameter, too: only the text says that nothing is wrong.
        let is_already = |refusal: &Refusal| refusal.status == 400 && refusal.message.contains("already banned");
        self.apply(&call.with(json!({ "data": ban })), is_already).await
    }

    /// [Ends a ban or a timeout](https://dev.twitch.tv/docs/api/reference/#unban-user).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn unban(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        user: &UserId,
    ) -> Result<Applied, HelixError> {
        let mut query = moderated(channel, moderator);
        query.push(("user_id", user.as_str()));
        let call = Call::new("unban the user", Method::DELETE, "moderation/bans", query);
        self.apply(&call, |refusal| refusal.status == 400 && refusal.message.contains("not banned")).await
    }

    /// [Warns a user](https://dev.twitch.tv/docs/api/reference/#warn-chat-user), who can't write until the warning is
    /// acknowledged.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn warn(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        user: &UserId,
        reason: &str,
    ) -> Result<(), HelixError> {
        let call = Call::new("warn the user", Method::POST, "moderation/warnings", moderated(channel, moderator));
        self.send(&call.with(json!({ "data": { "user_id": user, "reason": reason } }))).await.map(drop)
    }

    /// [Switches the shield mode](https://dev.twitch.tv/docs/api/reference/#update-shield-mode-status).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn set_shield_mode(
        &self,
        (channel, moderator): (&ChannelId, &UserId),
        is_active: bool,
    ) -> Result<(), HelixError> {
        let call =
            Call::new("switch the shield mode", Method::PUT, "moderation/shield_mode", moderated(channel, moderator));
        self.send(&call.with(json!({ "is_active": is_active }))).await.map(drop)
    }
}
