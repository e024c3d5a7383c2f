//! Cost of planning an event with 200 rules, of which 50 have a regular expression and 10 a filter; of regular expressions and
//! templates that are written to take long; and the memory that these take.

#![expect(clippy::expect_used, reason = "a bench may fail")]

#[path = "support/rules.rs"]
mod rules;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use minijinja::value::Value;
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
use showtime::outputs::reactions::rules::template::Templates;
use showtime::store::LogId;
use showtime::store::read::events::LoggedEvent;
use showtime::twitch::samples;

const NOW: OffsetDateTime = datetime!(2026-03-14 18:00 UTC);

fn rules() -> Compiled {
    Compiled::of_file(&from_toml(&rules::text()).expect("rules")).expect("compiled rules")
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
    for pattern in ["(a|a)*b", "(a+)+$", "(.*a){20}x", "(a?){50}a{50}"] {
        let regex = filter::regex(pattern).expect("a pattern");
        group.bench_function(pattern, |bencher| bencher.iter(|| regex.is_match(black_box(&text))));
    }
    group.finish();
}

/// Templates that would take long or much memory, and end with an error.
fn bombs(criterion: &mut Criterion) {
    let long = "x".repeat(500);
    let values = Value::from_pairs([("text", Value::from(long.clone())), ("users", Value::from(vec![long; 500]))]);
    let replaced = format!("{{{{ text {} }}}}", "| replace('x', 'xxxxxxxxxx')".repeat(12));
    let nested = "{% for a in users %}{% for b in users %}{% for c in users %}x{% endfor %}{% endfor %}{% endfor %}";
    let bombs = [
        ("nested", nested),
        ("replaced", &replaced),
        ("joined", "{{ text | list | join(text) | list | join(text) }}"),
        ("lists", "{% for a in users %}{{ users }}{% endfor %}"),
    ];
    let mut templates = Templates::default();
    bombs.iter().for_each(|(_, source)| templates.add(source).expect("a template"));
    let mut group = criterion.benchmark_group("bomb");
    for (name, source) in bombs {
        group.bench_function(name, |bencher| {
            bencher.iter(|| templates.render(black_box(source), &values).expect_err("it is stopped"));
        });
    }
    group.finish();
    let (before, began) = (peak_memory(), Instant::now());
    for (_, source) in bombs.iter().cycle().take(1_000) {
        let _ = black_box(templates.render(source, &values));
    }
    let grown = peak_memory().saturating_sub(before);
    println!("1,000 template bombs in {:?}: the peak of the memory grew by {grown} kB", began.elapsed());
}

/// The most resident memory that this process has had, in kB (Linux).
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn main() {
    let brief = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut criterion = brief.nresamples(10_000).configure_from_args();
    plans(&mut criterion);
    patterns(&mut criterion);
    bombs(&mut criterion);
    criterion.final_summary();
}
