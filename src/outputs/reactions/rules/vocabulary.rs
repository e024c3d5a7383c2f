//! The names that the templates and conditions of a rule may use.

use std::collections::BTreeSet;

use serde_json::Value;

use super::problem::{nearest, proposal};
use super::rule::Rule;
use crate::message::OWN_TYPES;
pub use crate::message::irc::{CHAT_MESSAGE, PRESENCE as PRESENCE_TYPE};
use crate::twitch::{catalogue, samples};

/// The events that are made of who is in the chat.
pub const PRESENCE: [&str; 2] = ["arrive", "leave"];

/// The type of the begin of a stream, with which timers start over.
pub const STREAM_ONLINE: &str = "stream.online";

/// The type of what Twitch announces in chat.
pub const CHAT_NOTIFICATION: &str = "channel.chat.notification";

/// The fields of these values.
const USER: [&str; 3] = ["id", "login", "name"];
const CHANNEL: [&str; 9] = ["id", "login", "name", "title", "category", "live", "uptime", "viewers", "started_at"];

/// The fields of `event` for `arrive` and `leave`.
const PRESENCE_FIELDS: [&str; 1] = ["user_login"];

/// The types that rules may wait for.
#[must_use]
pub fn types() -> Vec<&'static str> {
    let twitch = catalogue::all().iter().filter(|kind| !kind.is_batched()).map(|kind| kind.name.as_str());
    // Of who is in the chat, rules are told one by one.
    let own = OWN_TYPES.into_iter().filter(|kind| *kind != PRESENCE_TYPE);
    let types: BTreeSet<_> = twitch.chain(own).chain(PRESENCE).collect();
    types.into_iter().collect()
}

/// What a rule knows when it evaluates something.
#[derive(Debug)]
pub struct Vocabulary {
    roots: Vec<&'static str>,
    event: BTreeSet<String>,
}

impl Vocabulary {
    /// The names for the condition of a rule.
    #[must_use]
    pub fn of_condition(rule: &Rule) -> Self {
        let mut roots = vec!["channel", "counter", "var"];
        if rule.timer.is_none() {
            roots.extend(["event", "user"]);
        }
        if !rule.command.is_empty() {
            roots.push("args");
        }
        if rule.message.is_some() || rule.filter.is_some() {
            roots.push("match");
        }
        Self { roots, event: event_fields(rule) }
    }

    /// The names for the steps of a rule. A batch knows only its users.
    #[must_use]
    pub fn of_steps(rule: &Rule) -> Self {
        if rule.batch.is_some() {
            return Self { roots: vec!["channel", "counter", "var", "users"], event: BTreeSet::new() };
        }
        Self::of_condition(rule)
    }

    /// The same for what is said when a clip is there.
    #[must_use]
    pub fn with_clip(mut self) -> Self {
        self.roots.push("clip");
        self
    }

    /// Checks a name, such as `user.name`.
    ///
    /// # Errors
    /// What is wrong, and a proposal.
    pub fn check(&self, name: &str) -> Result<(), (String, Option<String>)> {
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or_default();
        if !self.roots.contains(&root) {
            return Err((format!("there is no value `{root}` here"), proposal(root, &self.roots)));
        }
        let Some(field) = parts.next() else { return Ok(()) };
        let fields: &[&str] = match root {
            "user" => &USER,
            "channel" => &CHANNEL,
            "clip" => &["url"],
            "event" => return self.check_event(field),
            _ => return Ok(()),
        };
        if fields.contains(&field) {
            return Ok(());
        }
        Err((format!("`{root}` has no `{field}`"), proposal(field, fields)))
    }

    /// Twitch may add fields at any time, so only what is nearly the name of a known one is wrong.
    fn check_event(&self, field: &str) -> Result<(), (String, Option<String>)> {
        if self.event.is_empty() || self.event.contains(field) {
            return Ok(());
        }
        match nearest(field, self.event.iter().map(String::as_str)) {
            Some(near) => Err((format!("the event has no `{field}`"), Some(format!("did you mean `{near}`?")))),
            None => Ok(()),
        }
    }
}

/// The fields that the samples of a rule's types have.
fn event_fields(rule: &Rule) -> BTreeSet<String> {
    let chat = CHAT_MESSAGE.to_owned();
    let types = if rule.waits_for_chat() { vec![&chat] } else { rule.on.0.iter().collect() };
    let mut fields = BTreeSet::new();
    for kind in types {
        if PRESENCE.contains(&kind.as_str()) {
            fields.extend(PRESENCE_FIELDS.map(str::to_owned));
        }
        for version in catalogue::all().iter().filter(|known| known.name == *kind) {
            let samples = samples::variants(kind, &version.version);
            let samples = samples.filter_map(|variant| samples::sample(kind, &version.version, variant));
            for sample in samples.filter_map(|sample| serde_json::from_str(sample).ok()) {
                if let Value::Object(event) = sample {
                    fields.extend(event.into_iter().map(|(name, _)| name));
                }
            }
        }
    }
    fields
}
