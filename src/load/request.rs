//! Whole requests without any JSON work: each kind of message is made once, as the rest of
//! [`crate::mock`] makes it, with people and times of fixed width; what differs from message to
//! message is then written over these.

use time::format_description::BorrowedFormatItem;
use time::macros::{datetime, format_description};
use time::{OffsetDateTime, UtcOffset};
use url::{Position, Url};

use super::traffic::{Event, Kind, Traffic};
use crate::simulate::edit::Edit;
use crate::simulate::event::Recipe;
use crate::simulate::people::Person;
use crate::twitch::catalogue;
use crate::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use crate::twitch::signature::{Signer, WebhookSecret};

/// What stands in the templates until it is replaced: texts that occur nowhere else.
const CHANNEL: &str = "199999999991";
const VIEWER: &str = "288888888882";
const STREAM: &str = "377777777777773";
const MESSAGE_ID: &str = "eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee";
const SIGNATURE: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
const MOMENT: OffsetDateTime = datetime!(2001-02-03 04:05:06.123_456 UTC);
const TIMESTAMP: &str = "2001-02-03T04:05:06.123456Z";
const SECOND: &str = "2001-02-03T04:05:06Z";

const TIME_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// A part of a request that differs from message to message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    MessageId,
    Signature,
    Retry,
    Timestamp,
    /// The time, in whole seconds.
    Second,
    Channel,
    Viewer,
    Stream,
    /// A number of so many digits.
    Amount(usize),
    Tier,
}

/// Where each field stands: the text before it, which is no part of it, and its own.
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

/// Why there can be no requests.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A sample is missing, or is not what it was.
    #[error("no message of type {kind} can be made: {reason}")]
    Sample {
        /// The type.
        kind: &'static str,
        /// Why not.
        reason: String,
    },
}

/// Writes the requests of a run.
#[derive(Clone, Debug)]
pub struct Requests {
    traffic: Traffic,
    signer: Signer,
    /// In the order of [`Kind::ALL`].
    templates: Vec<Template>,
}

/// When a message is dated, and how often it was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// What the message says of its time.
    pub at: OffsetDateTime,
    /// At most 9, which is what has room.
    pub retry: u8,
}

#[derive(Clone, Debug)]
struct Template {
    bytes: Vec<u8>,
    /// Where the body begins.
    body: usize,
    fields: Vec<(usize, Field)>,
}

impl Requests {
    /// For this traffic, to be sent to this callback.
    ///
    /// # Errors
    /// If a sample is not as expected.
    pub fn new(traffic: Traffic, callback: &Url, secret: &WebhookSecret) -> Result<Self, RequestError> {
        let templates = Kind::ALL.iter().map(|kind| Template::new(*kind, callback)).collect::<Result<_, _>>()?;
        Ok(Self { traffic, signer: secret.signer(), templates })
    }

    /// What the messages say.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Puts the request with the message of this number in place of what is in `request`.
    pub fn write(&self, number: u64, sending: Sending, request: &mut Vec<u8>) {
        let event = self.traffic.message(number);
        let template = &self.templates[event.kind as usize];
        let values = Values::new(&self.traffic, number, &event, sending);
        request.clear();
        request.extend_from_slice(&template.bytes);
        let mut digits_at = None;
        for (at, field) in &template.fields {
            match values.get(*field) {
                Some(value) => request[*at..*at + value.len()].copy_from_slice(value),
                None => digits_at = Some(*at),
            }
        }
        if let Some(at) = digits_at {
            let digits = self.signer.digits(&values.message_id, &values.timestamp, &request[template.body..]);
            request[at..at + digits.len()].copy_from_slice(&digits);
        }
    }
}

/// What the fields of one message become.
struct Values {
    message_id: [u8; 36],
    timestamp: [u8; 27],
    second: [u8; 20],
    channel: [u8; 12],
    viewer: [u8; 12],
    stream: [u8; 15],
    amount: [u8; 3],
    tier: [u8; 4],
    retry: [u8; 1],
}

