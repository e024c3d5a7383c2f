//! The values that templates and conditions use: local data only, so that planning never waits and can be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Serde, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::occurrence::Person;
use super::span::Span;
use super::state::State;
use crate::twitch::id::ChannelId;

/// The values of one reaction.
#[derive(Clone, Debug)]
pub struct Values {
    fixed: BTreeMap<&'static str, Value>,
    counters: BTreeMap<String, i64>,
    variables: BTreeMap<String, String>,
}

impl Values {
    /// What is known of a channel at this time.
    #[must_use]
    pub fn new(state: &State, channel: &ChannelId, at: OffsetDateTime) -> Self {
        Self {
            fixed: BTreeMap::from([("channel", of_channel(state, channel, at))]),
            counters: state.counters.get(channel).cloned().unwrap_or_default(),
            variables: state.variables.get(channel).cloned().unwrap_or_default(),
        }
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.fixed.insert(name, value);
        self
    }

    /// The value of a counter, which is 0 before it is first changed.
    #[must_use]
    pub fn counter(&self, name: &str) -> i64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// Changes a counter for the next steps.
    pub fn set_counter(&mut self, name: &str, value: i64) {
        self.counters.insert(name.to_owned(), value);
    }

    /// Changes a variable for the next steps.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// All of them, as a template gets them.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let counters = Value::from_object(Counters(self.counters.clone()));
        let variables = self.variables.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str())));
        let fixed = self.fixed.iter().map(|(name, value)| (*name, value.clone()));
        Value::from_pairs(fixed.chain([("counter", counters), ("var", Value::from_pairs(variables))]))
    }
}

/// Counters, of which each has a value.
#[derive(Debug)]
struct Counters(BTreeMap<String, i64>);

impl Object for Counters {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from(self.0.get(key.as_str()?).copied().unwrap_or(0)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|name| Value::from(name.as_str())).collect())
    }
}

/// A user as a value.
#[must_use]
pub fn of_person(person: &Person) -> Value {
    let text = |text: &Option<String>| Value::from(text.clone());
    Value::from_pairs([("id", text(&person.id)), ("login", text(&person.login)), ("name", text(&person.name))])
}

/// Users as a value.
#[must_use]
pub fn of_people(people: &[Person]) -> Value {
    people.iter().map(of_person).collect()
}

/// JSON as a value; undefined if it is none.
#[must_use]
pub fn of_json(json: &str) -> Value {
    serde_json::from_str::<serde_json::Value>(json).map_or(Value::UNDEFINED, |json| Value::from(Serde(json)))
}

fn of_channel(state: &State, channel: &ChannelId, at: OffsetDateTime) -> Value {
    let facts = state.channels.get(channel).cloned().unwrap_or_default();
    let uptime = facts.live_since.map(|since| uptime(at - since));
    let started_at = facts.live_since.and_then(|since| since.format(&Rfc3339).ok());
    Value::from_pairs([
        ("id", Value::from(channel.as_str())),
        ("login", Value::from(facts.login)),
        ("name", Value::from(facts.name)),
        ("title", Value::from(facts.title)),
        ("category", Value::from(facts.category)),
        ("live", Value::from(facts.live_since.is_some())),
        ("uptime", Value::from(uptime)),
        ("viewers", Value::from(facts.viewers)),
        ("started_at", Value::from(started_at)),
    ])
}

/// How long a stream runs, from a minute on without the seconds.
fn uptime(time: time::Duration) -> String {
    let seconds = u32::try_from(time.whole_seconds()).unwrap_or(0);
    Span::seconds(if seconds < 60 { seconds } else { seconds - seconds % 60 }).to_string()
}
