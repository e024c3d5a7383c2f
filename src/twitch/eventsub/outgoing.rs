//! Messages as Twitch sends them: body, headers, signature.
//! <https://dev.twitch.tv/docs/eventsub/handling-webhook-events/>

use rand::distr::{Alphanumeric, SampleString as _};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::decode::VERIFICATION;
use super::webhook::{
    MESSAGE_ID, MESSAGE_RETRY, MESSAGE_SIGNATURE, MESSAGE_TIMESTAMP, MESSAGE_TYPE, SUBSCRIPTION_TYPE,
    SUBSCRIPTION_VERSION,
};
use crate::twitch::catalogue::{ConditionField, SubscriptionType};
use crate::twitch::signature::WebhookSecret;
use crate::twitch::subscription_status::SubscriptionStatus;

/// When the subscriptions of these messages were created.
const CREATED_AT: &str = "2026-03-01T09:00:00.123456789Z";

/// The application that the messages are for, where an event doesn't name one.
const CLIENT_ID: &str = "q6batx0epp608isickayubi39itsckt";

/// The `subscription` object of a message.
#[derive(Clone, Debug, Serialize)]
pub struct Subscription {
    /// Follows from type, version and condition.
    pub id: String,
    /// `enabled`; in a challenge `webhook_callback_verification_pending`, in a revocation
    /// [the reason](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#revoking-your-subscription).
    pub status: SubscriptionStatus,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For example `2`.
    pub version: String,
    /// The channel or user that it is about: an object of strings.
    pub condition: Map<String, Value>,
    /// Where its messages go.
    pub transport: Transport,
    /// When it was made.
    pub created_at: String,
    /// What it [costs](https://dev.twitch.tv/docs/eventsub/manage-subscriptions/#subscription-limits) of the client's
    /// `max_total_cost`.
    pub cost: u32,
}

/// How the messages of a subscription travel.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Transport {
    /// To a callback.
    Webhook {
        /// The address they are sent to.
        callback: String,
    },
    /// Over a WebSocket session.
    Websocket {
        /// The session's id.
        session_id: String,
        /// When the session began. Messages don't have it.
        #[serde(skip_serializing_if = "Option::is_none")]
        connected_at: Option<String>,
        /// When it ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        disconnected_at: Option<String>,
    },
}

impl Transport {
    /// A WebSocket session, as messages name it.
    #[must_use]
    pub fn websocket(session_id: &str) -> Self {
        Self::Websocket { session_id: session_id.to_owned(), connected_at: None, disconnected_at: None }
    }

    /// The id of the WebSocket session, if it is one.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        match self {
            Self::Webhook { .. } => None,
            Self::Websocket { session_id, .. } => Some(session_id),
        }
    }

    /// The same, as messages have it.
    fn in_message(&self) -> Self {
        match self {
            Self::Webhook { .. } => self.clone(),
            Self::Websocket { session_id, .. } => Self::websocket(session_id),
        }
    }
}

impl Subscription {
    /// The enabled subscription through which this event reaches this callback. The same for all
    /// events of a type on a channel.
    #[must_use]
    pub fn new(kind: &SubscriptionType, event: &Value, callback: &str) -> Self {
        let condition = condition(kind, event);
        Self {
            id: id_of(kind, &condition),
            status: SubscriptionStatus::Enabled,
            kind: kind.name.clone(),
            version: kind.version.clone(),
            cost: cost(kind),
            condition,
            transport: Transport::Webhook { callback: callback.to_owned() },
            created_at: CREATED_AT.to_owned(),
        }
    }

    /// The same, as messages have it.
    fn in_message(&self) -> Self {
        Self { transport: self.transport.in_message(), ..self.clone() }
    }

    /// The same in another status.
    #[must_use]
    pub fn with_status(mut self, status: impl Into<SubscriptionStatus>) -> Self {
        self.status = status.into();
        self
    }
}

/// 0 if the type needs a user's consent or its condition names no user, else 1
/// (<https://dev.twitch.tv/docs/eventsub/manage-subscriptions/#subscription-limits>).
fn cost(kind: &SubscriptionType) -> u32 {
    let names_user = kind.condition.iter().any(|field| field.field.ends_with("user_id"));
    u32::from(kind.scopes.is_empty() && names_user)
}

/// Fills the required fields, and for raids the one side that the catalogue says.
fn condition(kind: &SubscriptionType, event: &Value) -> Map<String, Value> {
    let entity = kind.entity.as_deref();
    let wanted = |field: &&ConditionField| field.required || Some(field.field.as_str()) == entity;
    let value = |field: &ConditionField| (field.field.clone(), condition_value(&field.field, entity, event).into());
    kind.condition.iter().filter(wanted).map(value).collect()
}

