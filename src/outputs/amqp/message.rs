//! An event as a message for the broker.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use time::format_description::well_known::Rfc3339;

use crate::outputs::sink::template::{Templates, event_type};
use crate::store::read::events::LoggedEvent;

/// The delivery mode of messages that survive a restart of the broker.
const PERSISTENT: u8 = 2;

/// A message to publish.
#[derive(Debug)]
pub struct AmqpMessage {
    /// The routing key.
    pub key: ShortString,
    /// The body.
    pub body: Vec<u8>,
    /// The properties, with the headers of [CloudEvents].
    ///
    /// [CloudEvents]: https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/amqp-protocol-binding.md
    pub properties: BasicProperties,
}

impl AmqpMessage {
    /// Makes the message of an event.
    ///
    /// # Errors
    /// Why it can't be published: a template fails, or the key or the id is too long for AMQP.
    pub fn new(templates: &Templates, event: &LoggedEvent) -> Result<Self, String> {
        let key = short("routing key", templates.routing_key(event)?)?;
        let seconds = u64::try_from(event.occurred_at.unix_timestamp()).unwrap_or_default();
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(short("message id", event.message_id.clone())?)
            .with_type(short("type", event_type(event).to_owned())?)
            .with_timestamp(seconds)
            .with_app_id("showtime".into())
            .with_headers(headers(event));
        Ok(Self { key, body: templates.body(event)?, properties })
    }
}

fn short(what: &str, text: String) -> Result<ShortString, String> {
    ShortString::try_new(text).map_err(|_| format!("the {what} is longer than 255 bytes"))
}

/// Strings and integers only, which every client can read.
fn headers(event: &LoggedEvent) -> FieldTable {
    let mut headers = FieldTable::default();
    let mut text = |name: &'static str, value: &str| {
        headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
    };
    text("cloudEvents_specversion", "1.0");
    text("cloudEvents_id", &event.message_id);
    text("cloudEvents_type", event_type(event));
    match &event.channel_id {
        Some(id) => {
            text("cloudEvents_source", &format!("urn:twitch:channel:{id}"));
            text("cloudEvents_subject", id.as_str());
        }
        None => text("cloudEvents_source", "urn:twitch"),
    }
    if let Ok(time) = event.occurred_at.format(&Rfc3339) {
        text("cloudEvents_time", &time);
    }
    headers.insert("showtime-cursor".into(), AMQPValue::LongLongInt(event.id.0));
    if event.is_test {
        headers.insert("showtime-test".into(), AMQPValue::LongInt(1));
    }
    headers
}