impl Values {
    fn new(traffic: &Traffic, number: u64, event: &Event, sending: Sending) -> Self {
        let run = traffic.run;
        let timestamp = timestamp(sending.at);
        let mut second = [b'Z'; 20];
        second[..19].copy_from_slice(&timestamp[..19]);
        let mut message_id = [b'0'; 36];
        message_id.copy_from_slice(run.message_id(number).as_bytes());
        Self {
            message_id,
            timestamp,
            second,
            channel: digits(run.channel_id(event.channel)),
            viewer: digits(run.viewer_id(event.viewer)),
            stream: digits(run.stream_id(event.stream)),
            amount: digits(event.amount.into()),
            tier: digits(event.tier.into()),
            retry: digits(sending.retry.min(9).into()),
        }
    }

    /// `None` for what depends on all the rest.
    fn get(&self, field: Field) -> Option<&[u8]> {
        Some(match field {
            Field::MessageId => &self.message_id,
            Field::Signature => return None,
            Field::Retry => &self.retry,
            Field::Timestamp => &self.timestamp,
            Field::Second => &self.second,
            Field::Channel => &self.channel,
            Field::Viewer => &self.viewer,
            Field::Stream => &self.stream,
            Field::Amount(width) => &self.amount[3 - width..],
            Field::Tier => &self.tier,
        })
    }
}

/// The last digits of a number.
fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    digits
}

/// RFC 3339 in UTC, to the microsecond.
fn timestamp(at: OffsetDateTime) -> [u8; 27] {
    let mut text = [b'0'; 27];
    // Whatever the year, it has four digits; a text that did not fit would be no time, and be refused.
    let _ = at.to_offset(UtcOffset::UTC).format_into(&mut text.as_mut_slice(), TIME_FORMAT);
    text
}

impl Template {
    fn new(kind: Kind, callback: &Url) -> Result<Self, RequestError> {
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
        for (field, before, own) in FIELDS {
            let needle = format!("{before}{own}");
            fields.extend(text.match_indices(&needle).map(|(at, _)| (at + before.len(), field)));
        }
        Ok(Self { bytes, body, fields })
    }
}

