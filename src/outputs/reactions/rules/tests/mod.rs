//! Tests of planning as a whole: rules from a file, events from samples, and what comes of them.

mod files;
mod never;
mod properties;
mod skills;
mod steps;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sqlx::types::Json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::compiled::Compiled;
use super::occurrence::Person;
use super::plan::{explain, plan, plan_due};
use super::planned::{Plan, PlannedAction, PlannedState};
use super::read::from_toml;
use super::rule::Rules;
use super::state::{ChannelFacts, State};
use super::verdict::Outcome;
use crate::store::LogId;
use crate::store::read::events::LoggedEvent;
use crate::twitch::{catalogue, samples};

/// The rules of the documentation.
const EXAMPLE: &str = include_str!("../../../../../docs/examples/rules.toml");

const CHANNEL: &str = "90210441";
const OTTER: &str = "55120873";
const START: OffsetDateTime = datetime!(2026-03-14 18:00 UTC);

/// Rules, what is known, and a clock.
struct World {
    rules: Rules,
    compiled: Compiled,
    state: State,
    now: OffsetDateTime,
    next_id: i64,
}

impl World {
    fn new(rules: &str) -> Self {
        let rules = from_toml(rules).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        let compiled = Compiled::of_file(&rules).unwrap();
        let facts = ChannelFacts {
            login: "maplearcade".to_owned(),
            name: "MapleArcade".to_owned(),
            title: Some("Speedruns".to_owned()),
            live_since: Some(START - Duration::minutes(65)),
            ..ChannelFacts::default()
        };
        let bot = Person { id: Some("777".to_owned()), login: Some("showbot".to_owned()), name: None };
        let channels = [(CHANNEL.parse().unwrap(), facts)].into();
        let state = State { bot: Some(bot), channels, ..State::default() };
        Self { rules, compiled, state, now: START, next_id: 1 }
    }

    fn example() -> Self {
        Self::new(EXAMPLE)
    }

    fn pass(&mut self, seconds: i64) {
        self.now += Duration::seconds(seconds);
    }

    /// An event that happens now.
    fn event(&mut self, kind: &str, event: Value) -> LoggedEvent {
        self.next_id += 1;
        logged(kind, self.next_id, self.now, event)
    }

    fn tell(&mut self, event: &LoggedEvent) -> Plan {
        plan(&self.compiled, &mut self.state, event, self.now + Duration::milliseconds(200))
    }

    /// What follows from a sample with these changes.
    fn sample(&mut self, kind: &str, changes: Value) -> Plan {
        let event = self.event(kind, changed(kind, None, changes));
        self.tell(&event)
    }

    fn line(&mut self, text: &str, badge: &str) -> LoggedEvent {
        let message_id = format!("line-{}", self.next_id);
        self.event("channel.chat.message", chat(&message_id, text, badge))
    }

    /// What follows from a message of `QuietOtter` with this badge.
    fn says(&mut self, text: &str, badge: &str) -> Plan {
        let event = self.line(text, badge);
        self.tell(&event)
    }

    fn due(&mut self) -> Plan {
        plan_due(&self.compiled, &mut self.state, self.now)
    }

    /// The outcome of the rule of this name, in words.
    fn why(&self, event: &LoggedEvent, rule: &str) -> String {
        let plan = explain(&self.compiled, &self.state, event, self.now);
        let place = self.rules.rules.iter().position(|known| known.name == rule).unwrap();
        plan.verdicts[place].outcome.to_string()
    }
}

/// What a message in chat looks like.
fn chat(message_id: &str, text: &str, badge: &str) -> Value {
    let badges = if badge.is_empty() { json!([]) } else { json!([{ "set_id": badge, "id": "1", "info": "" }]) };
    let message = json!({ "text": text, "fragments": [{ "type": "text", "text": text }] });
    let changes = json!({ "message_id": message_id, "message": message, "badges": badges });
    changed("channel.chat.message", None, changes)
}

/// A sample with these fields in place of its own.
fn changed(kind: &str, variant: Option<&str>, changes: Value) -> Value {
    let version = catalogue::find(kind, None).map_or("1", |kind| kind.version.as_str());
    let mut event: Value = serde_json::from_str(samples::sample(kind, version, variant).unwrap()).unwrap();
    let Value::Object(changes) = changes else { panic!("fields") };
    changes.into_iter().for_each(|(field, value)| event[field] = value);
    event
}

fn logged(kind: &str, id: i64, at: OffsetDateTime, event: Value) -> LoggedEvent {
    LoggedEvent {
        id: LogId(id),
        message_id: format!("message-{id}"),
        message_type: "notification".to_owned(),
        kind: Some(kind.to_owned()),
        version: None,
        channel_id: CHANNEL.parse().ok(),
        subscription_id: None,
        occurred_at: at,
        received_at: at,
        is_test: false,
        payload: Json(to_raw_value(&json!({ "event": event })).unwrap()),
        channel_login: None,
        channel_name: None,
        repeats: None,
        repeated_on: None,
        is_echo: false,
    }
}

/// Kinds and params of the actions that are to be done or were done.
fn done(plan: &Plan) -> Vec<(&'static str, Value)> {
    let is_done = |action: &&PlannedAction| matches!(action.state, PlannedState::Pending | PlannedState::Done);
    plan.actions.iter().filter(is_done).map(|action| (action.kind, action.params.clone())).collect()
}

/// The texts that are said.
fn said(plan: &Plan) -> Vec<String> {
    let texts = done(plan).into_iter().filter(|(kind, _)| *kind == "say");
    texts.map(|(_, text)| text.as_str().unwrap().to_owned()).collect()
}

fn fired(plan: &Plan) -> usize {
    plan.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fired).count()
}
