//! The sentence of each event: `text` of events and alerts.

use std::collections::BTreeMap;
use std::fs;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use showtime::store::read::events::LoggedEvent;
use showtime::twitch::catalogue::{self, Availability};
use showtime::view::text::sentence;
use showtime::view::{Alert, Event};
use sqlx::types::Json;

use super::alerts::{all_samples, logged, name};
use crate::support::snapshot::lines;

/// A notification as a row of the log; a list is the `events` of a batch.
fn row(kind: &str, event: &Value) -> LoggedEvent {
    let field = if event.is_array() { "events" } else { "event" };
    LoggedEvent { payload: Json(to_raw_value(&json!({ field: event })).unwrap()), ..logged(kind, event) }
}

/// Fails if a sentence could begin a line, control a terminal, or turn the direction of what stands beside it.
fn assert_harmless(sentence: &str, of: &str) {
    assert!(!sentence.trim().is_empty(), "{of}");
    assert!(!sentence.chars().any(char::is_control), "{of}: {sentence:?}");
    assert!(!sentence.contains(['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}']), "{of}: {sentence:?}");
    let mut isolates = 0_i32;
    for c in sentence.chars() {
        assert!(!matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}' | '\u{2067}'), "{of}: {sentence:?}");
        isolates += i32::from(c == '\u{2068}') - i32::from(c == '\u{2069}');
        assert!(isolates == 0 || isolates == 1, "{of}: {sentence:?}");
    }
    assert_eq!(isolates, 0, "{of}: {sentence:?}");
}

#[test]
fn every_sample_has_a_sentence() {
    let mut shown = BTreeMap::new();
    for (kind, version, variant, event) in all_samples() {
        let sentence = sentence(&row(kind, &event));
        assert_harmless(&sentence, kind);
        assert!(!sentence.starts_with(kind), "{kind} is unknown: {sentence}");
        shown.insert(name(kind, version, variant), sentence);
    }
    for kind in catalogue::all().iter().filter(|kind| kind.status != Availability::Deprecated) {
        assert!(shown.contains_key(&name(&kind.name, &kind.version, None)), "{}", kind.name);
    }
    insta::assert_snapshot!("sentences", lines(&json!(shown)));
}

/// The cases hold what Twitch sent: missing fields, placeholders, empty names.
#[test]
fn every_case_has_a_sentence() {
    let mut shown = BTreeMap::new();
    for file in fs::read_dir("tests/cases").unwrap() {
        let path = file.unwrap().path();
        let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let steps = ["before", "steps"].into_iter().filter_map(|field| case[field].as_array()).flatten();
        for (at, step) in steps.enumerate().filter(|(_, step)| step["event"].is_object()) {
            let kind = step["type"].as_str().unwrap();
            let sentence = sentence(&row(kind, &step["event"]));
            assert_harmless(&sentence, kind);
            shown.insert(format!("{} {at}", path.file_stem().unwrap().display()), sentence);
        }
    }
    insta::assert_snapshot!("sentences_of_cases", lines(&json!(shown)));
}

#[test]
fn changed_payload_has_a_sentence() {
    let hostile = "\u{2069}\u{202e}\u{1b}[2J\n\u{9b}31mשלום";
    for (kind, _, _, event) in all_samples() {
        assert_harmless(&sentence(&row(kind, &json!({}))), kind);
        let Some(fields) = event.as_object() else { continue };
        for name in fields.keys() {
            for value in
                [Value::Null, json!({ "x": [1] }), json!([{}]), json!(-1), json!(i64::MIN), json!(""), json!(hostile)]
            {
                let mut event = event.clone();
                event[name] = value;
                assert_harmless(&sentence(&row(kind, &event)), kind);
            }
        }
    }
}

/// All texts of an event are a stranger's, with names of both directions.
#[test]
fn text_of_strangers_stays_in_its_place() {
    fn replace(value: &mut Value, with: &str) {
        match value {
            Value::String(text) => *text = with.to_owned(),
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, with)),
            Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, with)),
            _ => {}
        }
    }
    for (kind, _, _, mut event) in all_samples() {
        replace(&mut event, "\u{2068}\u{202e}\u{1b}[31m\rשלום\u{2028}");
        assert_harmless(&sentence(&row(kind, &event)), kind);
    }
    let hostile = json!({ "user_name": "\u{202e}CopperKite\n", "total": 20, "tier": "1000" });
    assert_eq!(sentence(&row("channel.subscription.gift", &hostile)), "CopperKite gifted 20 subs (Tier 1)");
}

#[test]
fn what_is_no_known_event_shows_what_it_has() {
    let shown = |kind: &str, event: Value| sentence(&row(kind, &event));
    let event = json!({ "user_name": "QuietOtter", "bits": 1_000, "message": { "text": "hi" } });
    assert_eq!(shown("channel.confetti", event), "channel.confetti: QuietOtter, 1,000 bits, hi");
    assert_eq!(shown("channel.confetti", json!({})), "channel.confetti");
    assert_eq!(shown("channel.cheer", json!({})), "A user cheered bits");
    assert_eq!(shown("channel.cheer", json!("?")), "A user cheered bits");
    let payload = |payload: Value| Json(to_raw_value(&payload).unwrap());
    let follow = || logged("channel.follow", &json!({}));
    let revoked = json!({ "subscription": { "status": "authorization_revoked" } });
    let revoked = LoggedEvent { message_type: "revocation".into(), payload: payload(revoked), ..follow() };
    assert_eq!(sentence(&revoked), "The subscription to channel.follow ended: authorization revoked");
    let bare =
        LoggedEvent { kind: None, message_type: "new\u{1b}thing".into(), payload: payload(json!([])), ..follow() };
    assert_eq!(sentence(&bare), "newthing");
    let named = LoggedEvent { channel_name: Some("MapleArcade".to_owned()), ..row("stream.online", &json!({})) };
    assert_eq!(sentence(&named), "MapleArcade is live");
}

#[test]
fn segments_have_sentences() {
    let segment = |kind: &str, event: Value| LoggedEvent { message_type: "segment".to_owned(), ..row(kind, &event) };
    let begin = segment("showtime.segment.begin", json!({ "title": "Tape 12: holiday in the snow" }));
    assert_eq!(sentence(&begin), "A segment began: Tape 12: holiday in the snow");
    assert_eq!(sentence(&segment("showtime.segment.end", json!({}))), "The segment ended");
    let change = segment("showtime.segment.change", json!({ "title": "Tape 13" }));
    assert_eq!(sentence(&change), "The segment was changed: Tape 13");
    let change = segment("showtime.segment.change", json!({ "reference": "shelf 3" }));
    assert_eq!(sentence(&change), "The segment was changed");
    assert_eq!(sentence(&segment("showtime.segment.remove", json!({}))), "The segment was removed");
}

#[test]
fn events_and_alerts_carry_the_sentence() {
    let event = json!({ "broadcaster_user_id": "90210441", "user_id": "7", "user_name": "CopperKite", "total": 20, "tier": "1000" });
    let gift = row("channel.subscription.gift", &event);
    assert_eq!(Event::new(&gift, false).text, "CopperKite gifted 20 subs (Tier 1)");
    assert_eq!(Alert::new(&gift, false).unwrap().text, "CopperKite gifted 20 subs (Tier 1)");
}
