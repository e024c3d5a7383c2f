//! The messages that showtime makes and accepts, checked by an independent implementation: the crate `twitch_api`, with its
//! feature that denies unknown fields.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::StreamExt as _;
use http::Request;
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::simulate::template::EventTemplate;
use showtime::twitch::catalogue::{self, Availability, SubscriptionType};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription, new_challenge};
use showtime::twitch::samples;
use showtime::twitch::signature::{Verifier, WebhookSecret};
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use twitch_api::eventsub::event::websocket::EventsubWebsocketData;
use twitch_api::eventsub::{Event, Status};

use crate::support::PATIENCE;
use crate::support::twitch::Twitch;

const SECRET: &str = "the secret of these tests";

/// Why `twitch_api` refuses a sample that is as Twitch documents it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gap {
    /// It lacks this type or version.
    Type,
    /// It lacks a value, or requires another shape of it.
    Value,
    /// It lacks this field, and accepts the rest.
    Field(&'static str),
}

/// All that `twitch_api` 0.8.0 refuses: type, version, variant.
const GAPS: [(&str, &str, Option<&str>, Gap); 14] = [
    // The emote is to have the shape that it has in chat messages.
    ("channel.bits.use", "1", Some("power_up"), Gap::Value),
    ("channel.channel_points_automatic_reward_redemption.add", "2", None, Gap::Type),
    // A notice that Twitch added in 2026.
    ("channel.chat.notification", "1", Some("modiversary"), Gap::Value),
    ("channel.custom_power_up_redemption.add", "1", None, Gap::Type),
    // It has the withdrawn version 1.
    ("channel.hype_train.begin", "2", None, Gap::Type),
    ("channel.hype_train.begin", "2", Some("shared"), Gap::Type),
    ("channel.hype_train.end", "2", None, Gap::Type),
    ("channel.hype_train.progress", "2", None, Gap::Type),
    // The action `clear`.
    ("channel.moderate", "2", Some("clear"), Gap::Value),
    // A prediction that was cancelled has no winner.
    ("channel.prediction.end", "1", Some("canceled"), Gap::Value),
    ("drop.entitlement.grant", "1", None, Gap::Type),
    // Sent since June 2026.
    ("stream.offline", "1", None, Gap::Field("id")),
    ("user.update", "1", None, Gap::Field("email_verified")),
    ("user.update", "1", Some("without-email-scope"), Gap::Field("email_verified")),
];

fn gap(kind: &SubscriptionType, variant: Option<&str>) -> Option<Gap> {
    let of = |gap: &&(&str, &str, Option<&str>, Gap)| (gap.0, gap.1, gap.2) == (&kind.name, &kind.version, variant);
    GAPS.iter().find(of).map(|gap| gap.3)
}

fn offered() -> impl Iterator<Item = &'static SubscriptionType> {
    catalogue::all().iter().filter(|kind| kind.status != Availability::Deprecated)
}

fn secret() -> WebhookSecret {
    WebhookSecret::new(SECRET).unwrap()
}

fn stamp() -> Stamp {
    Stamp::new(Clock::default().now().format(&Rfc3339).unwrap())
}

fn simulated(
    kind: &'static SubscriptionType,
    variant: Option<&str>,
    without: Option<&str>,
) -> (Subscription, Outgoing) {
    let template = EventTemplate { variant: variant.map(str::to_owned), ..EventTemplate::plain(kind) };
    let mut event = template.event(Clock::default().now()).unwrap();
    if let (Some(field), Some(fields)) = (without, event.as_object_mut()) {
        fields.remove(field);
    }
    let subscription = Subscription::new(kind, &event, "https://example.org/callback");
    let message = Outgoing::notification(stamp(), &subscription, &event);
    (subscription, message)
}

fn request(message: &Outgoing, signature: &str) -> Request<Vec<u8>> {
    let mut request = Request::post("https://example.org/callback");
    for (name, value) in message.headers(Some(signature)) {
        request = request.header(name, value);
    }
    request.body(message.body.clone()).unwrap()
}

fn signed(message: &Outgoing) -> Request<Vec<u8>> {
    request(message, &message.sign(&secret()))
}