/// The message of this kind, with the placeholders in it.
fn message(kind: Kind, callback: &Url) -> Result<Outgoing, Box<dyn std::error::Error>> {
    let (name, variant) = kind.sample();
    let mut recipe = Recipe::plain(catalogue::find(name, None).ok_or("Twitch has no such type")?);
    recipe.variant = variant.map(str::to_owned);
    recipe.broadcaster = Person::described(None, None, Some(CHANNEL))?;
    if kind.names_viewer() {
        recipe.user = Person::described(None, None, Some(VIEWER))?;
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
    recipe.edits = edits.iter().map(|edit| edit.parse()).collect::<Result<Vec<Edit>, _>>()?;
    let event = recipe.event(MOMENT)?;
    let mut subscription = Subscription::to(recipe.kind, &event, callback.as_str());
    // One of its own for each type and channel, by its last twelve characters.
    let width = subscription.id.len().saturating_sub(CHANNEL.len());
    subscription.id.truncate(width);
    subscription.id.push_str(CHANNEL);
    let stamp = Stamp { message_id: MESSAGE_ID.to_owned(), timestamp: TIMESTAMP.to_owned(), retry: 0 };
    Ok(Outgoing::notification(stamp, &subscription, &event))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::ValueEnum as _;
    use serde_json::Value;

    use super::*;
    use crate::load::traffic::{Mix, Run};
    use crate::message;
    use crate::twitch::eventsub::Content;
    use crate::twitch::payload::Event as Payload;
    use crate::twitch::signature::Verifier;

    const SENDING: Sending = Sending { at: datetime!(2026-11-21 12:34:56.000_789 UTC), retry: 3 };

    fn requests(mix: Mix, secret: &WebhookSecret) -> Requests {
        let callback = Url::parse("http://127.0.0.1:5001/callback?x=1").unwrap();
        Requests::new(Traffic { run: Run(77), mix }, &callback, secret).unwrap()
    }

    fn split(request: &[u8]) -> (Vec<(String, String)>, &[u8]) {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut headers);
        let head = parsed.parse(request).unwrap().unwrap();
        assert_eq!((parsed.method, parsed.path), (Some("POST"), Some("/callback?x=1")));
        let headers = parsed.headers.iter();
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        (headers.map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect(), &request[head..])
    }

    #[test]
    fn every_request_is_genuine_and_says_what_its_number_means() {
        let secret = WebhookSecret::generate();
        let verifier = Verifier::new([&secret]);
        let (mut request, mut kinds) = (Vec::new(), HashSet::new());
        for mix in Mix::value_variants() {
            let requests = requests(*mix, &secret);
            for number in 0..4_000 {
                let event = requests.traffic.message(number);
                kinds.insert(event.kind as usize);
                requests.write(number, SENDING, &mut request);
                let (headers, body) = split(&request);
                let header = |name: &str| headers.iter().find(|(own, _)| own == name).unwrap().1.as_str();
                let id = header("twitch-eventsub-message-id");
                assert_eq!(Run(77).number(id), Some(number));
                assert_eq!(header("content-length"), body.len().to_string());
                assert_eq!(header("host"), "127.0.0.1:5001");
                assert_eq!(header("twitch-eventsub-message-retry"), "3");
                let (signature, timestamp) =
                    (header("twitch-eventsub-message-signature"), header("twitch-eventsub-message-timestamp"));
                assert_eq!(timestamp, "2026-11-21T12:34:56.000789Z");
                assert!(verifier.is_genuine(signature, id, timestamp, body));
                let body = std::str::from_utf8(body).unwrap();
                let content = Content::read(id, body).unwrap();
                assert_eq!(content.channel_id, Some(Run(77).channel_id(event.channel).to_string()), "{body}");
                assert_eq!(content.kind(), Some(header("twitch-eventsub-subscription-type")));
                let json: Value = serde_json::from_str(body).unwrap();
                assert!(says(&content, &event), "{event:?} {body}");
                assert!(!body.contains(CHANNEL) && !body.contains(VIEWER) && !body.contains("2001-02"), "{json}");
            }
        }
        assert_eq!(kinds.len(), Kind::ALL.len());
        assert_eq!(Kind::ALL.map(|kind| kind as usize).to_vec(), (0..Kind::ALL.len()).collect::<Vec<_>>());
    }

    /// Whether our own parser reads there what was meant.
    fn says(content: &Content, event: &Event) -> bool {
        let viewer = Run(77).viewer_id(event.viewer).to_string();
        let stream = Run(77).stream_id(event.stream).to_string();
        let tier = event.tier.to_string();
        let Some(message::Event::Twitch(payload)) = &content.event else { return event.kind == Kind::Chat };
        match payload {
            Payload::Follow(follow) => follow.viewer.id.as_str() == viewer && follow.followed_at == SENDING.at,
            Payload::Cheer(cheer) => {
                let who = cheer.viewer.as_ref().map(|viewer| viewer.id.as_str());
                who == event.kind.names_viewer().then_some(&viewer) && cheer.bits == event.amount
            }
            Payload::SubscriptionGift(gift) => {
                let who = gift.viewer.as_ref().map(|viewer| viewer.id.as_str());
                who == event.kind.names_viewer().then_some(&viewer) && gift.total == event.amount
            }
            Payload::Subscribe(new) => new.viewer.id.as_str() == viewer && new.tier.as_str() == tier,
            Payload::SubscriptionEnd(end) => end.viewer.id.as_str() == viewer && end.tier.as_str() == tier,
            Payload::SubscriptionMessage(message) => {
                message.viewer.id.as_str() == viewer && message.cumulative_months == event.amount
            }
            Payload::StreamOnline(online) => {
                online.id.as_str() == stream && online.started_at == datetime!(2026-11-21 12:34:56 UTC)
            }
            Payload::StreamOffline(offline) => offline.id.as_ref().is_some_and(|id| id.as_str() == stream),
            Payload::ChannelUpdate(_) => event.kind == Kind::Update,
            other => panic!("{other:?}"),
        }
    }
}