/// A channel's events are read by the broadcaster, who is a moderator too; what else a condition
/// names is in the event under the same name.
fn condition_value(field: &str, entity: Option<&str>, event: &Value) -> String {
    let of_event = |name: &str| event.get(name).or_else(|| event.pointer(&format!("/0/data/{name}")));
    let by_name = if matches!(field, "broadcaster_user_id" | "moderator_user_id") { None } else { of_event(field) };
    match by_name.or_else(|| of_event(entity?)) {
        Some(Value::String(id)) => id.clone(),
        Some(_) => String::new(),
        None => CLIENT_ID.to_owned(),
    }
}

fn id_of(kind: &SubscriptionType, condition: &Map<String, Value>) -> String {
    let hash = Sha256::digest(format!("{} {} {}", kind.name, kind.version, Value::from(condition.clone())));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// What one delivery of a message is marked with.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The same on every delivery of a message.
    pub message_id: String,
    /// When Twitch says that it was sent: RFC 3339.
    pub timestamp: String,
    /// How often it was delivered before.
    pub retry: u32,
}

impl Stamp {
    /// A new message's first delivery.
    #[must_use]
    pub fn new(timestamp: String) -> Self {
        Self { message_id: Uuid::new_v4().to_string(), timestamp, retry: 0 }
    }
}

/// A message on its way to a callback.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Id, time and retry counter.
    pub stamp: Stamp,
    /// `notification`, `revocation` or `webhook_callback_verification`.
    pub message_type: &'static str,
    /// Type and version of the subscription; a conduit shard's challenge belongs to none.
    pub subscription: Option<(String, String)>,
    /// What is signed and sent, byte for byte.
    pub body: Vec<u8>,
}

impl Outgoing {
    /// Something happened. An array is sent as the `events` of a batch.
    #[must_use]
    pub fn notification(stamp: Stamp, subscription: &Subscription, event: &Value) -> Self {
        let field = if event.is_array() { "events" } else { "event" };
        let shown = subscription.in_message();
        Self::about(stamp, "notification", subscription, &json!({ "subscription": shown, field: event }))
    }

    /// The subscription has ended, for the reason that is its status.
    #[must_use]
    pub fn revocation(stamp: Stamp, subscription: &Subscription) -> Self {
        Self::about(stamp, "revocation", subscription, &json!({ "subscription": subscription.in_message() }))
    }

    /// Asks whether the callback wants the subscription's messages.
    #[must_use]
    pub fn challenge(stamp: Stamp, subscription: &Subscription, challenge: &str) -> Self {
        let body = json!({ "subscription": subscription, "challenge": challenge });
        Self::about(stamp, VERIFICATION, subscription, &body)
    }

    /// Asks whether the callback wants to be a shard of a conduit.
    #[must_use]
    pub fn shard_challenge(stamp: Stamp, conduit_id: &str, shard: &str, challenge: &str) -> Self {
        let body = json!({ "challenge": challenge, "conduit_shard": { "conduit_id": conduit_id, "shard": shard } });
        Self { stamp, message_type: VERIFICATION, subscription: None, body: body.to_string().into_bytes() }
    }

    fn about(stamp: Stamp, message_type: &'static str, subscription: &Subscription, body: &Value) -> Self {
        let subscription = Some((subscription.kind.clone(), subscription.version.clone()));
        Self { stamp, message_type, subscription, body: body.to_string().into_bytes() }
    }

    /// The signature of exactly this message.
    #[must_use]
    pub fn sign(&self, secret: &WebhookSecret) -> String {
        secret.sign(&self.stamp.message_id, &self.stamp.timestamp, &self.body)
    }

    /// The headers, with this signature or without any.
    #[must_use]
    pub fn headers(&self, signature: Option<&str>) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            (MESSAGE_ID, self.stamp.message_id.clone()),
            (MESSAGE_RETRY, self.stamp.retry.to_string()),
            (MESSAGE_TYPE, self.message_type.to_owned()),
            (MESSAGE_TIMESTAMP, self.stamp.timestamp.clone()),
        ];
        if let Some(signature) = signature {
            headers.push((MESSAGE_SIGNATURE, signature.to_owned()));
        }
        if let Some((kind, version)) = &self.subscription {
            headers.push((SUBSCRIPTION_TYPE, kind.clone()));
            headers.push((SUBSCRIPTION_VERSION, version.clone()));
        }
        headers
    }
}

