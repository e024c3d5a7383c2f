//! Messages as from Twitch, all about one channel.

use bytes::Bytes;
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::message::{Incoming, Message};
use showtime::twitch::catalogue;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use showtime::twitch::eventsub::parse_timestamp;
use showtime::twitch::eventsub::webhook::{Headers, Verified};
use showtime::twitch::signature::Verifier;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::server::secret;

/// The channel of all these messages.
pub(crate) const CHANNEL: &str = "90210441";

thread_local! {
    /// Start of the test: each test has its own thread, so `at` returns the same times throughout a test.
    static BEGAN: OffsetDateTime = Clock::default().now().replace_nanosecond(0).unwrap();
}

/// Five minutes before the test began, plus some seconds: the server only accepts messages of the last ten minutes.
pub(crate) fn at(seconds: i64) -> OffsetDateTime {
    BEGAN.with(|began| *began - Duration::minutes(5) + Duration::seconds(seconds))
}

pub(crate) fn online(stream: &str, at: OffsetDateTime) -> Outgoing {
    notification("stream.online", at, json!({ "id": stream, "type": "live", "started_at": text(at) }))
}

pub(crate) fn offline(stream: Option<&str>, at: OffsetDateTime) -> Outgoing {
    notification("stream.offline", at, stream.map_or(json!({}), |stream| json!({ "id": stream })))
}

pub(crate) fn follow(user: &str, at: OffsetDateTime) -> Outgoing {
    notification("channel.follow", at, with_user(user, json!({ "followed_at": text(at) })))
}

pub(crate) fn cheer(user: &str, bits: u32, at: OffsetDateTime) -> Outgoing {
    let event = json!({ "is_anonymous": false, "message": "hi", "bits": bits });
    notification("channel.cheer", at, with_user(user, event))
}

/// A message of any type; the broadcaster is added to the event.
pub(crate) fn notification(kind: &str, at: OffsetDateTime, event: Value) -> Outgoing {
    let event = with_person("broadcaster_user_", CHANNEL, event);
    Outgoing::notification(Stamp::new(text(at)), &subscription(kind, &event), &event)
}

/// The subscription of an event.
pub(crate) fn subscription(kind: &str, event: &Value) -> Subscription {
    let kind = catalogue::find(kind, None).unwrap_or_else(|| panic!("no type {kind}"));
    Subscription::new(kind, event, "https://hooks.example.org/callback")
}

/// Adds a viewer to an event.
pub(crate) fn with_user(user: &str, event: Value) -> Value {
    with_person("user_", user, event)
}

/// Adds the three fields that name a user.
pub(crate) fn with_person(prefix: &str, id: &str, mut event: Value) -> Value {
    event[format!("{prefix}id")] = id.into();
    event[format!("{prefix}login")] = format!("user{id}").into();
    event[format!("{prefix}name")] = format!("User{id}").into();
    event
}

pub(crate) fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

/// The message after verification, received at the time that it was sent.
pub(crate) fn verified(message: &Outgoing) -> Box<Message> {
    let signature = message.sign(&secret());
    let headers = Headers {
        message_id: &message.stamp.message_id,
        message_type: message.message_type,
        timestamp: &message.stamp.timestamp,
        signature: &signature,
        subscription_type: None,
        subscription_version: None,
    };
    let at = parse_timestamp(&message.stamp.timestamp).unwrap();
    let body = Bytes::from(message.body.clone());
    let verified = Verified::new(headers, at, body, &Verifier::new([&secret()]), at).unwrap();
    match Message::from_webhook(&verified).unwrap() {
        Incoming::Message(message) => message,
        Incoming::Challenge(_) => panic!("a challenge is not a message"),
    }
}
