//! The ways in which EventSub delivers.

use strum::{EnumString, IntoStaticStr};

/// A [transport of EventSub](https://dev.twitch.tv/docs/eventsub/manage-subscriptions/#subscribing-to-events).
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum TransportKind {
    /// Twitch calls a public address.
    Webhook,
    /// A connection to Twitch, which needs no address.
    Websocket,
}

impl TransportKind {
    /// Its name at Twitch, in settings and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
