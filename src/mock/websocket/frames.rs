//! The frames' texts
//! (<https://dev.twitch.tv/docs/eventsub/websocket-reference/>).

use bytestring::ByteString;
use serde_json::{Value, json};

use super::Session;
use crate::mock::state::rfc3339;
use crate::twitch::eventsub::outgoing::{Outgoing, Stamp};

/// The first frame of a socket.
pub(super) fn welcome(stamp: &Stamp, id: &str, session: &Session) -> ByteString {
    let details = json!({
        "id": id,
        "status": "connected",
        "connected_at": rfc3339(session.connected_at),
        "keepalive_timeout_seconds": session.keepalive.as_secs(),
        "reconnect_url": null,
        "recovery_url": null,
    });
    of_session("session_welcome", stamp, &json!({ "session": details }))
}

/// Asks the client to connect to `url`.
pub(super) fn reconnect(stamp: &Stamp, id: &str, session: &Session, url: &str) -> ByteString {
    let details = json!({
        "id": id,
        "status": "reconnecting",
        "connected_at": rfc3339(session.connected_at),
        "keepalive_timeout_seconds": null,
        "reconnect_url": url,
    });
    of_session("session_reconnect", stamp, &json!({ "session": details }))
}

/// Sent when nothing else was sent for a while.
pub(super) fn keepalive(stamp: &Stamp) -> ByteString {
    of_session("session_keepalive", stamp, &json!({}))
}

/// A notification or a revocation. Its payload is what a webhook's body would be.
pub(super) fn message(message: &Outgoing) -> ByteString {
    let (kind, version) = message.subscription.as_ref().map_or(("", ""), |(kind, version)| (kind, version));
    let metadata = json!({
        "message_id": message.stamp.message_id,
        "message_type": message.message_type,
        "message_timestamp": message.stamp.timestamp,
        "subscription_type": kind,
        "subscription_version": version,
    });
    let payload = String::from_utf8_lossy(&message.body);
    ByteString::from(format!(r#"{{"metadata":{metadata},"payload":{payload}}}"#))
}

/// A frame of a type that Twitch does not have.
pub(super) fn unknown(stamp: &Stamp) -> ByteString {
    of_session("session_weather", stamp, &json!({ "weather": "fine" }))
}

/// A frame of this many bytes or more.
pub(super) fn oversize(stamp: &Stamp, size: usize) -> ByteString {
    of_session("notification", stamp, &json!({ "padding": "x".repeat(size) }))
}

fn of_session(kind: &str, stamp: &Stamp, payload: &Value) -> ByteString {
    let metadata = json!({
        "message_id": stamp.message_id,
        "message_type": kind,
        "message_timestamp": stamp.timestamp,
    });
    ByteString::from(format!(r#"{{"metadata":{metadata},"payload":{payload}}}"#))
}
