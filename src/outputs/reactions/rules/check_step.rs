//! Checks the steps of a rule.

use serde_json::Value;

use super::super::step::Step;
use super::problem::{Path, Problem};
use super::rule_step::{RuleAction, Timeout};
use super::span::Span;
use super::template::Templates;
use super::vocabulary::Vocabulary;
use crate::object::has_nul;

/// The longest source of a template, in characters.
const MAX_TEMPLATE: usize = 2_000;

const MAX_BODY_BYTES: usize = 16_384;
/// Postgres writes a float of this size as an integer, which TOML can't hold.
const MAX_NUMBER: f64 = 9_223_372_036_854_775_808.0;
const MAX_NAME: usize = 50;
const MAX_TAGS: usize = 10;
const MAX_TIMEOUT_STEPS: usize = 10;
const MAX_TIMEOUT_SECONDS: u32 = 1_209_600;
const MAX_DELAY_SECONDS: u32 = 3_600;

/// What a step of a rule can be about.
#[derive(Debug)]
pub struct Scope {
    /// Whether there is one event with one user.
    pub is_single: bool,
    /// Whether there is a message.
    pub has_message: bool,
    /// The names that its templates may use.
    pub vocabulary: Vocabulary,
    /// The same for what is said when a clip is there.
    pub with_clip: Vocabulary,
}

/// What is wrong with a step, except in its templates.
#[must_use]
pub fn problems(action: &RuleAction, scope: &Scope, path: &Path) -> Vec<Problem> {
    let path = path.key(action.name());
    let mut found = Vec::new();
    if action.needs_message() && !scope.has_message {
        found.push(Problem::new(path.clone(), "the rule has no message, because it does not wait for one in chat"));
    }
    if action.needs_user() && !scope.is_single {
        found.push(Problem::new(path.clone(), "the rule has no single user").propose("write user = \"login\""));
    }
    if matches!(action, RuleAction::Stop(_)) && !scope.is_single {
        found.push(Problem::new(path.clone(), "a timer or a batch comes after all rules"));
    }
    if let Err((field, message)) = check(action) {
        let path = if field.is_empty() { path } else { path.key(field) };
        found.push(Problem::new(path, message));
    }
    found
}

type Checked = Result<(), (&'static str, String)>;

fn check(action: &RuleAction) -> Checked {
    match action {
        RuleAction::Say(text) | RuleAction::Reply(text) | RuleAction::Title(text) => not_empty("", text),
        RuleAction::Announce(it) => not_empty("text", &it.text),
        RuleAction::Whisper(it) => not_empty("text", &it.text),
        RuleAction::Warn(it) => not_empty("reason", &it.reason),
        RuleAction::Permit(it) => not_empty("user", &it.user),
        RuleAction::Timeout(timeout) => check_timeout(timeout),
        RuleAction::Tags(tags) if tags.len() > MAX_TAGS => Err(("", format!("there are at most {MAX_TAGS} tags"))),
        RuleAction::Ad(length) => within("", *length, 30, 180),
        RuleAction::Pin(pin) => pin.length.map_or(Ok(()), |length| within("for", length, 30, 1_800)),
        RuleAction::Delay(delay) => within("", *delay, 1, MAX_DELAY_SECONDS),
        RuleAction::Settings(settings) => {
            Step::Settings(settings.clone()).check().map_err(|error| ("", error.to_string()))
        }
        RuleAction::Webhook(webhook) => {
            not_empty("sink", &webhook.sink)?;
            check_body(&webhook.body)
        }
        RuleAction::Count(count) => match (count.add, count.set) {
            (Some(_), Some(_)) => Err(("set", "`add` and `set` exclude each other".to_owned())),
            _ => name(&count.name),
        },
        RuleAction::Set(set) => name(&set.name),
        _ => Ok(()),
    }
}

fn not_empty(field: &'static str, text: &str) -> Checked {
    if text.trim().is_empty() { Err((field, "is empty".to_owned())) } else { Ok(()) }
}

fn within(field: &'static str, span: Span, min: u32, max: u32) -> Checked {
    match (min..=max).contains(&span.whole_seconds()) {
        true => Ok(()),
        false => Err((field, format!("must be from {} to {}", Span::seconds(min), Span::seconds(max)))),
    }
}

fn check_timeout(timeout: &Timeout) -> Checked {
    match (timeout.length, timeout.steps.as_slice()) {
        (None, []) => return Err(("", "has no length: write for = \"10m\", or steps".to_owned())),
        (Some(_), [_, ..]) => return Err(("steps", "`for` and `steps` exclude each other".to_owned())),
        _ => {}
    }
    if timeout.forget.is_some() && timeout.steps.is_empty() {
        return Err(("forget", "belongs to `steps`".to_owned()));
    }
    if timeout.steps.len() > MAX_TIMEOUT_STEPS {
        return Err(("steps", format!("there are at most {MAX_TIMEOUT_STEPS} steps")));
    }
    let mut lengths = timeout.steps.iter().chain(&timeout.length);
    lengths.try_for_each(|length| within("for", *length, 1, MAX_TIMEOUT_SECONDS))
}

/// Checks the name of a counter or variable, as templates write it.
fn name(name: &str) -> Checked {
    let is_name = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_name { Ok(()) } else { Err(("name", format!("`{name}` is no name: use small letters, digits and _"))) }
}

/// TOML has no `null`, and what it can't write can't be exported.
fn check_body(body: &Value) -> Checked {
    fn is_writable(value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Number(number) => number.is_i64() || number.as_f64().is_some_and(|it| it.abs() < MAX_NUMBER),
            Value::Array(items) => items.iter().all(is_writable),
            Value::Object(fields) => fields.values().all(is_writable),
            Value::Bool(_) | Value::String(_) => true,
        }
    }
    if !body.is_null() && !is_writable(body) {
        return Err((
            "body",
            "has a null or a number that is too large: leave it out, or write it as a text".to_owned(),
        ));
    }
    if has_nul(body) {
        return Err(("body", "has the character U+0000, which Postgres can't store".to_owned()));
    }
    if body.to_string().len() > MAX_BODY_BYTES {
        return Err(("body", format!("has at most {MAX_BODY_BYTES} bytes")));
    }
    Ok(())
}

/// Calls a function for every text in a tree, with its place.
pub fn texts(tree: &Value, path: &Path, visit: &mut impl FnMut(&Path, &str)) {
    match tree {
        Value::String(text) => visit(path, text),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| texts(item, &path.index(index), visit))
        }
        Value::Object(fields) => fields.iter().for_each(|(key, value)| texts(value, &path.key(key), visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is wrong with a template.
pub fn template(source: &str, path: &Path, scope: &Scope, templates: &mut Templates) -> Vec<Problem> {
    if source.chars().count() > MAX_TEMPLATE {
        return vec![Problem::new(path.clone(), format!("a template has at most {MAX_TEMPLATE} characters"))];
    }
    if let Err((message, proposal)) = templates.add(source) {
        return vec![Problem { proposal, ..Problem::new(path.clone(), message) }];
    }
    let is_of_clip = path.to_string().ends_with(".clip.say");
    let vocabulary = if is_of_clip { &scope.with_clip } else { &scope.vocabulary };
    let names = templates.names(source);
    let wrong = names.iter().filter_map(|name| vocabulary.check(name).err());
    wrong.map(|(message, proposal)| Problem { proposal, ..Problem::new(path.clone(), message) }).collect()
}
