//! The event of test messages.

use sqlx::types::Json;
use uuid::Uuid;

use crate::store::LogId;
use crate::store::read::events::LoggedEvent;
use crate::view::Event;

/// A made-up follow, which is marked as a test.
#[must_use]
pub fn example() -> LoggedEvent {
    let event = Event::example();
    LoggedEvent {
        id: LogId::START,
        message_id: Uuid::new_v4().to_string(),
        message_type: event.message_type,
        kind: event.kind,
        version: event.version,
        channel_id: event.channel_id.and_then(|id| id.try_into().ok()),
        subscription_id: event.subscription_id,
        occurred_at: event.occurred_at,
        received_at: event.received_at,
        is_test: true,
        payload: Json(event.payload),
        channel_login: Some("twitchdev".to_owned()),
        channel_name: Some("TwitchDev".to_owned()),
        repeats: None,
        repeated_on: None,
        is_echo: false,
    }
}
