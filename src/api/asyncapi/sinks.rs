//! The messages of sinks, for the `AsyncAPI` document: with the settings that a sink has without any.

use serde_json::{Value, json};

use crate::view::Event;

/// A named part of the document.
type Entry = (String, Value);

/// The servers that sinks send to.
pub(super) fn servers() -> [Entry; 2] {
    let broker =
        json!({ "host": "127.0.0.1:5672", "protocol": "amqp", "protocolVersion": "0.9.1", "description": "RabbitMQ" });
    let receiver = json!({ "host": "hooks.example.com", "protocol": "https", "description": "A receiver of yours" });
    [("amqp".to_owned(), broker), ("webhook".to_owned(), receiver)]
}

/// What they are sent through.
pub(super) fn channels() -> [Entry; 2] {
    let amqp = json!({
        "address": "twitch.{channel_id}.{type}",
        "summary": "Every event, published by a sink for RabbitMQ. Routing key and body can be templates of your own.",
        "servers": [{ "$ref": "#/servers/amqp" }],
        "parameters": {
            "channel_id": { "description": "Twitch's id of the channel; `none` for events without one", "examples": ["141981764"] },
            "type": { "description": "The subscription type; `revocation` where a subscription ended", "examples": ["channel.follow"] },
        },
        "messages": { "amqp": { "$ref": "#/components/messages/amqp" } },
        "bindings": { "amqp": {
            "is": "routingKey",
            "exchange": { "name": "showtime", "type": "topic", "durable": true, "autoDelete": false, "vhost": "/" },
            "bindingVersion": "0.3.0",
        } },
    });
    let webhook = json!({
        "address": null,
        "summary": "Every event, sent by a signed webhook to the URL of the sink. The body can be a template of your own.",
        "servers": [{ "$ref": "#/servers/webhook" }],
        "messages": { "webhook": { "$ref": "#/components/messages/webhook" } },
    });
    [("amqp".to_owned(), amqp), ("webhook".to_owned(), webhook)]
}

/// Publishing and sending.
pub(super) fn operations() -> [Entry; 2] {
    let operation = |name: &str, bindings: Value| {
        json!({
            "action": "send",
            "channel": { "$ref": format!("#/channels/{name}") },
            "messages": [{ "$ref": format!("#/channels/{name}/messages/{name}") }],
            "bindings": { if name == "amqp" { "amqp" } else { "http" }: bindings },
        })
    };
    let amqp = json!({ "deliveryMode": 2, "mandatory": true, "timestamp": true, "bindingVersion": "0.3.0" });
    let webhook = json!({ "method": "POST", "bindingVersion": "0.3.0" });
    [("publish_amqp".to_owned(), operation("amqp", amqp)), ("post_webhook".to_owned(), operation("webhook", webhook))]
}

/// The event as in `/live/events`, with the headers of each kind of sink.
pub(super) fn messages() -> [Entry; 2] {
    [amqp(), webhook()]
}

fn amqp() -> Entry {
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
    let example = json!({
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": event.message_id,
        "cloudEvents_source": "urn:twitch:channel:141981764",
        "cloudEvents_type": event.kind,
        "cloudEvents_subject": event.channel_id,
        "cloudEvents_time": "2026-07-01T18:16:11.464757Z",
        "showtime-cursor": event.id,
    });
    let bindings = json!({ "amqp": { "messageType": "channel.follow", "bindingVersion": "0.3.0" } });
    message("amqp", (&json!(required), &properties, &example), &bindings)
}

fn webhook() -> Entry {
    let text = |meaning: &str| json!({ "type": "string", "description": meaning });
    let properties = json!({
        "webhook-id": text("Twitch's id of the message, the same in every attempt"),
        "webhook-timestamp": text("When this attempt was made, in seconds since 1970"),
        "webhook-signature": text("`v1,` and the HMAC in base64; two of them with a space between while a key is rotated"),
        "showtime-test": text("1 for test events, which a sink sends only if it is told to"),
    });
    let required = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let example = json!({
        "webhook-id": Event::example().message_id,
        "webhook-timestamp": "1782929771",
        "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    });
    message("webhook", (&json!(required), &properties, &example), &json!({ "http": { "bindingVersion": "0.3.0" } }))
}

/// A message; the headers are those that are required, their schemas, and an example.
fn message(name: &str, (required, properties, example): (&Value, &Value, &Value), bindings: &Value) -> Entry {
    let message = json!({
        "name": name,
        "summary": "An event of the log",
        "contentType": "application/json",
        "headers": { "type": "object", "required": required, "properties": properties },
        "payload": { "$ref": "#/components/schemas/Event" },
        "bindings": bindings,
        "examples": [{ "headers": example, "payload": Event::example() }],
    });
    (name.to_owned(), message)
}
