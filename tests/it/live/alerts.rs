//! Alerts and chat messages from every sample.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use showtime::api;
use showtime::store::LogId;
use showtime::store::read::events::LoggedEvent;
use showtime::twitch::{catalogue, samples};
use showtime::view::{Alert, Chat, alert, chat};
use sqlx::types::Json;
use time::macros::datetime;

use crate::support::schema::check;
use crate::support::snapshot::lines;

/// A notification as a row of the log.
pub(crate) fn logged(kind: &str, event: &Value) -> LoggedEvent {
    LoggedEvent {
        id: LogId(7),
        message_id: "m".to_owned(),
        message_type: "notification".to_owned(),
        kind: Some(kind.to_owned()),
        version: Some("1".to_owned()),
        channel_id: Some("90210441".parse().unwrap()),
        subscription_id: None,
        occurred_at: datetime!(2026-03-14 17:30 UTC),
        received_at: datetime!(2026-03-14 17:30:01 UTC),
        payload: Json(to_raw_value(&json!({ "subscription": {}, "event": event })).unwrap()),
        is_test: false,
        channel_login: None,
        channel_name: None,
        repeats: None,
        repeated_on: None,
        is_echo: false,
    }
}

fn sample(kind: &str, version: &str, variant: Option<&str>) -> Value {
    serde_json::from_str(samples::sample(kind, version, variant).unwrap()).unwrap()
}

/// The JSON of the alert.
fn alert(kind: &str, event: &Value) -> Option<Value> {
    Alert::new(&logged(kind, event), false).map(|alert| {
        let value = serde_json::to_value(&alert).unwrap();
        assert_eq!(value["type"], alert.kind());
        value
    })
}

/// All samples: type, version, variant, event.
pub(crate) fn all_samples() -> Vec<(&'static str, &'static str, Option<&'static str>, Value)> {
    let variants = |kind: &'static catalogue::SubscriptionType| {
        samples::variants(&kind.name, &kind.version)
            .map(move |variant| (&*kind.name, &*kind.version, variant, sample(&kind.name, &kind.version, variant)))
    };
    catalogue::all().iter().flat_map(variants).collect()
}

/// The name of a sample in the snapshots.
pub(super) fn name(kind: &str, version: &str, variant: Option<&str>) -> String {
    variant.map_or_else(|| format!("{kind} {version}"), |variant| format!("{kind} {version} {variant}"))
}

#[test]
fn samples_of_the_sources_are_alerts_as_described_and_no_others() {
    let spec = api::live_spec();
    let schema = &spec["components"]["schemas"]["Alert"];
    let (mut kinds, mut shown) = (BTreeSet::new(), BTreeMap::new());
    for (kind, version, variant, event) in all_samples() {
        // The plain sample of channel.bits.use is a cheer, which is an alert by channel.cheer.
        let is_one = alert::sources().any(|source| source == kind) && (kind != "channel.bits.use" || variant.is_some());
        let alert = alert(kind, &event);
        assert_eq!(alert.is_some(), is_one, "{kind} {version} {variant:?}");
        if let Some(alert) = alert {
            check(&spec, schema, &alert);
            kinds.insert(alert["type"].as_str().unwrap().to_owned());
            shown.insert(name(kind, version, variant), alert);
        }
    }
    assert_eq!(kinds.iter().map(String::as_str).collect::<BTreeSet<_>>(), Alert::kinds().iter().copied().collect());
    insta::assert_snapshot!("alerts", lines(&json!(shown)));
}

#[test]
fn samples_of_the_sources_are_chat_as_described_and_no_others() {
    let spec = api::live_spec();
    let mut shown = BTreeMap::new();
    for (kind, version, variant, event) in all_samples() {
        let chat = Chat::new(&logged(kind, &event), false);
        assert_eq!(chat.is_some(), chat::sources().any(|source| source == kind), "{kind} {version} {variant:?}");
        if let Some(chat) = chat {
            let payload = json!({ "id": 7, "event": chat.event(), "data": chat });
            check(&spec, &spec["components"]["messages"][chat.event()]["payload"], &payload);
            shown.insert(name(kind, version, variant), payload);
        }
    }
    insta::assert_snapshot!("chat", lines(&json!(shown)));
}

