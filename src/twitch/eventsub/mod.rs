//! EventSub messages: from headers and a raw body, through proof that Twitch sent them, to a
//! [`Message`] that may be kept (webhook.md §1, §3, §4).

mod inferred;
pub mod outgoing;
mod segment;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

pub use self::inferred::Inference;
pub use self::segment::{Mark, Marked};
use super::payload::Ident;
use super::signature::Verifier;
use crate::clock::to_microseconds;
use crate::message::Event;

/// A message older than this, or as far in the future, is refused as a replay (webhook.md §3).
pub const MAX_AGE: Duration = Duration::minutes(10);

/// The deepest nesting of arrays and objects that is taken. Postgres parses JSON recursively;
/// what Twitch sends is about six deep.
const MAX_DEPTH: usize = 128;

/// The headers of a message, each present once, as they arrived.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `Twitch-Eventsub-Message-Id`: opaque, the same on every redelivery.
    pub message_id: &'a str,
    /// `Twitch-Eventsub-Message-Type`.
    pub message_type: &'a str,
    /// `Twitch-Eventsub-Message-Timestamp`: RFC 3339 with 0 to 9 fractional digits.
    pub timestamp: &'a str,
    /// `Twitch-Eventsub-Message-Signature`.
    pub signature: &'a str,
    /// `Twitch-Eventsub-Subscription-Type`; a conduit shard's challenge belongs to none.
    pub subscription_type: Option<&'a str>,
    /// `Twitch-Eventsub-Subscription-Version`, likewise.
    pub subscription_version: Option<&'a str>,
}

/// Why a message isn't believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody who knows the secret signed this.
    #[error("the signature does not match: the message was not signed with this server's webhook secret")]
    Forged,
    /// Genuine once, but too old, or from a clock that is far ahead.
    #[error("the message is dated {0} seconds away from this server's clock, and at most 600 are allowed")]
    Stale(i64),
}

/// Why a genuine message can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or not in the shape of its message type.
    #[error("the body is no EventSub message: {reason} (at `{path}`, line {line}, column {column})")]
    Shape {
        /// The JSON path to the place, `.` for the top.
        path: String,
        /// One-based.
        line: usize,
        /// One-based.
        column: usize,
        /// What was wrong there.
        reason: String,
    },
    /// A part that messages of this type have is not there.
    #[error("the body is no EventSub message: a {message_type} has a `{field}`, this one has none")]
    Missing {
        /// As the header said.
        message_type: String,
        /// The field's name.
        field: &'static str,
    },
    /// The headers, which are not signed, contradict the body, which is.
    #[error("the header {header} says `{said}`, but the signed body says `{signed}`")]
    Contradiction {
        /// The header's name.
        header: &'static str,
        /// Its value.
        said: String,
        /// The body's value.
        signed: String,
    },
    /// JSON is UTF-8.
    #[error("the body is not UTF-8: the byte at offset {valid_up_to} begins no character")]
    NotUtf8 {
        /// How many bytes were fine.
        valid_up_to: usize,
    },
    /// Nested too deeply.
    #[error("the body is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// A message that Twitch has signed, and recently. [`Verified::new`] is the only way to get one.
#[derive(Debug)]
pub struct Verified<'a> {
    headers: Headers<'a>,
    at: OffsetDateTime,
    body: Bytes,
}

/// Held by every [`Message`]; only this module can make one, so nothing reaches the store without
/// having been verified here, or made here of what Helix showed or a broadcaster marked.
#[derive(Clone, Debug)]
pub struct Proof(());

/// What a verified request turned out to be.
#[derive(Debug)]
pub enum Incoming {
    /// Twitch asks whether we want this: answer with exactly this text (webhook.md §4).
    Challenge(String),
    /// Something to keep.
    Message(Box<Message>),
}

/// A genuine message, ready to be kept.
#[derive(Clone, Debug)]
pub struct Message {
    /// Unique; redeliveries have the same.
    pub id: String,
    /// When Twitch sent it, or when it was made here (to the microsecond).
    pub at: OffsetDateTime,
    /// What kind of message it is.
    pub message_type: MessageType,
    /// What of its body we understand.
    pub content: Content,
    /// The whole body as it came.
    pub body: ByteString,
    _proof: Proof,
}

/// What showtime understands of a body; read again from the log when the state is rebuilt.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// The subscription it came through; unknown kinds of messages may have none.
    pub subscription: Option<Subscription>,
    /// What it is instead, if it came through no subscription but was inferred.
    pub inferred: Option<Origin>,
    /// What it is instead, if a broadcaster marked a segment with it.
    pub segment: Option<Origin>,
    /// Whether somebody only tries something out: it changes no state.
    pub is_test: bool,
    /// The channel (or, where a type has none, the user) that it concerns.
    pub channel_id: Option<String>,
    /// What becomes state; `None` for what is only stored and delivered.
    pub event: Option<Event>,
}