#[test]
fn every_simulated_message_is_accepted_by_twitch_api() {
    let (mut accepted, mut gaps) = (0, 0);
    for kind in offered() {
        for variant in samples::variants(&kind.name, &kind.version) {
            let what = format!("{} v{} {variant:?}", kind.name, kind.version);
            let gap = gap(kind, variant);
            let request = signed(&simulated(kind, variant, None).1);
            assert!(Event::verify_payload(&request, SECRET.as_bytes()), "{what}");
            let parsed = Event::parse_http(&request);
            assert_eq!(parsed.is_err(), gap.is_some(), "{what}: {parsed:?}");
            if let Some(Gap::Field(field)) = gap {
                let rest = Event::parse_http(&signed(&simulated(kind, variant, Some(field)).1));
                assert!(rest.is_ok(), "{what} without {field}: {rest:?}");
            }
            accepted += usize::from(parsed.is_ok_and(|event| event.is_notification()));
            gaps += usize::from(gap.is_some());
        }
    }
    assert_eq!((accepted, gaps), (121 - GAPS.len(), GAPS.len()));
}

#[test]
fn challenges_and_revocations_are_accepted_by_twitch_api() {
    let mut judged = 0;
    for kind in offered().filter(|kind| gap(kind, None) != Some(Gap::Type)) {
        let subscription = simulated(kind, None, None).0;
        let text = new_challenge();
        let pending = subscription.clone().with_status("webhook_callback_verification_pending");
        let event = accepted(&Outgoing::challenge(stamp(), &pending, &text));
        assert_eq!(event.get_verification_request().map(|request| request.challenge.as_str()), Some(text.as_str()));

        let revoked = subscription.with_status("authorization_revoked");
        let event = accepted(&Outgoing::revocation(stamp(), &revoked));
        assert!(event.is_revocation(), "{}", kind.name);
        assert_eq!(event.subscription().unwrap().status, Status::AuthorizationRevoked);
        judged += 1;
    }
    assert_eq!(judged, 77);
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The next frame of a socket that is no keepalive.
async fn frame(socket: &mut Socket) -> String {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.expect("a frame").unwrap().unwrap();
        match message {
            Frame::Text(text) if !text.contains("session_keepalive") => return text.to_string(),
            Frame::Text(_) | Frame::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Subscribes by twitch-cli's address, which requires no token, to all types of an event's kind. Returns the subscription's id.
async fn subscribe(twitch: &Twitch, kind: &'static SubscriptionType, session: &str) -> String {
    let event = EventTemplate::plain(kind).event(Clock::default().now()).unwrap();
    let body = json!({
        "type": kind.name,
        "version": kind.version,
        "condition": Subscription::new(kind, &event, "").condition,
        "transport": { "method": "websocket", "session_id": session },
    });
    let request = twitch.browser.post(format!("{}/eventsub/subscriptions", twitch.mock.base_url()));
    let answer = request.header("Client-Id", "any").json(&body).send().await.unwrap();
    let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
    assert_eq!(status, 202, "{}: {body}", kind.name);
    body["data"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_websocket_frame_is_accepted_by_twitch_api() {
    let twitch = Twitch::start().await;
    let (mut socket, _) = connect_async(twitch.mock.websocket_url().as_str()).await.unwrap();
    let welcome = frame(&mut socket).await;
    let Ok(EventsubWebsocketData::Welcome { payload, .. }) = Event::parse_websocket(&welcome) else {
        panic!("{welcome}")
    };
    let session = payload.session.id.to_string();

    let (mut accepted, mut gaps, mut last) = (0, 0, String::new());
    for kind in offered().filter(|kind| kind.transports.iter().any(|transport| transport == "websocket")) {
        let what = format!("{} v{}", kind.name, kind.version);
        last = subscribe(&twitch, kind, &session).await;
        assert_eq!(twitch.mock.world.emit(&kind.name, Some(&kind.version), None, None, &[]).unwrap(), 1, "{what}");
        let text = frame(&mut socket).await;
        let parsed = Event::parse_websocket(&text);
        let gap = gap(kind, None);
        assert_eq!(parsed.is_err(), gap.is_some(), "{what}: {parsed:?}");
        match (parsed, gap) {
            (Ok(EventsubWebsocketData::Notification { payload, .. }), _) => {
                assert_eq!(payload.subscription().unwrap().id.as_str(), last);
                accepted += 1;
            }
            (_, Some(Gap::Field(field))) => {
                let mut rest: Value = serde_json::from_str(&text).unwrap();
                rest["payload"]["event"].as_object_mut().unwrap().remove(field);
                let rest = rest.to_string();
                assert!(Event::parse_websocket(&rest).is_ok(), "{what} without {field}");
                gaps += 1;
            }
            (_, Some(_)) => gaps += 1,
            (other, None) => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!((accepted, gaps), (72, 7));

    twitch.mock.world.end_subscription(&last, "user_removed").unwrap();
    let text = frame(&mut socket).await;
    assert!(matches!(Event::parse_websocket(&text), Ok(EventsubWebsocketData::Revocation { .. })), "{text}");
    let reconnect = twitch.browser.post(format!("{}/mock/websocket/reconnect", twitch.mock.base_url()));
    assert!(reconnect.json(&json!({})).send().await.unwrap().status().is_success());
    let text = frame(&mut socket).await;
    assert!(matches!(Event::parse_websocket(&text), Ok(EventsubWebsocketData::Reconnect { .. })), "{text}");
    twitch.mock.stop().await.unwrap();
}

#[track_caller]
fn accepted(message: &Outgoing) -> Event {
    let request = signed(message);
    assert!(Event::verify_payload(&request, SECRET.as_bytes()));
    Event::parse_http(&request).unwrap_or_else(|error| panic!("{:?}: {error:?}", message.subscription))
}

/// Whether `twitch_api` accepts the signature; `None` if it panics.
fn theirs(request: &Request<Vec<u8>>) -> Option<bool> {
    catch_unwind(AssertUnwindSafe(|| Event::verify_payload(request, SECRET.as_bytes()))).ok()
}

fn ours(message: &Outgoing, signature: &str) -> bool {
    let (id, timestamp) = (&message.stamp.message_id, &message.stamp.timestamp);
    Verifier::new([&secret()]).is_genuine(signature, id, timestamp, &message.body)
}

#[test]
fn twitch_api_and_showtime_agree_on_forged_messages() {
    let kind = catalogue::find("channel.follow", None).unwrap();
    let genuine = simulated(kind, None, None).1;
    let signature = genuine.sign(&secret());
    let agree = |message: &Outgoing, signature: &str, expected: bool, what: &str| {
        assert_eq!(ours(message, signature), expected, "ours: {what}");
        assert_eq!(theirs(&request(message, signature)), Some(expected), "twitch_api: {what}");
    };
    agree(&genuine, &signature, true, "genuine");

    let changed = |change: fn(&mut Outgoing)| {
        let mut message = genuine.clone();
        change(&mut message);
        message
    };
    agree(&changed(|message| message.stamp.message_id.push('0')), &signature, false, "another id");
    agree(&changed(|message| message.stamp.timestamp.insert(0, '1')), &signature, false, "another timestamp");
    agree(&changed(|message| message.body.clear()), &signature, false, "no body");
    agree(&changed(|message| message.body.push(b' ')), &signature, false, "one byte more");
    for position in 0..genuine.body.len() {
        let mut message = genuine.clone();
        message.body[position] ^= 1;
        agree(&message, &signature, false, "a flipped bit");
    }
    let moved = changed(|message| {
        let first = message.stamp.timestamp.remove(0);
        message.stamp.message_id.push(first);
    });
    agree(&moved, &signature, true, "nothing separates id and timestamp, so this is signed too");

    let other = WebhookSecret::new("the secret of another server").unwrap();
    agree(&genuine, &genuine.sign(&other), false, "another secret");
    let digits = signature.strip_prefix("sha256=").unwrap();
    for (forged, what) in [
        (digits.to_owned(), "no prefix"),
        (format!("sha1={digits}"), "another prefix"),
        (format!("SHA256={digits}"), "an upper-case prefix"),
        (format!("sha256={}", &digits[..63]), "one digit less"),
        (format!("sha256={digits}0"), "one digit more"),
        (format!("sha256={}zz", &digits[..62]), "no hex digits"),
        (format!("sha256={}", "0".repeat(64)), "all zeros"),
        (format!("sha256= {}", &digits[1..]), "a space"),
        (String::new(), "nothing"),
    ] {
        agree(&genuine, &forged, false, what);
    }
}

/// Showtime is stricter: Twitch writes 64 lower-case digits, so no genuine message is lost.
#[test]
fn twitch_api_accepts_upper_case_and_panics_on_short_signatures() {
    let message = simulated(catalogue::find("channel.follow", None).unwrap(), None, None).1;
    let signature = message.sign(&secret());
    let upper = format!("sha256={}", signature.strip_prefix("sha256=").unwrap().to_uppercase());
    assert_eq!((ours(&message, &upper), theirs(&request(&message, &upper))), (false, Some(true)));
    for length in ["sha256=".len(), signature.len() - 2] {
        let short = &signature[..length];
        assert_eq!((ours(&message, short), theirs(&request(&message, short))), (false, None), "it panics");
    }
    let long = format!("{signature}00");
    assert_eq!((ours(&message, &long), theirs(&request(&message, &long))), (false, None), "it panics");
}
