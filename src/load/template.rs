//! Request templates: the HTTP request of each kind of event, with placeholders of fixed width where messages differ.

use time::OffsetDateTime;
use time::macros::datetime;
use url::{Position, Url};

use super::event::Kind;
use crate::simulate::edit::Edit;
use crate::simulate::people::Person;
use crate::simulate::template::EventTemplate;
use crate::twitch::catalogue;
use crate::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};

/// Placeholders: texts that occur nowhere else in the samples.
pub(super) const CHANNEL: &str = "199999999991";
pub(super) const VIEWER: &str = "288888888882";
const STREAM: &str = "377777777777773";
const MESSAGE_ID: &str = "eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee";
const SIGNATURE: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
const MOMENT: OffsetDateTime = datetime!(2001-02-03 04:05:06.123_456 UTC);
const TIMESTAMP: &str = "2001-02-03T04:05:06.123456Z";
const SECOND: &str = "2001-02-03T04:05:06Z";

/// A part of a request that differs from message to message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    MessageId,
    Signature,
    Retry,
    Timestamp,
    /// The time in whole seconds.
    Second,
    Channel,
    Viewer,
    Stream,
    /// A number with this many digits.
    Amount(usize),
    Tier,
}

/// How each field is found: the text before it, and its placeholder.
const FIELDS: [(Field, &str, &str); 12] = [
    (Field::MessageId, "", MESSAGE_ID),
    (Field::Signature, "sha256=", SIGNATURE),
    (Field::Retry, "Message-Retry: ", "0"),
    (Field::Timestamp, "", TIMESTAMP),
    (Field::Second, "", SECOND),
    (Field::Channel, "", CHANNEL),
    (Field::Viewer, "", VIEWER),
    (Field::Stream, "", STREAM),
    (Field::Amount(3), "\"bits\":", "777"),
    (Field::Amount(1), "\"total\":", "7"),
    (Field::Amount(2), "\"cumulative_months\":", "77"),
    (Field::Tier, "\"tier\":\"", "7000"),
];

/// Why the requests can't be made.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A sample is missing or has changed.
    #[error("no message of type {kind} can be made: {reason}")]
    Sample {
        /// The type.
        kind: &'static str,
        /// The cause.
        reason: String,
    },
}

/// The whole HTTP request of a message, with placeholders.
#[derive(Clone, Debug)]
pub(super) struct RequestTemplate {
    pub(super) bytes: Vec<u8>,
    /// Offset of the body.
    pub(super) body: usize,
    /// Offsets of the fields.
    pub(super) fields: Vec<(usize, Field)>,
}

impl RequestTemplate {
    pub(super) fn new(kind: Kind, callback: &Url) -> Result<Self, RequestError> {
        let name = kind.sample().0;
        let failed = |reason: String| RequestError::Sample { kind: name, reason };
        let message = message(kind, callback).map_err(|reason| failed(reason.to_string()))?;
        let mut bytes = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n",
            &callback[Position::BeforePath..Position::AfterQuery],
            &callback[Position::BeforeHost..Position::AfterPort],
            message.body.len(),
        )
        .into_bytes();
        for (name, value) in message.headers(Some(&format!("sha256={SIGNATURE}"))) {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        let body = bytes.len();
        bytes.extend_from_slice(&message.body);
        let text = std::str::from_utf8(&bytes).map_err(|error| failed(error.to_string()))?;
        let mut fields = Vec::new();
        for (field, before, placeholder) in FIELDS {
            let needle = format!("{before}{placeholder}");
            fields.extend(text.match_indices(&needle).map(|(at, _)| (at + before.len(), field)));
        }
        Ok(Self { bytes, body, fields })
    }
}

/// Makes a message of this kind, with placeholders.
fn message(kind: Kind, callback: &Url) -> Result<Outgoing, Box<dyn std::error::Error>> {
    let (name, variant) = kind.sample();
    let mut template = EventTemplate::plain(catalogue::find(name, None).ok_or("Twitch has no such type")?);
    template.variant = variant.map(str::to_owned);
    template.broadcaster = Person::described(None, None, Some(CHANNEL))?;
    if kind.names_viewer() {
        template.user = Person::described(None, None, Some(VIEWER))?;
    }
    let edits: &[&str] = match kind {
        Kind::Chat => &["message_id=eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee"],
        Kind::Cheer | Kind::AnonymousCheer => &["bits=777"],
        Kind::Gift | Kind::AnonymousGift => &["total=7", "tier=7000"],
        Kind::Resubscribe => &["cumulative_months=77", "tier=7000"],
        Kind::Subscribe | Kind::SubscriptionEnd => &["tier=7000"],
        Kind::Online | Kind::Offline => &["id=377777777777773"],
        Kind::Follow | Kind::Update => &[],
    };
    template.edits = edits.iter().map(|edit| edit.parse()).collect::<Result<Vec<Edit>, _>>()?;
    let event = template.event(MOMENT)?;
    let mut subscription = Subscription::new(template.kind, &event, callback.as_str());
    // A different id for each type and channel: the last twelve characters are the channel's id.
    let width = subscription.id.len().saturating_sub(CHANNEL.len());
    subscription.id.truncate(width);
    subscription.id.push_str(CHANNEL);
    let stamp = Stamp { message_id: MESSAGE_ID.to_owned(), timestamp: TIMESTAMP.to_owned(), retry: 0 };
    Ok(Outgoing::notification(stamp, &subscription, &event))
}
