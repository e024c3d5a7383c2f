//! One odd field costs no more than what it decides: every field of every sample is left out, `null`, emptied or given another
//! type, and state, alerts, chat and log stay right. The same holds for envelopes and for answers of Helix.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use showtime::message::Message;
use showtime::projection::{Fact, State};
use showtime::store::state;
use showtime::twitch::catalogue;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use showtime::twitch::helix::Helix;
use showtime::view::{Alert, Chat};
use sqlx::ConnectOptions as _;
use url::Url;

use crate::live::alerts::{all_samples, logged};
use crate::support::messages::{at, text, verified};
use crate::support::postgres::fresh_database;
use crate::support::recorder::{Answer, Recorder};
use crate::support::server::Server;
use crate::support::twitch::{clients, quick_retries};

const CALLBACK: &str = "https://hooks.example.org/callback";

/// The fields that decide identity, time or amount, or hold all the text there is, by the beginning of a sample's name.
const DECIDING: [(&str, &[&str]); 25] = [
    ("", &["/broadcaster_user_id", "/user_id"]),
    ("stream.online", &["/id", "/started_at"]),
    ("stream.offline", &["/id"]),
    ("channel.raid", &["/from_broadcaster_user_id", "/to_broadcaster_user_id", "/viewers"]),
    ("channel.cheer", &["/bits"]),
    ("channel.bits.use", &["/bits", "/type"]),
    ("channel.custom_power_up_redemption.add", &["/custom_power_up", "/custom_power_up/bits"]),
    ("channel.subscription.gift", &["/total"]),
    ("channel.subscription.message", &["/cumulative_months"]),
    ("channel.hype_train", &["/id", "/level", "/total"]),
    ("channel.channel_points_custom_reward_redemption.add", &["/reward", "/reward/cost"]),
    ("channel.channel_points_automatic_reward_redemption.add", &["/reward", "/reward/cost", "/reward/channel_points"]),
    ("channel.goal", &["/id", "/current_amount", "/target_amount"]),
    ("channel.charity_campaign", &["/id", "/broadcaster_id"]),
    ("channel.charity_campaign", &["/amount", "/amount/value", "/amount/decimal_places", "/amount/currency"]),
    (
        "channel.charity_campaign",
        &["/current_amount", "/current_amount/value", "/current_amount/decimal_places", "/current_amount/currency"],
    ),
    (
        "channel.charity_campaign",
        &["/target_amount", "/target_amount/value", "/target_amount/decimal_places", "/target_amount/currency"],
    ),
    ("channel.poll", &["/id"]),
    ("channel.prediction", &["/id"]),
    ("channel.ad_break.begin", &["/duration_seconds"]),
    ("channel.shoutout.receive", &["/from_broadcaster_user_id", "/viewer_count"]),
    ("channel.chat.message", &["/message_id", "/chatter_user_id", "/target_user_id", "/message"]),
    ("channel.chat.notification", &["/message_id", "/chatter_user_id", "/system_message"]),
    ("channel.chat.notification 1 announcement", &["/message"]),
    ("channel.chat.clear_user_messages", &["/target_user_id"]),
];

fn is_deciding(sample: &str, path: &str) -> bool {
    DECIDING.iter().any(|(of, paths)| sample.starts_with(of) && paths.contains(&path))
}

/// The paths of all fields below this value, and of the items of lists.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    let fields: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), field)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        _ => return,
    };
    for (name, field) in fields {
        let path = format!("{path}/{name}");
        paths(field, &path, found);
        found.push(path);
    }
}

/// The values that a field is changed to; `None` leaves it out.
fn changes(field: &Value) -> Vec<Option<Value>> {
    let mut changes = vec![None, Some(Value::Null)];
    let others = match field {
        Value::String(text) if text.contains("T") && text.ends_with('Z') => {
            vec![json!(""), json!("soon"), json!("9999-12-31T23:59:59-23:59"), json!("0000-01-01T00:00:00+23:59")]
        }
        Value::String(_) => vec![json!(""), json!(7), json!({ "x": [1] }), json!("\u{0}")],
        Value::Array(_) => vec![json!([]), json!("odd"), json!([null, 7, { "x": [1] }])],
        Value::Object(_) => vec![json!({}), json!("odd"), json!([1])],
        _ => vec![json!("odd"), json!({ "x": [1] })],
    };
    changes.extend(others.into_iter().map(Some));
    changes
}