/// Twitch may drop a field, set it to `null`, or change its type.
#[test]
fn changed_payload_is_no_alert_or_one_as_described() {
    let spec = api::live_spec();
    let schema = &spec["components"]["schemas"]["Alert"];
    let (mut read, mut refused) = (0, 0);
    for (kind, _, _, event) in all_samples() {
        let Some(fields) = event.as_object() else { continue };
        for name in fields.keys() {
            for value in [None, Some(Value::Null), Some(json!({ "x": [1] })), Some(json!("x")), Some(json!(-1))] {
                let mut event = event.clone();
                match value {
                    Some(value) => event[name] = value,
                    None => drop(event.as_object_mut().unwrap().remove(name)),
                }
                match alert(kind, &event) {
                    Some(alert) => {
                        check(&spec, schema, &alert);
                        read += 1;
                    }
                    None => refused += usize::from(alert::sources().any(|source| source == kind)),
                }
                let _ = Chat::new(&logged(kind, &event), false);
            }
        }
    }
    assert!(refused > 500 && read > 500, "{read} read, {refused} refused");
}

#[test]
fn unreadable_detail_does_not_cost_the_alert() {
    let mut poll = sample("channel.poll.end", "1", None);
    (poll["title"], poll["status"]) = (Value::Null, json!(5));
    poll["choices"][0]["id"] = Value::Null;
    let poll = alert("channel.poll.end", &poll).unwrap();
    assert_eq!((&poll["title"], &poll["status"]), (&"".into(), &Value::Null));
    assert_eq!(poll["choices"].as_array().unwrap().len(), 1, "the other choice is left");
    let mut ads = sample("channel.ad_break.begin", "1", None);
    (ads["duration_seconds"], ads["is_automatic"]) = (json!("60"), json!("true"));
    let ads = alert("channel.ad_break.begin", &ads).unwrap();
    assert_eq!((&ads["duration_seconds"], &ads["is_automatic"]), (&60.into(), &true.into()));
}

#[test]
fn inferred_stream_begin_and_end_are_alerts_too() {
    for kind in ["stream.online", "stream.offline"] {
        let event = sample(kind, "1", None);
        let inferred = LoggedEvent { message_type: "inferred".to_owned(), ..logged(kind, &event) };
        let inferred = Alert::new(&inferred, false).unwrap();
        assert_eq!(serde_json::to_value(&inferred).unwrap(), alert(kind, &event).unwrap());
    }
}

#[test]
fn revocation_is_no_alert() {
    let event = sample("channel.follow", "2", None);
    let revocation = LoggedEvent { message_type: "revocation".to_owned(), ..logged("channel.follow", &event) };
    assert!(Alert::new(&revocation, false).is_none());
    let nothing = LoggedEvent { payload: Json(to_raw_value(&json!([])).unwrap()), ..logged("channel.follow", &event) };
    assert!(Alert::new(&nothing, false).is_none());
}

#[test]
fn raid_is_an_alert_on_the_raided_channel_only() {
    let event = sample("channel.raid", "1", None);
    assert_eq!(alert("channel.raid", &event).unwrap()["channel"]["id"], event["to_broadcaster_user_id"]);
    let sent = LoggedEvent { channel_id: Some("71330092".parse().unwrap()), ..logged("channel.raid", &event) };
    assert!(Alert::new(&sent, false).is_none());
}

#[test]
fn message_of_the_first_month_is_a_new_subscription() {
    let mut message = sample("channel.subscription.message", "1", None);
    assert_eq!(alert("channel.subscription.message", &message).unwrap()["type"], "resubscribe");
    message["cumulative_months"] = 1.into();
    let alert = alert("channel.subscription.message", &message).unwrap();
    assert_eq!((&alert["type"], &alert["message"]), (&"subscribe".into(), &message["message"]["text"]));
}

#[test]
fn gifted_subscription_is_no_alert_of_its_recipient() {
    let mut received = sample("channel.subscribe", "1", None);
    received["is_gift"] = true.into();
    assert_eq!(alert("channel.subscribe", &received), None);
}

#[test]
fn replayed_chat_message_and_alert_are_marked() {
    let (chat, follow) = (sample("channel.chat.message", "1", None), sample("channel.follow", "2", None));
    let chat = serde_json::to_value(Chat::new(&logged("channel.chat.message", &chat), true).unwrap()).unwrap();
    let follow = serde_json::to_value(Alert::new(&logged("channel.follow", &follow), true).unwrap()).unwrap();
    assert_eq!((&chat["is_replay"], &follow["is_replay"]), (&true.into(), &true.into()));
}
