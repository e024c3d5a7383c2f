//! What becomes of every sample that there is.

use std::collections::BTreeSet;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use showtime::api;
use showtime::store::read::live::Logged;
use showtime::twitch::{catalogue, samples};
use showtime::view::alert::{self, Alert};
use showtime::view::chat;
use sqlx::types::Json;

use crate::support::messages::at;
use crate::support::schema::check;

/// A notification as it is in the log.
fn logged(kind: &str, event: &Value) -> Logged {
    Logged {
        id: 7,
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

/// The alert as it is sent.
fn alert(kind: &str, event: &Value) -> Option<Value> {
    alert::of(&logged(kind, event), false).map(|alert| {
        let value = serde_json::to_value(&alert).unwrap();
        assert_eq!(value["type"], alert.kind());
        value
    })
}

/// Every sample: type, version, variant, event.
fn all_samples() -> Vec<(&'static str, &'static str, Option<&'static str>, Value)> {
    let variants = |kind: &'static catalogue::SubscriptionType| {
        samples::variants(&kind.name, &kind.version)
            .map(move |variant| (&*kind.name, &*kind.version, variant, sample(&kind.name, &kind.version, variant)))
    };
    catalogue::all().iter().flat_map(variants).collect()
}

#[test]
fn every_sample_of_its_types_is_an_alert_as_described_and_no_other_is() {
    let spec = api::live_spec();
    let schema = &spec["components"]["schemas"]["Alert"];
    let mut seen = BTreeSet::new();
    let samples = all_samples();
    assert!(samples.len() > 100);
    for (kind, version, variant, event) in samples {
        // What was cheered is told by channel.cheer.
        let is_one = alert::SOURCES.contains(&kind) && (kind != "channel.bits.use" || variant.is_some());
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
fn every_sample_of_its_types_is_chat_as_described_and_no_other_is() {
    let spec = api::live_spec();
    let mut seen = BTreeSet::new();
    for (kind, version, variant, event) in all_samples() {
        let chat = chat::of(&logged(kind, &event), false);
        assert_eq!(chat.is_some(), chat::SOURCES.contains(&kind), "{kind} {version} {variant:?}");
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
fn a_payload_that_has_changed_is_no_alert_or_one_as_described() {
    let spec = api::live_spec();
    let schema = &spec["components"]["schemas"]["Alert"];
    let mut refused = 0;
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
                    Some(alert) => check(&spec, schema, &alert),
                    None => refused += usize::from(alert::SOURCES.contains(&kind)),
                }
                let _ = chat::of(&logged(kind, &event), false);
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn what_is_not_a_notification_is_no_alert() {
    let event = sample("channel.follow", "2", None);
    let revocation = Logged { message_type: "revocation".to_owned(), ..logged("channel.follow", &event) };
    assert!(alert::of(&revocation, false).is_none());
    let nothing = Logged { payload: Json(to_raw_value(&json!([])).unwrap()), ..logged("channel.follow", &event) };
    assert!(alert::of(&nothing, false).is_none());
}

#[test]
fn a_raid_is_an_alert_where_it_arrives_only() {
    let event = sample("channel.raid", "1", None);
    let raid = alert("channel.raid", &event).unwrap();
    assert_eq!((&raid["user"]["login"], &raid["viewers"]), (&"copperkite".into(), &237.into()));
    let sent = Logged { channel_id: Some("71330092".to_owned()), ..logged("channel.raid", &event) };
    assert!(alert::of(&sent, false).is_none());
}

#[test]
fn a_gift_is_one_alert_however_many_receive_it() {
    let gift = alert("channel.subscription.gift", &sample("channel.subscription.gift", "1", None)).unwrap();
    assert_eq!((&gift["type"], &gift["total"], &gift["cumulative_total"]), (&"gift".into(), &5.into(), &41.into()));
    let mut received = sample("channel.subscribe", "1", None);
    assert_eq!(alert("channel.subscribe", &received).unwrap()["type"], "subscribe");
    received["is_gift"] = true.into();
    assert_eq!(alert("channel.subscribe", &received), None);
}

#[test]
fn who_wants_to_stay_unnamed_is_null() {
    for kind in ["channel.cheer", "channel.subscription.gift"] {
        let alert = alert(kind, &sample(kind, "1", Some("anonymous"))).unwrap();
        assert_eq!(alert["user"], Value::Null, "{kind}");
    }
}

#[test]
fn a_resubscription_has_months_and_message() {
    let alert = alert("channel.subscription.message", &sample("channel.subscription.message", "1", None)).unwrap();
    assert_eq!(alert["type"], "resubscribe");
    assert_eq!((&alert["months"], &alert["streak_months"]), (&8.into(), &3.into()));
    assert_eq!((&alert["tier"], &alert["message"]), (&"2000".into(), &"Eight months already Kappa".into()));
}

#[test]
fn a_chat_message_has_what_an_overlay_draws() {
    let chat = chat::of(&logged("channel.chat.message", &sample("channel.chat.message", "1", None)), true).unwrap();
    let message = serde_json::to_value(&chat).unwrap();
    assert_eq!((&message["is_replay"], &message["color"]), (&true.into(), &"#1E90FF".into()));
    assert_eq!(message["badges"][0], json!({ "set_id": "subscriber", "id": "6", "info": "8" }));
    let kinds: Vec<_> = message["fragments"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect();
    assert_eq!(kinds, ["text", "mention", "text", "emote"]);
    assert_eq!(message["fragments"][3]["emote"], json!({ "id": "25", "formats": ["static"] }));
    assert_eq!(message["fragments"][1]["mention"]["login"], "mintcomet");
}
