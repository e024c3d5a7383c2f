//! The `AsyncAPI` 3.0 document of the live feeds and of what sinks publish. `OpenAPI` describes requests and responses, not
//! the messages of a stream.

mod sinks;

use serde_json::{Map, Value, json};
use strum::IntoEnumIterator as _;
use time::macros::datetime;

use crate::api::live::data::{HeartbeatData, Snapshot};
use crate::api::overlays::AlertState;
use crate::api::schemas::collect;
use crate::outputs::live::control::OverlayVersions;
use crate::outputs::live::feed::Feed;
use crate::outputs::live::reader::Resync;
use crate::store::LogId;
use crate::store::overlays::SettingsVersion;
use crate::view::alert::{AlertKind, Follow};
use crate::view::chat::{Badge, ChatEvent, ChatMessage, ChatMessageDeleted, ChatMessagesCleared, Fragment};
use crate::view::{Alert, Channel, Event, Person};

/// The messages that every feed sends beside its own.
const COMMON: [&str; 2] = ["resync", "heartbeat"];

/// A message of a feed: its name, the schema of its data, a sentence, and an example of its data.
pub(super) struct Message {
    pub(super) name: &'static str,
    pub(super) schema: &'static str,
    summary: &'static str,
    example: Value,
}

/// The document, as JSON. It shares its schemas with the `OpenAPI` document.
#[must_use]
pub fn live_spec() -> Value {
    let openapi = serde_json::to_value(crate::api::spec()).unwrap_or_default();
    let messages = messages();
    let mut schemas = Map::new();
    for message in &messages {
        let payload = message.describe().1;
        collect(&openapi["components"]["schemas"], &payload, &mut schemas);
    }
    // In `AsyncAPI` it is another thing.
    for schema in schemas.values_mut().filter_map(Value::as_object_mut) {
        schema.remove("discriminator");
    }
    let operation = |feed: Feed| {
        let name = feed.name();
        let reference = |message: &&str| json!({ "$ref": format!("#/channels/{name}/messages/{message}") });
        let messages: Vec<Value> = feed.messages().iter().chain(&COMMON).map(reference).collect();
        let channel = json!({ "$ref": format!("#/channels/{name}") });
        (format!("tell_{name}"), json!({ "action": "send", "channel": channel, "messages": messages }))
    };
    let servers = [
        ("websocket", json!({ "host": "127.0.0.1:5001", "protocol": "ws" })),
        ("sse", json!({ "host": "127.0.0.1:5001", "protocol": "http", "description": "Server-Sent Events" })),
    ];
    let servers: Map<_, _> =
        servers.map(|(name, server)| (name.to_owned(), server)).into_iter().chain(sinks::servers()).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "showtime: live feeds and sinks",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The messages of `GET /live/…`. Over a WebSocket, each message is a text frame with the payload \
                described here. In Server-Sent Events, `id`, `event` and `data` are the fields of an event. \
                The channels `amqp` and `webhook` are what sinks send. \
                `showtime.yaml` beside this file describes the requests.",
            "license": { "name": "MIT" },
        },
        "defaultContentType": "application/json",
        "servers": servers,
        "channels": Feed::iter().map(channel).chain(sinks::channels()).collect::<Map<_, _>>(),
        "operations": Feed::iter().map(operation).chain([receive_reports()]).chain(sinks::operations()).collect::<Map<_, _>>(),
        "components": {
            "messages": messages.iter().map(Message::describe).chain([report()]).chain(sinks::messages()).collect::<Map<_, _>>(),
            "schemas": schemas,
        },
    })
}

fn channel(feed: Feed) -> (String, Value) {
    let (name, summary) = (feed.name(), feed.summary());
    let message = |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/messages/{name}") }));
    let received: &[&str] = if feed == Feed::Alerts { &[REPORT] } else { &[] };
    let messages: Map<_, _> = feed.messages().iter().chain(&COMMON).chain(received).map(message).collect();
    let servers = json!([{ "$ref": "#/servers/websocket" }, { "$ref": "#/servers/sse" }]);
    let address = format!("/live/{name}");
    (name.to_owned(), json!({ "address": address, "summary": summary, "servers": servers, "messages": messages }))
}

/// What overlays send.
const REPORT: &str = "report";

fn report() -> (String, Value) {
    let waiting = json!({ "type": "integer", "minimum": 0, "description": "How many alerts wait for their turn" });
    let message = json!({
        "name": REPORT,
        "summary": "How many alerts wait in an overlay; over a WebSocket with `overlay=true` only. `GET /overlays/alerts` shows it",
        "payload": { "type": "object", "required": ["waiting"], "properties": { "waiting": waiting } },
        "examples": [{ "payload": { "waiting": 3 } }],
    });
    (REPORT.to_owned(), message)
}

