//! Alerts and chat messages from every sample.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use showtime::api;
use showtime::store::LogId;
use showtime::store::read::events::LoggedEvent;
use showtime::twitch::{catalogue, samples};
use showtime::view::{Alert, Chat, alert, chat};
use sqlx::types::Json;

use crate::support::messages::at;
use crate::support::schema::check;

/// A notification as a row of the log.
fn logged(kind: &str, event: &Value) -> LoggedEvent {
    LoggedEvent {
        id: LogId(7),
        message_id: "m".to_owned(),
        message_type: "notification".to_owned(),
        kind: Some(kind.to_owned()),
        version: Some("1".to_owned()),
        channel_id: Some("90210441".to_owned()),
        subscription_id: None,
        occurred_at: at(0),
        received_at: at(0),
        payload: Json(to_raw_value(&json!({ "subscription": {}, "event": event })).unwrap()),
        is_test: false,
        channel_login: None,
        channel_name: None,
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
fn all_samples() -> Vec<(&'static str, &'static str, Option<&'static str>, Value)> {
    let variants = |kind: &'static catalogue::SubscriptionType| {
        samples::variants(&kind.name, &kind.version)
            .map(move |variant| (&*kind.name, &*kind.version, variant, sample(&kind.name, &kind.version, variant)))
    };
    catalogue::all().iter().flat_map(variants).collect()
}

#[test]
fn samples_of_the_sources_are_alerts_as_described_and_no_others() {
    let spec = api::live_spec();
    let schema = &spec["components"]["schemas"]["Alert"];
    let mut seen = BTreeSet::new();
    let samples = all_samples();
    assert!(samples.len() > 100);
    for (kind, version, variant, event) in samples {
        // The plain sample of channel.bits.use is a cheer, which is an alert by channel.cheer.
        let is_one = alert::sources().any(|source| source == kind) && (kind != "channel.bits.use" || variant.is_some());
        let alert = alert(kind, &event);
        assert_eq!(alert.is_some(), is_one, "{kind} {version} {variant:?}");
        if let Some(alert) = alert {
            check(&spec, schema, &alert);
            assert_eq!(alert["channel"]["login"], "maplearcade", "{kind}");
            seen.insert(alert["type"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<BTreeSet<_>>(), Alert::kinds().iter().copied().collect());
}

#[test]
fn samples_of_the_sources_are_chat_as_described_and_no_others() {
    let spec = api::live_spec();
    let mut seen = BTreeSet::new();
    for (kind, version, variant, event) in all_samples() {
        let chat = Chat::new(&logged(kind, &event), false);
        assert_eq!(chat.is_some(), chat::sources().any(|source| source == kind), "{kind} {version} {variant:?}");
        if let Some(chat) = chat {
            let payload = json!({ "id": 7, "event": chat.event(), "data": chat });
            check(&spec, &spec["components"]["messages"][chat.event()]["payload"], &payload);
            seen.insert(chat.event());
        }
    }
    assert_eq!(seen.len(), 3);
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
fn stream_begins_and_ends_are_alerts_also_when_inferred() {
    for message_type in ["notification", "inferred"] {
        let read = |kind: &str, variant: Option<&str>| {
            let event = sample(kind, "1", variant);
            let logged = LoggedEvent { message_type: message_type.to_owned(), ..logged(kind, &event) };
            serde_json::to_value(Alert::new(&logged, false).unwrap()).unwrap()
        };
        let online = read("stream.online", None);
        assert_eq!((&online["type"], &online["stream_id"]), (&"online".into(), &"42170003821".into()));
        assert_eq!((&online["user"], &online["started_at"]), (&online["channel"], &"2026-03-14T17:30:05Z".into()));
        let offline = read("stream.offline", None);
        assert_eq!((&offline["type"], &offline["stream_id"]), (&"offline".into(), &"42170003821".into()));
        assert_eq!(read("stream.offline", Some("before-2026-06"))["stream_id"], Value::Null);
    }
}

/// The overlay drops alerts that it does not know.
#[test]
fn kinds_of_the_pages_are_those_of_the_api() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/pages/assets/kinds.js");
    let text = std::fs::read_to_string(path).unwrap();
    let types = text.split("types: {").skip(1).map(|rest| rest.split("label:").next().unwrap());
    // In `raid: 'text'` the name stands before the colon.
    let names = types.flat_map(|types| {
        let mut parts: Vec<_> = types.split(": '").collect();
        parts.pop();
        parts.into_iter().map(|part| part.rsplit([' ', '{']).next().unwrap().to_owned())
    });
    let names: BTreeSet<String> = names.collect();
    assert_eq!(names, Alert::kinds().iter().map(|&kind| kind.to_owned()).collect());
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
    let raid = alert("channel.raid", &event).unwrap();
    assert_eq!((&raid["user"]["login"], &raid["viewers"]), (&"copperkite".into(), &237.into()));
    let sent = LoggedEvent { channel_id: Some("71330092".to_owned()), ..logged("channel.raid", &event) };
    assert!(Alert::new(&sent, false).is_none());
}

#[test]
fn gift_is_one_alert_for_all_recipients() {
    let gift = alert("channel.subscription.gift", &sample("channel.subscription.gift", "1", None)).unwrap();
    assert_eq!((&gift["type"], &gift["total"], &gift["cumulative_total"]), (&"gift".into(), &5.into(), &41.into()));
    let mut received = sample("channel.subscribe", "1", None);
    assert_eq!(alert("channel.subscribe", &received).unwrap()["type"], "subscribe");
    received["is_gift"] = true.into();
    assert_eq!(alert("channel.subscribe", &received), None);
}

#[test]
fn anonymous_cheer_and_gift_have_null_user() {
    for kind in ["channel.cheer", "channel.subscription.gift"] {
        let alert = alert(kind, &sample(kind, "1", Some("anonymous"))).unwrap();
        assert_eq!(alert["user"], Value::Null, "{kind}");
    }
}

#[test]
fn resubscription_has_months_and_message() {
    let alert = alert("channel.subscription.message", &sample("channel.subscription.message", "1", None)).unwrap();
    assert_eq!(alert["type"], "resubscribe");
    assert_eq!((&alert["months"], &alert["streak_months"]), (&8.into(), &3.into()));
    assert_eq!((&alert["tier"], &alert["message"]), (&"2000".into(), &"Eight months already Kappa".into()));
}

#[test]
fn chat_message_has_badges_and_fragments() {
    let chat = Chat::new(&logged("channel.chat.message", &sample("channel.chat.message", "1", None)), true).unwrap();
    let message = serde_json::to_value(&chat).unwrap();
    assert_eq!((&message["is_replay"], &message["color"]), (&true.into(), &"#1E90FF".into()));
    assert_eq!(message["badges"][0], json!({ "set_id": "subscriber", "id": "6", "info": "8" }));
    let kinds: Vec<_> = message["fragments"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect();
    assert_eq!(kinds, ["text", "mention", "text", "emote"]);
    assert_eq!(message["fragments"][3]["emote"], json!({ "id": "25", "formats": ["static"] }));
    assert_eq!(message["fragments"][1]["mention"]["login"], "mintcomet");
}