/// What stands in place of the `subscription` in the body of a message that Twitch did not send.
#[derive(Clone, Debug, Deserialize)]
pub struct Origin {
    /// For example `stream.online`.
    #[serde(rename = "type")]
    pub kind: Ident,
    /// For example `1`.
    pub version: Ident,
    /// The channel that it concerns.
    pub channel_id: Ident,
}

/// The kinds of messages that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// Something happened.
    Notification,
    /// A subscription ended; its status says why.
    Revocation,
    /// Twitch did not send it: Helix showed that something had happened.
    Inferred,
    /// Twitch did not send it: a broadcaster marked a segment.
    Segment,
    /// A kind that Twitch added later.
    Other(String),
}

impl MessageType {
    /// As in the header, or `inferred`, or `segment`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Notification => "notification",
            Self::Revocation => "revocation",
            Self::Inferred => "inferred",
            Self::Segment => "segment",
            Self::Other(name) => name,
        }
    }
}

/// The `subscription` object of a message (webhook.md §4).
#[derive(Clone, Debug, Deserialize)]
pub struct Subscription {
    /// Twitch's id for it.
    pub id: Ident,
    /// For example `enabled`; in a revocation the reason (webhook.md §7).
    pub status: Ident,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    pub kind: Ident,
    /// For example `2`.
    pub version: Ident,
    /// As it came: an object of strings.
    pub condition: Box<RawValue>,
    /// As it came: how it is delivered. Never holds the secret.
    pub transport: Option<Box<RawValue>>,
    /// Points it costs of the client's budget.
    #[serde(default)]
    pub cost: i32,
    /// When it was created.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub created_at: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    subscription: Option<Subscription>,
    #[serde(borrow)]
    inferred: Option<&'a RawValue>,
    #[serde(borrow)]
    segment: Option<&'a RawValue>,
    #[serde(borrow)]
    is_test: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    events: Option<&'a RawValue>,
    challenge: Option<String>,
}

/// The fields of a condition that name whom the subscription is about.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    broadcaster_user_id: Option<String>,
    to_broadcaster_user_id: Option<String>,
    from_broadcaster_user_id: Option<String>,
    user_id: Option<String>,
}

impl<'a> Verified<'a> {
    /// Checks signature, then age. `timestamp` is the parsed `headers.timestamp`.
    ///
    /// # Errors
    /// [`Refusal`] if nobody with the secret signed exactly this, or not within [`MAX_AGE`].
    pub fn new(
        headers: Headers<'a>,
        timestamp: OffsetDateTime,
        body: Bytes,
        verifier: &Verifier,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        if !verifier.is_genuine(headers.signature, headers.message_id, headers.timestamp, &body) {
            return Err(Refusal::Forged);
        }
        let age = now - timestamp;
        if age.abs() > MAX_AGE {
            return Err(Refusal::Stale(age.whole_seconds()));
        }
        Ok(Self { headers, at: to_microseconds(timestamp), body })
    }

