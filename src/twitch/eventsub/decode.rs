//! Reads the bodies of
//! [EventSub messages](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#processing-an-event).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::twitch::id::EventType;
use crate::twitch::payload::Ident;
use crate::twitch::tolerant::{optional, time, version};

/// The deepest nesting of arrays and objects that is accepted. Postgres parses JSON recursively;
/// what Twitch sends is about six deep.
const MAX_DEPTH: usize = 128;

/// The message type of a challenge.
pub const VERIFICATION: &str = "webhook_callback_verification";

/// A message, by its type.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// Twitch asks whether the callback wants the subscription: the text to answer with.
    Challenge(String),
    /// Something happened.
    Notification(Envelope<'a>),
    /// A subscription ended; its status says why.
    Revocation(Envelope<'a>),
    /// A message type that this version does not know.
    Other(Envelope<'a>),
}

/// The top level of a body.
#[derive(Debug, Default)]
pub struct Envelope<'a> {
    /// The subscription that the message came through, if it can be read.
    pub subscription: Option<Subscription>,
    /// What happened.
    pub event: Option<&'a RawValue>,
    /// What happened, if the subscription's type is batched.
    pub events: Option<&'a RawValue>,
    challenge: Option<&'a RawValue>,
    /// Fields that EventSub does not define.
    other: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// The `subscription` of a body. Required is what files a message.
#[derive(Clone, Debug, Deserialize)]
pub struct Subscription {
    /// Twitch's id for it.
    pub id: Ident,
    /// For example `enabled`; in a revocation
    /// [the reason](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#revoking-your-subscription).
    #[serde(default, deserialize_with = "optional")]
    pub status: Option<Ident>,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// For example `2`.
    #[serde(default, deserialize_with = "version")]
    pub version: Option<Ident>,
    /// As it came: an object of strings.
    pub condition: Option<Box<RawValue>>,
    /// How it is delivered, as it came. Never holds the secret.
    pub transport: Option<Box<RawValue>>,
    /// What it costs of the client's `max_total_cost`.
    #[serde(default, deserialize_with = "optional")]
    pub cost: i32,
    /// When it was created.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<OffsetDateTime>,
}

/// Why a genuine message can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body is not JSON, or not in the shape of its message type.
    #[error("the body is no EventSub message: {reason} (at `{path}`, line {line}, column {column})")]
    Shape {
        /// The JSON path to the place, `.` for the top.
        path: String,
        /// One-based.
        line: usize,
        /// One-based.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A field is missing that messages of this type have.
    #[error("the body is no EventSub message: a {message_type} has a `{field}`, this one has none")]
    Missing {
        /// As in the header.
        message_type: String,
        /// The field's name.
        field: &'static str,
    },
    /// The headers, which are not signed, contradict the body, which is.
    #[error("the header {header} says `{unsigned}`, but the signed body says `{signed}`")]
    Contradiction {
        /// The header's name.
        header: &'static str,
        /// The header's value.
        unsigned: String,
        /// The body's value.
        signed: String,
    },
    /// The body is nested too deeply.
    #[error("the body is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Reads the body of a message of this type.
///
/// # Errors
/// [`DecodeError`] if it isn't what messages of the type are.
pub fn decode<'a>(message_type: &str, body: &'a str) -> Result<Decoded<'a>, DecodeError> {
    if depth(body.as_bytes()) > MAX_DEPTH {
        return Err(DecodeError::TooDeep);
    }
    let envelope: Envelope<'_> = serde_json::from_str(body).map_err(|error| locate::<Envelope<'_>>(body, &error))?;
    let missing = |field| Err(DecodeError::Missing { message_type: message_type.to_owned(), field });
    match message_type {
        VERIFICATION => {
            let challenge = envelope.challenge.and_then(|text| serde_json::from_str(text.get()).ok());
            challenge.map_or_else(|| missing("challenge"), |text| Ok(Decoded::Challenge(text)))
        }
        "notification" | "revocation" if envelope.subscription.is_none() => {
            let error = serde_json::from_str::<Subscribed>(body).err();
            error.map_or_else(|| missing("subscription"), |error| Err(locate::<Subscribed>(body, &error)))
        }
        "notification" if envelope.event.or(envelope.events).is_none() => missing("event"),
        "notification" => Ok(Decoded::Notification(envelope)),
        "revocation" => Ok(Decoded::Revocation(envelope)),
        _ => Ok(Decoded::Other(envelope)),
    }
}