/// This value with each of its fields changed, one at a time: the path, what the field became, and the whole.
fn changed(value: &Value) -> Vec<(String, Option<Value>, Value)> {
    let mut found = Vec::new();
    paths(value, "", &mut found);
    let mut all = Vec::new();
    for path in found {
        for change in changes(value.pointer(&path).unwrap()) {
            let mut whole = value.clone();
            match &change {
                Some(new) => *whole.pointer_mut(&path).unwrap() = new.clone(),
                None => {
                    let (parent, name) = path.rsplit_once('/').unwrap();
                    match whole.pointer_mut(parent).unwrap() {
                        Value::Object(fields) => drop(fields.remove(name)),
                        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                        _ => unreachable!(),
                    }
                }
            }
            all.push((path.clone(), change, whole));
        }
    }
    all
}

/// What comes of a message.
#[derive(Debug, PartialEq)]
struct Outcome {
    channel: Option<String>,
    /// The state without what only decorates it.
    state: Vec<String>,
    alert: Option<(&'static str, Value, Value)>,
    chat: Option<(&'static str, Value)>,
    has_event: bool,
}

/// What decorates the state, by its place.
type Details = BTreeMap<String, String>;

fn outcome(message: &Outgoing, kind: &str, event: &Value) -> (Outcome, Details) {
    let message = verified(message);
    let (state, details) = state_of(&message);
    let content = message.content();
    assert_eq!(content.kind(), Some(kind));
    let logged = logged(kind, event);
    let alert = Alert::new(&logged, false).map(|alert| {
        let shown = serde_json::to_value(&alert).unwrap();
        (alert.kind(), shown["channel"]["id"].clone(), shown["user"]["id"].clone())
    });
    let chat = Chat::new(&logged, false)
        .map(|chat| (chat.event(), serde_json::to_value(&chat).unwrap()["message_id"].clone()));
    let channel = content.channel_id.as_ref().map(ToString::to_string);
    (Outcome { channel, state, alert, chat, has_event: content.event.is_some() }, details)
}

fn state_of(message: &Message) -> (Vec<String>, Details) {
    let mut state = State::from_facts([&Fact::new(1, message)]);
    let (mut lines, mut details) = (Vec::new(), Details::new());
    for (id, user) in &state.users {
        lines.push(format!("user {id}"));
        details.insert(format!("{id} login"), user.value.login.clone());
        details.insert(format!("{id} name"), user.value.display_name.clone());
    }
    for (id, channel) in &mut state.channels {
        if let Some(info) = channel.info.take().map(|info| info.value) {
            lines.push(format!("info of {id}"));
            let fields = [&info.title, &info.language, &info.category_id, &info.category_name].map(Clone::clone);
            details.extend(fields.into_iter().enumerate().map(|(index, field)| (format!("{id} info {index}"), field)));
            details.insert(format!("{id} labels"), info.content_classification_labels.join(","));
        }
        lines.push(format!("{id} {channel:?}"));
    }
    for (id, stream) in &mut state.streams {
        if let Some(began) = &mut stream.began {
            details.insert(format!("{id} type"), began.kind.take().unwrap_or_default());
        }
        lines.push(format!("{id} {stream:?}"));
    }
    for (id, viewer) in &mut state.viewers {
        if let Some(subscription) = &mut viewer.subscription {
            details.insert(format!("{id:?} tier"), subscription.value.tier.take().unwrap_or_default());
        }
        if let Some(at) = viewer.first_followed_at.take() {
            lines.push(format!("{id:?} follows"));
            details.insert(format!("{id:?} first follow"), at.to_string());
        }
        lines.push(format!("{id:?} {viewer:?}"));
    }
    lines.push(format!("{:?} {:?}", state.stream_ends, state.subscriptions.keys()));
    (lines, details)
}

fn with_event(subscription: &Subscription, event: &Value) -> Outgoing {
    let stamp = Stamp { message_id: "m-1".to_owned(), timestamp: text(at(0)), retry: 0 };
    Outgoing::notification(stamp, subscription, event)
}

fn subscription_of(kind: &str, version: &str, event: &Value) -> Subscription {
    Subscription::new(catalogue::find(kind, Some(version)).unwrap(), event, CALLBACK)
}

#[test]
fn odd_field_of_a_payload_costs_what_it_decides() {
    let (mut tried, mut deciding) = (0, 0);
    for (kind, version, variant, event) in all_samples() {
        let subscription = subscription_of(kind, version, &event);
        let (right, details) = outcome(&with_event(&subscription, &event), kind, &event);
        let sample = format!("{kind} {version} {}", variant.unwrap_or_default());
        for (path, change, whole) in changed(&event) {
            if is_deciding(&sample, &path) {
                deciding += 1;
                continue;
            }
            let what = format!("{sample}: {path} is {change:?}");
            let (found, decorated) = outcome(&with_event(&subscription, &whole), kind, &whole);
            assert_eq!(found, right, "{what}");
            // A user without a login may have no display name of its own.
            let different = decorated.iter().filter(|(place, value)| details.get(*place) != Some(*value)).count();
            assert!(different <= 2, "{what}: {decorated:?} {details:?}");
            tried += 1;
        }
    }
    println!("{tried} changes of fields, {deciding} of fields that decide");
    assert!(tried > 10_000 && deciding < tried / 5, "{tried} {deciding}");
}

/// Every change of the envelope of a follow and of a revocation.
fn changed_envelopes() -> Vec<(String, Outgoing)> {
    let event = all_samples().into_iter().find(|sample| sample.0 == "channel.follow").unwrap().3;
    let subscription = subscription_of("channel.follow", "2", &event);
    let follow = with_event(&subscription, &event);
    let stamp = Stamp { message_id: "m-2".to_owned(), ..follow.stamp.clone() };
    let revoked = Outgoing::revocation(stamp, &subscription.with_status("authorization_revoked"));
    let mut all = Vec::new();
    for message in [follow, revoked] {
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        for (path, change, whole) in changed(&body) {
            // A revocation has no event that names the channel.
            let names_channel = ["/subscription/condition", "/subscription/condition/broadcaster_user_id"];
            let is_deciding = ["/subscription", "/subscription/id", "/subscription/type", "/event"].contains(&&*path)
                || (message.message_type == "revocation" && names_channel.contains(&&*path));
            if !is_deciding && !path.starts_with("/event/") {
                let body = whole.to_string().into_bytes();
                all.push((
                    format!("{}: {path} is {change:?}", message.message_type),
                    Outgoing { body, ..message.clone() },
                ));
            }
        }
    }
    all
}

#[test]
fn odd_field_of_an_envelope_costs_nothing() {
    let envelopes = changed_envelopes();
    assert!(envelopes.len() > 80, "{}", envelopes.len());
    for (what, message) in envelopes {
        let message = verified(&message);
        let content = message.content();
        assert_eq!(content.kind(), Some("channel.follow"), "{what}");
        assert_eq!(content.channel_id.as_ref().unwrap().as_str(), "90210441", "{what}");
        assert_eq!(content.event.is_some(), message.message_type().as_str() == "notification", "{what}");
        assert_eq!(state_of(&message).0.len(), if content.event.is_some() { 6 } else { 1 }, "{what}");
    }
}

/// Of every payload that changes the state, and every envelope.
#[tokio::test]
async fn odd_message_is_stored_and_all_that_follows_is_read() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    let mut messages = changed_envelopes();
    for (kind, version, variant, event) in all_samples() {
        let subscription = subscription_of(kind, version, &event);
        if verified(&with_event(&subscription, &event)).content().event.is_none() {
            continue;
        }
        for (path, change, whole) in changed(&event) {
            let what = format!("{kind} {version} {variant:?}: {path} is {change:?}");
            messages.push((what, with_event(&subscription, &whole)));
        }
    }
    let total = messages.len();
    for (index, (what, mut message)) in messages.into_iter().enumerate() {
        message.stamp.message_id = format!("m-{index}");
        message.subscription = None;
        let answer = server.deliver(&message).await;
        assert_eq!(answer.status, 204, "{what}: {answer:?}");
    }
    assert_eq!(server.count_events().await, i64::try_from(total).unwrap());
    for path in
        ["/channels", "/channels/90210441/viewers", "/channels/90210441/broadcasts", "/events?limit=100", "/status"]
    {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    state::rebuild(&mut database.connect().await.unwrap()).await.unwrap();
    server.stop().await;
}

/// A client of Helix that gets this answer, and where it can be changed.
fn helix() -> (Recorder, Arc<Mutex<Value>>, Helix) {
    let body = Arc::new(Mutex::new(Value::Null));
    let shown = Arc::clone(&body);
    let recorder = Recorder::start(move |request| {
        let token = json!({ "access_token": "a-token", "expires_in": 5_011_271, "token_type": "bearer" });
        let body = if request.path == "/token" { token } else { shown.lock().unwrap().clone() };
        Answer::new(200, "application/json", &body.to_string())
    });
    let url = Url::parse(&recorder.url("")).unwrap();
    let (_, helix) = clients(url.clone(), &url, quick_retries(), &showtime::clock::Clock::default());
    (recorder, body, helix)
}

/// The ids of the items that the client reads, and the number of those that it can't.
async fn read(helix: &Helix, call: &str) -> (Vec<String>, usize) {
    match call {
        "users" => (helix.users_by_id(&["1", "2"]).await.unwrap().iter().map(|it| it.id.to_string()).collect(), 0),
        "streams" => {
            let streams = helix.streams(&["1", "2"]).await.unwrap();
            (streams.iter().map(|it| it.user_id.to_string()).collect(), streams.unreadable())
        }
        "channels" => {
            let channels = helix.channels(&["1", "2"]).await.unwrap();
            (channels.iter().map(|it| it.broadcaster_id.to_string()).collect(), channels.unreadable())
        }
        _ => {
            let held = helix.subscriptions().await.unwrap();
            (held.subscriptions.into_iter().map(|it| it.id).collect(), held.unreadable)
        }
    }
}

#[tokio::test]
async fn odd_field_of_helix_costs_its_item_at_most() {
    let (_recorder, body, helix) = helix();
    let user = json!({ "id": "1", "login": "a", "display_name": "A", "created_at": "2019-04-02T11:30:00Z" });
    let stream = json!({ "id": "7", "user_id": "1", "user_login": "a", "user_name": "A", "game_id": "1",
        "game_name": "Chess", "type": "live", "title": "T", "tags": ["x"], "started_at": "2026-04-02T11:30:00Z" });
    let channel = json!({ "broadcaster_id": "1", "broadcaster_login": "a", "broadcaster_name": "A",
        "broadcaster_language": "en", "game_id": "1", "game_name": "Chess", "title": "T", "tags": [],
        "content_classification_labels": ["Gambling"] });
    let held = json!({ "id": "1", "status": "enabled", "type": "channel.follow", "version": "2", "cost": 1,
        "condition": { "broadcaster_user_id": "1", "moderator_user_id": "1" }, "created_at": "2026-04-02T11:30:00Z",
        "transport": { "method": "webhook", "callback": "https://hooks.example.org/callback" } });
    for (call, id, item, deciding) in [
        ("users", "id", user, &["/id", "/login"][..]),
        ("streams", "user_id", stream, &["/id", "/user_id", "/started_at"]),
        ("channels", "broadcaster_id", channel, &["/broadcaster_id"]),
        (
            "subscriptions",
            "id",
            held,
            &["/id", "/status", "/type", "/version", "/condition", "/transport", "/transport/method"],
        ),
    ] {
        let mut other = item.clone();
        other[id] = "2".into();
        for (path, change, whole) in changed(&item) {
            let what = format!("{call}: {path} is {change:?}");
            *body.lock().unwrap() = json!({ "data": [whole, other], "pagination": {} });
            let (ids, unreadable) = read(&helix, call).await;
            assert!(ids.contains(&"2".to_owned()), "{what}: the other item is lost");
            if !deciding.contains(&path.as_str()) {
                assert_eq!((ids.len(), ids[0].as_str(), unreadable), (2, "1", 0), "{what}");
            } else if call != "users" && ids.len() == 1 {
                assert_eq!(unreadable, 1, "{what}");
            }
        }
        let list = json!({ "data": [item], "pagination": { "cursor": "" }, "total_cost": 1, "max_total_cost": 10_000 });
        for (path, change, whole) in changed(&list) {
            // A list of another type is no answer, and any text is a cursor.
            let is_cursor = path == "/pagination/cursor" && matches!(change, Some(Value::String(_)));
            if path.starts_with("/data") || is_cursor {
                continue;
            }
            *body.lock().unwrap() = whole;
            assert!(!read(&helix, call).await.0.is_empty(), "{call}: {path} is {change:?}");
        }
        *body.lock().unwrap() = json!({ "data": null, "pagination": null });
        assert!(read(&helix, call).await.0.is_empty(), "{call}");
    }
}
