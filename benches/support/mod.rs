//! Messages as Twitch sends them.

use bytes::Bytes;
use showtime::simulate::people::Person;
use showtime::simulate::template::EventTemplate;
use showtime::twitch::catalogue;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use showtime::twitch::eventsub::parse_timestamp;
use showtime::twitch::eventsub::webhook::{Headers, Verified};
use showtime::twitch::signature::{Verifier, WebhookSecret};
use time::macros::datetime;

/// When all these messages are sent, and received.
const TIMESTAMP: &str = "2026-11-21T12:00:00.480213377Z";

/// A signed message, and who checks it.
pub(crate) struct Signed {
    pub(crate) message: Outgoing,
    pub(crate) signature: String,
    pub(crate) body: Bytes,
    pub(crate) verifier: Verifier,
}

impl Signed {
    /// The sample of a type, done by this user if it has one.
    pub(crate) fn new(kind: &str, user: Option<&str>) -> Self {
        let kind = catalogue::find(kind, None).expect("a type");
        let user = user.map(|id| Person::described(None, None, Some(id)).expect("a person"));
        let template = EventTemplate { user: user.flatten(), ..EventTemplate::plain(kind) };
        let event = template.event(datetime!(2026-11-21 12:00:00.480 UTC)).expect("a sample");
        let subscription = Subscription::new(kind, &event, "https://hooks.example.org/callback");
        let message = Outgoing::notification(Stamp::new(TIMESTAMP.to_owned()), &subscription, &event);
        let secret = WebhookSecret::new("the secret of the benches").expect("a secret");
        Self {
            signature: message.sign(&secret),
            body: Bytes::from(message.body.clone()),
            message,
            verifier: Verifier::new([&secret]),
        }
    }

    /// What the webhook makes of it before it parses the body.
    pub(crate) fn verified(&self) -> Verified<'_> {
        let stamp = &self.message.stamp;
        let (kind, version) = self.message.subscription.as_ref().expect("a subscription");
        let headers = Headers {
            message_id: &stamp.message_id,
            message_type: self.message.message_type,
            timestamp: &stamp.timestamp,
            signature: &self.signature,
            subscription_type: Some(kind),
            subscription_version: Some(version),
        };
        let at = parse_timestamp(&stamp.timestamp).expect("a time");
        Verified::new(headers, at, self.body.clone(), &self.verifier, at).expect("genuine")
    }
}