impl Decoded<'_> {
    /// The subscription that the message came through. Challenges are answered without looking at it.
    #[must_use]
    pub fn subscription(&self) -> Option<&Subscription> {
        match self {
            Self::Challenge(_) => None,
            Self::Notification(envelope) | Self::Revocation(envelope) | Self::Other(envelope) => {
                envelope.subscription.as_ref()
            }
        }
    }
}

impl<'a> Envelope<'a> {
    /// A field that EventSub does not define.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&'a RawValue> {
        self.other.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
    }
}

/// Not derived: a derived one drops the fields that it does not know, or copies all of them.
impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

/// The part of a body that messages about a subscription must have.
#[derive(Deserialize)]
struct Subscribed {
    #[serde(rename = "subscription")]
    _subscription: Option<Subscription>,
}

struct EnvelopeVisitor;

/// A key, copied only if it holds escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        let mut subscription: Option<&RawValue> = None;
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "subscription" => read(&mut subscription, &mut map, "subscription")?,
                "event" => read(&mut envelope.event, &mut map, "event")?,
                "events" => read(&mut envelope.events, &mut map, "events")?,
                "challenge" => read(&mut envelope.challenge, &mut map, "challenge")?,
                _ => envelope.other.push((key, map.next_value()?)),
            }
        }
        envelope.subscription = subscription.and_then(|json| serde_json::from_str(json.get()).ok());
        Ok(envelope)
    }
}

/// Reads the value of a field, which may be there once.
fn read<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    field: &mut Option<T>,
    map: &mut A,
    name: &'static str,
) -> Result<(), A::Error> {
    if field.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *field = map.next_value()?;
    Ok(())
}

/// Parses once more, slowly, to find the place of an error.
fn locate<'a, T: Deserialize<'a>>(body: &'a str, error: &serde_json::Error) -> DecodeError {
    let deserializer = &mut serde_json::Deserializer::from_str(body);
    let path = serde_path_to_error::deserialize::<_, T>(deserializer)
        .err()
        .map_or_else(|| ".".to_owned(), |error| error.path().to_string());
    let mut reason = error.to_string();
    if let Some(place) = reason.rfind(" at line ") {
        reason.truncate(place);
    }
    DecodeError::Shape { path, line: error.line(), column: error.column(), reason }
}

/// How deep arrays and objects are nested, of text that need not be JSON.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_keeps_unknown_fields_and_takes_known_ones_once() {
        let envelope: Envelope<'_> = serde_json::from_str(r#"{"event":{"a":1},"\u006eew":[2],"events":null}"#).unwrap();
        assert_eq!((envelope.event.unwrap().get(), envelope.other("new").unwrap().get()), (r#"{"a":1}"#, "[2]"));
        assert!(envelope.events.is_none() && envelope.other("event").is_none());
        for (body, reason) in [
            (r#"{"event":{},"event":{}}"#, "duplicate field `event`"),
            ("[]", "invalid type: sequence, expected an object"),
            (r#"{"subscription":{"id":5}}"#, "at `subscription.id`"),
        ] {
            let error = decode("notification", body).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn envelope_needs_what_files_the_message() {
        let body = r#"{"subscription":{"id":"1","type":"a.b","version":2,"status":null,"cost":3000000000,"condition":null,
            "created_at":"9999-12-31T23:59:59-23:59"},"event":{}}"#;
        let decoded = decode("notification", body).unwrap();
        let subscription = decoded.subscription().unwrap();
        assert_eq!((subscription.version.as_ref().unwrap().as_str(), subscription.cost), ("2", 0));
        assert!(subscription.status.is_none() && subscription.created_at.is_none() && subscription.condition.is_none());
    }

    #[test]
    fn challenge_is_read_whatever_its_subscription_is() {
        for subscription in ["null", "5", r#"{"id":"1"}"#] {
            let body = format!(r#"{{"subscription":{subscription},"challenge":"echo"}}"#);
            assert!(matches!(decode(VERIFICATION, &body).unwrap(), Decoded::Challenge(text) if text == "echo"));
        }
        assert!(matches!(decode(VERIFICATION, r#"{"challenge":5}"#).unwrap_err(), DecodeError::Missing { .. }));
    }

    #[test]
    fn unknown_message_type_needs_no_subscription() {
        assert!(matches!(decode("telegram", r#"{"subscription":{"new":1}}"#).unwrap(), Decoded::Other(_)));
        assert!(matches!(decode("telegram", r#"{"greeting":"hello"}"#).unwrap(), Decoded::Other(_)));
        assert!(matches!(decode("revocation", "{}").unwrap_err(), DecodeError::Missing { field: "subscription", .. }));
    }
}
