//! Test events: messages as from Twitch, marked as tests, signed with the server's own secret and sent to its own callback,
//! so that they take the same way as real events.

use std::net::SocketAddr;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::Clock;
use crate::simulate::answer::ExpectedAnswer;
use crate::simulate::delivery::{self, CallbackClient, DeliveryError};
use crate::simulate::people::Person;
use crate::simulate::template::{EventTemplate, TemplateError};
use crate::simulate::test_mark::test_notification;
use crate::simulate::value_type::{self, WrongType};
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::catalogue::lookup::{self, KindError};
use crate::twitch::eventsub::outgoing::{Stamp, Subscription};
use crate::twitch::signature::WebhookSecret;

/// Sends test events to the server's own callback.
#[derive(Debug)]
pub struct TestEventSender {
    client: CallbackClient,
    secret: WebhookSecret,
    clock: Clock,
}

/// Why a test event can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum TestEventError {
    /// There is no such type.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// Events of this type are not about a channel.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A change names a field that the event doesn't have.
    #[error("an event of type {kind} has no field `{field}`; it has {fields}")]
    NoSuchField {
        /// The type.
        kind: String,
        /// The unknown field.
        field: String,
        /// The fields of the event.
        fields: String,
    },
    /// A change sets a value of another type than the sample's.
    #[error("in an event of type {kind}, {error}")]
    WrongType {
        /// The type.
        kind: String,
        /// The field, and what is wrong with its value.
        error: WrongType,
    },
    /// A change makes it an event of another channel.
    #[error("`{field}` names another channel than the path")]
    AnotherChannel {
        /// The changed field.
        field: String,
    },
    /// The server's own address doesn't make a URL.
    #[error("the server's own address can't be called: {0}")]
    Address(#[from] url::ParseError),
    /// The callback gave no answer.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The callback refused it.
    #[error("the callback does not accept the test event: {0}")]
    NotTaken(String),
    /// The time can't be formatted.
    #[error("the time can't be written: {0}")]
    Clock(#[from] time::error::Format),
}

impl TestEventSender {
    /// Sends to the server that listens at this address.
    ///
    /// # Errors
    /// If this machine's TLS can't be set up.
    pub fn new(listens_at: SocketAddr, secret: WebhookSecret, clock: Clock) -> Result<Self, TestEventError> {
        let client = CallbackClient::new(delivery::own_callback(listens_at)?, &[])?;
        Ok(Self { client, secret, clock })
    }

    /// Sends an event of this type on this channel, with these fields changed. Returns the id of the message, which is then
    /// in the log.
    ///
    /// # Errors
    /// [`TestEventError`]
    pub async fn send(
        &self,
        kind: &str,
        channel: Person,
        changes: Map<String, Value>,
    ) -> Result<String, TestEventError> {
        let kind = lookup::find(kind, None)?;
        let now = self.clock.now();
        let event = event(kind, channel, changes, now)?;
        let subscription = Subscription::new(kind, &event, self.client.callback().as_str());
        let message = test_notification(Stamp::new(now.format(&Rfc3339)?), &subscription, &event);
        let answer = self.client.deliver(&message, Some(&message.sign(&self.secret))).await?;
        match ExpectedAnswer::Success.objection(&answer) {
            None => Ok(message.stamp.message_id),
            Some(objection) => Err(TestEventError::NotTaken(objection)),
        }
    }
}

fn event(
    kind: &'static SubscriptionType,
    channel: Person,
    changes: Map<String, Value>,
    now: OffsetDateTime,
) -> Result<Value, TestEventError> {
    let channel_id = channel.id.clone();
    let mut event = EventTemplate { broadcaster: Some(channel), ..EventTemplate::plain(kind) }.event(now)?;
    change(&kind.name, &mut event, changes)?;
    match kind.entity.as_deref().filter(|field| event[*field] != channel_id.as_str()) {
        Some(field) => Err(TestEventError::AnotherChannel { field: field.to_owned() }),
        None => Ok(event),
    }
}

/// Changes fields. An unknown field is an error, since it is probably mistyped.
fn change(kind: &str, event: &mut Value, changes: Map<String, Value>) -> Result<(), TestEventError> {
    for (field, value) in changes {
        match event.get_mut(&field) {
            Some(old) => {
                let checked = value_type::check(&field, &value, old);
                checked.map_err(|error| TestEventError::WrongType { kind: kind.to_owned(), error })?;
                *old = value;
            }
            None => {
                let fields = event.as_object().into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>().join(", ");
                return Err(TestEventError::NoSuchField { kind: kind.to_owned(), field, fields });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::twitch::catalogue;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn made(kind: &'static SubscriptionType, changes: Value) -> Result<Value, TestEventError> {
        let channel =
            Person { id: "77".to_owned(), login: "tester".to_owned(), display_name: "TestEventSender".to_owned() };
        let Value::Object(changes) = changes else { panic!("{changes}") };
        event(kind, channel, changes, NOW)
    }

    #[test]
    fn every_type_about_a_channel_can_be_tested() {
        let mut untestable = Vec::new();
        for name in lookup::names() {
            let Ok(kind) = lookup::find(name, None) else { continue };
            match made(kind, json!({})) {
                Ok(event) => assert!(event.to_string().contains("\"77\""), "{name}: {event}"),
                Err(TestEventError::Template(_)) => untestable.push(name),
                Err(error) => panic!("{name}: {error}"),
            }
        }
        let others = [
            "conduit.shard.disabled",
            "drop.entitlement.grant",
            "user.authorization.grant",
            "user.authorization.revoke",
        ];
        assert_eq!(untestable, [&others[..], &["user.update"]].concat());
    }

    #[test]
    fn fields_can_be_changed_but_neither_added_nor_moved_to_another_channel() {
        let cheer = catalogue::find("channel.cheer", None).unwrap();
        assert_eq!(made(cheer, json!({ "bits": 5 })).unwrap()["bits"], 5);
        let error = made(cheer, json!({ "bit": 5 })).unwrap_err().to_string();
        assert!(error.contains("has no field `bit`") && error.contains("bits"), "{error}");
        let error = made(cheer, json!({ "broadcaster_user_id": "78" })).unwrap_err();
        assert!(matches!(error, TestEventError::AnotherChannel { .. }), "{error}");
    }
}