/// A new challenge: 43 random characters, as many as in Twitch's.
#[must_use]
pub fn new_challenge() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 43)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::simulate::template::EventTemplate;
    use crate::twitch::catalogue::{self, Availability};

    const CALLBACK: &str = "http://127.0.0.1:5001/callback";

    fn subscription(kind: &str) -> Subscription {
        let kind = catalogue::find(kind, None).unwrap();
        let event = EventTemplate::plain(kind).event(datetime!(2026-11-21 12:00 UTC)).unwrap();
        Subscription::new(kind, &event, CALLBACK)
    }

    fn stamp() -> Stamp {
        Stamp { message_id: "m-1".to_owned(), timestamp: "2026-11-21T12:00:00Z".to_owned(), retry: 2 }
    }

    fn body(message: &Outgoing) -> Value {
        serde_json::from_slice(&message.body).unwrap()
    }

    #[test]
    fn notification_is_what_twitch_would_send() {
        let message = Outgoing::notification(stamp(), &subscription("channel.follow"), &json!({ "user_id": "1" }));
        assert_eq!(
            body(&message),
            json!({
                "subscription": {
                    "id": subscription("channel.follow").id,
                    "status": "enabled",
                    "type": "channel.follow",
                    "version": "2",
                    "cost": 0,
                    "condition": { "broadcaster_user_id": "90210441", "moderator_user_id": "90210441" },
                    "transport": { "method": "webhook", "callback": CALLBACK },
                    "created_at": CREATED_AT,
                },
                "event": { "user_id": "1" },
            })
        );
        let headers = message.headers(Some("sha256=00"));
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            headers,
            [
                "Content-Type: application/json",
                "Twitch-Eventsub-Message-Id: m-1",
                "Twitch-Eventsub-Message-Retry: 2",
                "Twitch-Eventsub-Message-Type: notification",
                "Twitch-Eventsub-Message-Timestamp: 2026-11-21T12:00:00Z",
                "Twitch-Eventsub-Message-Signature: sha256=00",
                "Twitch-Eventsub-Subscription-Type: channel.follow",
                "Twitch-Eventsub-Subscription-Version: 2",
            ]
        );
    }

    #[test]
    fn batched_notification_has_events() {
        let message = Outgoing::notification(stamp(), &subscription("drop.entitlement.grant"), &json!([{ "id": "1" }]));
        assert_eq!(body(&message)["events"], json!([{ "id": "1" }]));
        assert_eq!(body(&message).get("event"), None);
    }

    #[test]
    fn revocations_and_challenges_have_no_event() {
        let revoked = subscription("stream.online").with_status("user_removed");
        let message = Outgoing::revocation(stamp(), &revoked);
        assert_eq!(body(&message), json!({ "subscription": revoked }));
        assert_eq!(message.message_type, "revocation");

        let challenge = Outgoing::challenge(stamp(), &revoked, "echo this");
        assert_eq!(body(&challenge), json!({ "subscription": revoked, "challenge": "echo this" }));

        let shard = Outgoing::shard_challenge(stamp(), "conduit", "3", "echo this");
        let expected = json!({ "challenge": "echo this", "conduit_shard": { "conduit_id": "conduit", "shard": "3" } });
        assert_eq!(body(&shard), expected);
        assert!(shard.headers(None).iter().all(|(name, _)| !name.starts_with("Twitch-Eventsub-Subscription")));
        assert_eq!(new_challenge().len(), 43);
    }

    #[test]
    fn condition_names_the_channel_of_the_event() {
        for (kind, expected) in [
            ("channel.raid", json!({ "to_broadcaster_user_id": "90210441" })),
            ("channel.charity_campaign.start", json!({ "broadcaster_user_id": "90210441" })),
            ("channel.chat.message", json!({ "broadcaster_user_id": "90210441", "user_id": "90210441" })),
            ("channel.chat.user_message_hold", json!({ "broadcaster_user_id": "90210441", "user_id": "55120873" })),
            ("user.update", json!({ "user_id": "55120873" })),
            ("user.whisper.message", json!({ "user_id": "90210441" })),
            ("user.authorization.grant", json!({ "client_id": CLIENT_ID })),
            ("conduit.shard.disabled", json!({ "client_id": CLIENT_ID })),
            ("extension.bits_transaction.create", json!({ "extension_client_id": "ext0clientid0000000000000000" })),
            ("drop.entitlement.grant", json!({ "organization_id": "9001" })),
        ] {
            assert_eq!(Value::from(subscription(kind).condition), expected, "{kind}");
        }
    }

    #[test]
    fn only_types_about_a_user_without_consent_cost() {
        for (kind, cost) in
            [("stream.online", 1), ("channel.raid", 1), ("channel.follow", 0), ("conduit.shard.disabled", 0)]
        {
            assert_eq!(subscription(kind).cost, cost, "{kind}");
        }
    }

    #[test]
    fn every_type_has_its_own_stable_subscription_id() {
        let offered = catalogue::all().iter().filter(|kind| kind.status != Availability::Deprecated);
        let ids = || {
            let of = |kind: &'static SubscriptionType| {
                let event = EventTemplate::plain(kind).event(datetime!(2026-11-21 12:00 UTC)).unwrap();
                Subscription::new(kind, &event, CALLBACK).id
            };
            offered.clone().map(of).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(ids().len(), offered.clone().count());
        assert_eq!(ids(), ids());
    }
}
