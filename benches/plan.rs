//! Cost of planning an event with 200 rules, of which 50 have a regular expression and 10 a filter.

#![expect(clippy::expect_used, reason = "a bench may fail")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use serde_json::json;
use serde_json::value::to_raw_value;
use sqlx::types::Json;
use time::OffsetDateTime;
use time::macros::datetime;

use showtime::outputs::reactions::rules::compiled::Compiled;
use showtime::outputs::reactions::rules::filter;
use showtime::outputs::reactions::rules::plan::plan;
use showtime::outputs::reactions::rules::read::from_toml;
use showtime::outputs::reactions::rules::state::State;
use showtime::store::LogId;
use showtime::store::read::events::LoggedEvent;
use showtime::twitch::samples;

const NOW: OffsetDateTime = datetime!(2026-03-14 18:00 UTC);

fn rules() -> Compiled {
    let mut text = String::new();
    let mut add = |name: usize, trigger: String| {
        let _ =
            writeln!(text, "[[rule]]\nname = \"{name}\"\n{trigger}\ndo = [{{ say = \"Hi {{{{ user.name }}}}\" }}]\n");
    };
    (0..50).for_each(|it| add(it, format!("message = '(?i)\\b(buy|cheap){it}\\s+(followers|viewers)\\b'")));
    (50..60)
        .for_each(|it| add(it, "filter = { links = {}, words = [\"rude word\", \"worse\"], length = 450 }".to_owned()));
    (60..160).for_each(|it| add(it, format!("command = \"!command{it}\"\ncooldown = \"5s\"")));
    (160..200).for_each(|it| add(it, "on = \"channel.cheer\"\nwhen = \"event.bits > 1000\"".to_owned()));
    Compiled::of_file(&from_toml(&text).expect("rules")).expect("compiled rules")
}

fn line(text: &str) -> LoggedEvent {
    let sample = samples::sample("channel.chat.message", "1", None).expect("a sample");
    let mut event: serde_json::Value = serde_json::from_str(sample).expect("JSON");
    event["message"] = json!({ "text": text, "fragments": [{ "type": "text", "text": text }] });
    LoggedEvent {
        id: LogId(1),
        message_id: "message".to_owned(),
        message_type: "notification".to_owned(),
        kind: Some("channel.chat.message".to_owned()),
        version: Some("1".to_owned()),
        channel_id: "90210441".parse().ok(),
        subscription_id: None,
        occurred_at: NOW,
        received_at: NOW,
        is_test: false,
        payload: Json(to_raw_value(&json!({ "event": event })).expect("JSON")),
        channel_login: None,
        channel_name: None,
        repeats: None,
        repeated_on: None,
        is_echo: false,
    }
}

fn plans(criterion: &mut Criterion) {
    let (rules, state) = (rules(), State::default());
    let mut group = criterion.benchmark_group("plan");
    group.throughput(Throughput::Elements(1));
    let long = "word and ".repeat(55);
    for (name, text) in [
        ("line", "that was a nice run, well played"),
        ("line_not_ascii", "das war ein schöner Lauf 🦦, gut gespielt"),
        ("line_500", &*long),
        ("command", "!command70 a b c"),
        ("spam", "buy7 followers"),
    ] {
        let event = line(text);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || state.clone(),
                |state| plan(&rules, state, black_box(&event), NOW),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn patterns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pattern");
    let text = "a".repeat(500);
    for pattern in ["(a|a)*b", "(a+)+$", "(.*a){20}x"] {
        let regex = filter::regex(pattern).expect("a pattern");
        group.bench_function(pattern, |bencher| bencher.iter(|| regex.is_match(black_box(&text))));
    }
    group.finish();
}

fn main() {
    let brief = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut criterion = brief.nresamples(10_000).configure_from_args();
    plans(&mut criterion);
    patterns(&mut criterion);
    criterion.final_summary();
}
