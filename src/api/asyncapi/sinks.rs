//! The messages of sinks, for the `AsyncAPI` document.

use serde_json::{Value, json};

use crate::view::Event;

/// The name of the channel and of its message.
const AMQP: &str = "amqp";

/// The server of the channel: the broker.
pub(super) fn server() -> Value {
    json!({ "host": "127.0.0.1:5672", "protocol": "amqp", "protocolVersion": "0.9.1", "description": "RabbitMQ" })
}

/// What a sink for RabbitMQ publishes, with the settings that it has without any.
pub(super) fn channel() -> (String, Value) {
    let channel = json!({
        "address": "twitch.{channel_id}.{type}",
        "summary": "Every event, published by a sink for RabbitMQ. Routing key and body can be templates of your own.",
        "servers": [{ "$ref": "#/servers/amqp" }],
        "parameters": {
            "channel_id": { "description": "Twitch's id of the channel; `none` for events without one", "examples": ["141981764"] },
            "type": { "description": "The subscription type; `revocation` where a subscription ended", "examples": ["channel.follow"] },
        },
        "messages": { AMQP: { "$ref": format!("#/components/messages/{AMQP}") } },
        "bindings": { "amqp": {
            "is": "routingKey",
            "exchange": { "name": "showtime", "type": "topic", "durable": true, "autoDelete": false, "vhost": "/" },
            "bindingVersion": "0.3.0",
        } },
    });
    (AMQP.to_owned(), channel)
}

/// Publishing.
pub(super) fn operation() -> (String, Value) {
    let operation = json!({
        "action": "send",
        "channel": { "$ref": format!("#/channels/{AMQP}") },
        "messages": [{ "$ref": format!("#/channels/{AMQP}/messages/{AMQP}") }],
        "bindings": { "amqp": { "deliveryMode": 2, "mandatory": true, "timestamp": true, "bindingVersion": "0.3.0" } },
    });
    (format!("publish_{AMQP}"), operation)
}

/// A message: the event as in `/live/events`, and the headers of `CloudEvents`.
pub(super) fn message() -> (String, Value) {
    let text = |meaning: &str| json!({ "type": "string", "description": meaning });
    let properties = json!({
        "cloudEvents_specversion": { "type": "string", "const": "1.0" },
        "cloudEvents_id": text("Twitch's id of the message, as in the property `message_id`: the same in every repeat"),
        "cloudEvents_source": text("`urn:twitch:channel:ID`; `urn:twitch` for events without a channel"),
        "cloudEvents_type": text("The subscription type, or `revocation`, as in the property `type`"),
        "cloudEvents_subject": text("Twitch's id of the channel"),
        "cloudEvents_time": { "type": "string", "format": "date-time", "description": "When Twitch sent it" },
        "showtime-cursor": { "type": "integer", "format": "int64", "description": "The event's place in the log" },
        "showtime-test": { "type": "integer", "description": "1 for test events, which a sink sends only if it is told to" },
    });
    let required =
        ["cloudEvents_specversion", "cloudEvents_id", "cloudEvents_source", "cloudEvents_type", "showtime-cursor"];
    let event = Event::example();
    let headers = json!({
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": event.message_id,
        "cloudEvents_source": "urn:twitch:channel:141981764",
        "cloudEvents_type": event.kind,
        "cloudEvents_subject": event.channel_id,
        "cloudEvents_time": "2026-07-01T18:16:11.464757Z",
        "showtime-cursor": event.id,
    });
    let message = json!({
        "name": AMQP,
        "summary": "An event of the log",
        "contentType": "application/json",
        "headers": { "type": "object", "required": required, "properties": properties },
        "payload": { "$ref": "#/components/schemas/Event" },
        "bindings": { "amqp": { "messageType": "channel.follow", "bindingVersion": "0.3.0" } },
        "examples": [{ "headers": headers, "payload": event }],
    });
    (AMQP.to_owned(), message)
}