    /// Reads the body.
    ///
    /// # Errors
    /// [`EnvelopeError`] if it isn't what the message type promises.
    pub fn parse(self) -> Result<Incoming, EnvelopeError> {
        if depth(&self.body) > MAX_DEPTH {
            return Err(EnvelopeError::TooDeep);
        }
        let body = ByteString::try_from(self.body.clone())
            .map_err(|error| EnvelopeError::NotUtf8 { valid_up_to: error.valid_up_to() })?;
        // serde would take an array for a struct.
        if !body.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&body).is_ok() {
            let reason = "expected an object".to_owned();
            return Err(EnvelopeError::Shape { path: ".".to_owned(), line: 1, column: 1, reason });
        }
        let envelope: Envelope<'_> = serde_json::from_str(&body).map_err(|error| locate(&body, &error))?;
        let message_type = match self.headers.message_type {
            "webhook_callback_verification" => {
                let challenge = envelope.challenge.ok_or_else(|| self.missing("challenge"))?;
                return Ok(Incoming::Challenge(challenge));
            }
            "notification" => MessageType::Notification,
            "revocation" => MessageType::Revocation,
            other => MessageType::Other(other.to_owned()),
        };
        let is_known = !matches!(message_type, MessageType::Other(_));
        if is_known && envelope.subscription.is_none() {
            return Err(self.missing("subscription"));
        }
        if message_type == MessageType::Notification && envelope.event.or(envelope.events).is_none() {
            return Err(self.missing("event"));
        }
        if let Some(subscription) = &envelope.subscription {
            self.must_agree("Twitch-Eventsub-Subscription-Type", self.headers.subscription_type, &subscription.kind)?;
            self.must_agree(
                "Twitch-Eventsub-Subscription-Version",
                self.headers.subscription_version,
                &subscription.version,
            )?;
        }
        Ok(Incoming::Message(Box::new(Message {
            id: self.headers.message_id.to_owned(),
            at: self.at,
            message_type,
            content: Content::new(envelope, self.headers.message_id),
            body,
            _proof: Proof(()),
        })))
    }

    fn missing(&self, field: &'static str) -> EnvelopeError {
        EnvelopeError::Missing { message_type: self.headers.message_type.to_owned(), field }
    }

    /// Only the body is signed, so a header that says otherwise is somebody else's.
    fn must_agree(&self, header: &'static str, said: Option<&str>, signed: &Ident) -> Result<(), EnvelopeError> {
        match said {
            Some(said) if said != signed.as_str() => {
                Err(EnvelopeError::Contradiction { header, said: said.to_owned(), signed: signed.as_str().to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// Reads a message's timestamp: RFC 3339, with 0 to 9 fractional digits (webhook.md §1).
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

impl Content {
    /// Reads the stored body of a message.
    ///
    /// # Errors
    /// If it isn't a body that was once taken.
    pub fn read(message_id: &str, body: &str) -> Result<Self, serde_json::Error> {
        Ok(Self::new(serde_json::from_str(body)?, message_id))
    }

    /// The type of the event, for example `channel.follow`.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        let origin = || self.origin().map(|origin| &origin.kind);
        self.subscription.as_ref().map(|subscription| &subscription.kind).or_else(origin).map(Ident::as_str)
    }

    /// The version of that type.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        let origin = || self.origin().map(|origin| &origin.version);
        self.subscription.as_ref().map(|subscription| &subscription.version).or_else(origin).map(Ident::as_str)
    }

    fn origin(&self) -> Option<&Origin> {
        self.inferred.as_ref().or(self.segment.as_ref())
    }

    fn new(envelope: Envelope<'_>, message_id: &str) -> Self {
        let subscription = envelope.subscription;
        // Twitch may have fields of these names one day, of another shape.
        let origin = |json: Option<&RawValue>| {
            json.filter(|_| subscription.is_none()).and_then(|json| serde_json::from_str(json.get()).ok())
        };
        let (inferred, segment) = (origin(envelope.inferred), origin(envelope.segment));
        let is_test = envelope.is_test.is_some_and(|json| json.get() == "true");
        let mut content = Self { subscription, inferred, segment, is_test, ..Self::default() };
        content.channel_id = match &content.subscription {
            Some(subscription) => channel_of(subscription),
            None => content.origin().map(|origin| origin.channel_id.as_str().to_owned()),
        };
        content.event = envelope.event.and_then(|event| content.project(message_id, event));
        content
    }

    /// A payload that isn't as we know it is kept all the same: it only leaves the state as it is.
    fn project(&self, message_id: &str, event: &RawValue) -> Option<Event> {
        let kind = self.kind()?;
        Event::parse(kind, event.get()).unwrap_or_else(|error| {
            tracing::warn!(
                message.id = message_id,
                subscription.r#type = kind,
                subscription.version = self.version(),
                %error,
                "an event is stored, but its payload is not as expected and changes no state"
            );
            None
        })
    }
}

/// The id of the channel that a subscription is about, or of the user if it isn't about a channel.
/// Unused fields of `channel.raid` may be there as empty strings.
fn channel_of(subscription: &Subscription) -> Option<String> {
    let condition: Condition = serde_json::from_str(subscription.condition.get()).unwrap_or_default();
    [
        condition.broadcaster_user_id,
        condition.to_broadcaster_user_id,
        condition.from_broadcaster_user_id,
        condition.user_id,
    ]
    .into_iter()
    .flatten()
    .find(|id| Ident::is_valid(id))
}

/// Parses once more, slowly, to learn where it went wrong.
fn locate(body: &str, error: &serde_json::Error) -> EnvelopeError {
    let deserializer = &mut serde_json::Deserializer::from_str(body);
    let path = serde_path_to_error::deserialize::<_, Envelope<'_>>(deserializer)
        .err()
        .map_or_else(|| ".".to_owned(), |error| error.path().to_string());
    let mut reason = error.to_string();
    if let Some(place) = reason.rfind(" at line ") {
        reason.truncate(place);
    }
    EnvelopeError::Shape { path, line: error.line(), column: error.column(), reason }
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
