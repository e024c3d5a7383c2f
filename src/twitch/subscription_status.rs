//! The status of an EventSub subscription.

use serde::{Deserialize, Serialize};
use strum::{AsRefStr, Display, EnumString};

/// A status that Twitch gives a subscription
/// ([Get EventSub Subscriptions](https://dev.twitch.tv/docs/api/reference/#get-eventsub-subscriptions)). `AsRef<str>`
/// is Twitch's word for it.
#[derive(Clone, Debug, PartialEq, Eq, AsRefStr, Display, EnumString, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SubscriptionStatus {
    /// Events are delivered.
    Enabled,
    /// Twitch is waiting for the answer to its challenge.
    WebhookCallbackVerificationPending,
    /// The callback did not answer the challenge correctly.
    WebhookCallbackVerificationFailed,
    /// Too many deliveries failed.
    NotificationFailuresExceeded,
    /// The user withdrew consent, or changed their password.
    AuthorizationRevoked,
    /// The user in the condition does not moderate the channel any more.
    ModeratorRemoved,
    /// The user in the condition does not exist any more.
    UserRemoved,
    /// The user in the condition is banned from the chat.
    ChatUserBanned,
    /// Twitch withdrew this version of the type.
    VersionRemoved,
    /// Twitch took this beta type down for a while.
    BetaMaintenance,
    /// The conduit was deleted.
    ConduitDeleted,
    /// The client closed the WebSocket.
    WebsocketDisconnected,
    /// The client did not answer a ping.
    WebsocketFailedPingPong,
    /// The client sent a message.
    WebsocketReceivedInboundTraffic,
    /// The client subscribed to nothing in time.
    WebsocketConnectionUnused,
    /// Twitch failed.
    WebsocketInternalError,
    /// Twitch could not write in time.
    WebsocketNetworkTimeout,
    /// The connection broke.
    WebsocketNetworkError,
    /// The client did not use the URL for reconnecting in time.
    WebsocketFailedToReconnect,
    /// A status that Twitch added later.
    #[strum(default, transparent)]
    #[serde(untagged)]
    Other(String),
}

impl SubscriptionStatus {
    /// Whether Twitch refuses another subscription like one of this status. Of those that ended only remains are left.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self, Self::Enabled | Self::WebhookCallbackVerificationPending)
    }
}

impl From<String> for SubscriptionStatus {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_keep_every_status() {
        for (text, status) in [
            ("enabled", SubscriptionStatus::Enabled),
            ("webhook_callback_verification_pending", SubscriptionStatus::WebhookCallbackVerificationPending),
            ("websocket_failed_ping_pong", SubscriptionStatus::WebsocketFailedPingPong),
            ("a_status_of_tomorrow", SubscriptionStatus::Other("a_status_of_tomorrow".to_owned())),
        ] {
            assert_eq!(SubscriptionStatus::from(text), status);
            assert_eq!((status.as_ref(), status.to_string().as_str()), (text, text));
            assert_eq!(serde_json::to_value(&status).unwrap(), text);
            assert_eq!(serde_json::from_value::<SubscriptionStatus>(text.into()).unwrap(), status);
        }
    }
}
