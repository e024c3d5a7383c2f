//! Requests without any JSON work: each kind of message has a template, in which the fields that differ from message to
//! message are overwritten.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use url::Url;

use super::event::{Event, Kind};
use super::template::{Field, RequestError, RequestTemplate};
use super::traffic::Traffic;
use crate::twitch::signature::{Signer, WebhookSecret};

const TIME_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Writes the requests of a run.
#[derive(Clone, Debug)]
pub struct Requests {
    traffic: Traffic,
    signer: Signer,
    /// In the order of [`Kind::ALL`].
    templates: Vec<RequestTemplate>,
}

/// Timestamp and retry counter of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Timestamp of the message.
    pub at: OffsetDateTime,
    /// Number of earlier attempts; above 9 it is sent as 9, since the template has one digit.
    pub retry: u8,
}

impl Requests {
    /// Requests of this traffic to this callback.
    ///
    /// # Errors
    /// If a sample is missing or has changed.
    pub fn new(traffic: Traffic, callback: &Url, secret: &WebhookSecret) -> Result<Self, RequestError> {
        let templates = Kind::ALL.iter().map(|kind| RequestTemplate::new(*kind, callback)).collect::<Result<_, _>>()?;
        Ok(Self { traffic, signer: secret.signer(), templates })
    }

    /// The traffic that is sent.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Replaces the content of `request` with the request of the message with this number.
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

/// Values of the fields of one message.
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

    /// The value of a field; `None` for the signature, which depends on all others.
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

/// The last `N` digits of a number.
fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    digits
}

/// Formats a time in RFC 3339, in UTC with microseconds.
fn timestamp(at: OffsetDateTime) -> [u8; 27] {
    let mut text = [b'0'; 27];
    // Years have four digits; a text that did not fit would be an invalid time, which the server refuses.
    let _ = at.to_offset(UtcOffset::UTC).format_into(&mut text.as_mut_slice(), TIME_FORMAT);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::ValueEnum as _;
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;
    use crate::load::mix::Mix;
    use crate::load::run::Run;
    use crate::load::template::{CHANNEL, VIEWER};
    use crate::message::{self, Content};
    use crate::twitch::payload::{Event as Payload, Ident};
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
    fn every_request_is_genuine_and_has_the_event_of_its_number() {
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
                let content = Content::read(body).unwrap();
                let channel_id = Run(77).channel_id(event.channel).to_string();
                assert_eq!(content.channel_id, channel_id.parse().ok(), "{body}");
                assert_eq!(content.kind(), Some(header("twitch-eventsub-subscription-type")));
                let json: Value = serde_json::from_str(body).unwrap();
                assert!(has_event(&content, &event), "{event:?} {body}");
                assert!(!body.contains(CHANNEL) && !body.contains(VIEWER) && !body.contains("2001-02"), "{json}");
            }
        }
        assert_eq!(kinds.len(), Kind::ALL.len());
        assert_eq!(Kind::ALL.map(|kind| kind as usize).to_vec(), (0..Kind::ALL.len()).collect::<Vec<_>>());
    }

    /// Whether the server's own parser reads this event.
    fn has_event(content: &Content, event: &Event) -> bool {
        let viewer = Run(77).viewer_id(event.viewer).to_string();
        let stream = Run(77).stream_id(event.stream).to_string();
        let is_tier = |tier: Option<&Ident>| tier.is_some_and(|tier| tier.as_str() == event.tier.to_string());
        let Some(message::Event::Twitch(payload)) = &content.event else { return event.kind == Kind::Chat };
        match payload {
            Payload::Follow(follow) => follow.user.id.as_str() == viewer && follow.followed_at == Some(SENDING.at),
            Payload::Cheer(cheer) => {
                let viewer_id = cheer.user.as_ref().map(|viewer| viewer.id.as_str());
                viewer_id == event.kind.names_viewer().then_some(&viewer) && cheer.bits == event.amount
            }
            Payload::SubscriptionGift(gift) => {
                let viewer_id = gift.user.as_ref().map(|viewer| viewer.id.as_str());
                viewer_id == event.kind.names_viewer().then_some(&viewer) && gift.total == event.amount
            }
            Payload::Subscribe(new) => new.user.id.as_str() == viewer && is_tier(new.tier.as_ref()),
            Payload::SubscriptionEnd(end) => end.user.id.as_str() == viewer && is_tier(end.tier.as_ref()),
            Payload::SubscriptionMessage(message) => {
                message.user.id.as_str() == viewer && message.cumulative_months == event.amount
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