fn receive_reports() -> (String, Value) {
    let operation = json!({
        "action": "receive",
        "channel": { "$ref": "#/channels/alerts" },
        "messages": [{ "$ref": format!("#/channels/alerts/messages/{REPORT}") }],
    });
    ("receive_reports".to_owned(), operation)
}

impl Message {
    fn new<T: serde::Serialize>(name: &'static str, schema: &'static str, summary: &'static str, example: T) -> Self {
        let example = serde_json::to_value(example).unwrap_or_default();
        Self { name, schema, summary, example }
    }

    fn describe(&self) -> (String, Value) {
        let Self { name, schema, summary, example } = self;
        let payload = json!({
            "type": "object",
            "required": ["event", "data"],
            "properties": {
                "id": { "type": "integer", "format": "int64", "description": "The cursor to resume with" },
                "event": { "const": name },
                "data": { "$ref": format!("#/components/schemas/{schema}") },
            },
        });
        let example = json!({ "payload": { "id": 1042, "event": name, "data": example } });
        ((*name).to_owned(), json!({ "name": name, "summary": summary, "payload": payload, "examples": [example] }))
    }
}

/// An example of the data of the message with this name.
pub(super) fn example(name: &str) -> Value {
    messages().into_iter().find(|message| message.name == name).map(|message| message.example).unwrap_or_default()
}

/// The messages of all feeds.
pub(super) fn messages() -> Vec<Message> {
    let viewer = person("90790024", "a_viewer", "A_Viewer");
    let text = Fragment { kind: "text".into(), text: "hello".into(), emote: None, cheermote: None, mention: None };
    let message = ChatMessage {
        event: chat_event(),
        message_id: "0a6d9d38-9a3f-4c9c-8a4f-5f0f6c3e1d21".into(),
        user: Some(viewer.clone()),
        color: Some("#1E90FF".into()),
        badges: vec![Badge { set_id: "subscriber".into(), id: "6".into(), info: Some("8".into()) }],
        text: "hello".into(),
        fragments: vec![text],
        is_action: false,
        message_type: Some("text".into()),
        notice: None,
        bits: None,
        reply: None,
        source_channel: None,
        source_message_id: None,
    };
    let deleted =
        ChatMessageDeleted { event: chat_event(), message_id: message.message_id.clone(), user: viewer.clone() };
    let resync = Resync {
        reason: "the log no longer has the events behind this id",
        oldest: Some(LogId(900)),
        newest: Some(LogId(1042)),
    };
    vec![
        Message::new("event", "Event", "An event of the log", Event::example()),
        Message::new("alert", "Alert", "An alert", alert(AlertKind::Follow(Follow { user: viewer.clone() }))),
        Message::new(
            "control",
            "AlertControls",
            "What an overlay does with alerts; with `overlay=true` only, at once and with each change. It has no id",
            AlertState::example().controls,
        ),
        Message::new(
            "settings",
            "OverlayVersions",
            "When saved settings of overlays were changed; with `overlay=true` only, at once and with each change. It has no id",
            OverlayVersions {
                settings: vec![SettingsVersion { name: "main".into(), changed_at: datetime!(2026-07-01 18:00:00 UTC) }],
            },
        ),
        Message::new("snapshot", "Snapshot", "The channels as they are", Snapshot::example()),
        Message::new("channel", "Channel", "A channel as it is now", Channel::example()),
        Message::new("message", "ChatMessage", "A message was written", message),
        Message::new("message_deleted", "ChatMessageDeleted", "A message was deleted", deleted),
        Message::new(
            "messages_cleared",
            "ChatMessagesCleared",
            "All messages were deleted, or all of a user",
            ChatMessagesCleared { event: chat_event(), user: Some(viewer) },
        ),
        Message::new("resync", "Resync", "The log does not continue at the cursor: discard what you have", resync),
        Message::new(
            "heartbeat",
            "HeartbeatData",
            "The connection is alive, and you have everything up to `id`; over a WebSocket with the subprotocol \
                `showtime.heartbeat` only",
            HeartbeatData::example(),
        ),
    ]
}

fn person(id: &str, login: &str, display_name: &str) -> Person {
    Person { id: id.to_owned(), login: login.to_owned(), display_name: display_name.to_owned() }
}

fn chat_event() -> ChatEvent {
    ChatEvent {
        id: LogId(1042),
        channel: person("141981764", "twitchdev", "TwitchDev"),
        occurred_at: datetime!(2026-07-01 18:16:11.464757 UTC),
        is_test: false,
        is_replay: false,
        repeats: None,
    }
}

fn alert(kind: AlertKind) -> Alert {
    let ChatEvent { id, channel, occurred_at, is_test, is_replay, repeats } = chat_event();
    let text = "A_Viewer followed".to_owned();
    Alert { id, channel, occurred_at, is_test, is_replay, repeats, text, kind }
}
