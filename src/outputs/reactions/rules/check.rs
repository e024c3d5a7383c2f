//! Checks rules for what only their parts together show.

use std::collections::HashMap;

use serde_json::Value;

use super::check_step::{self, Scope};
use super::filter::{self, CompiledFilter};
use super::problem::{Path, Problem, proposal};
use super::rule::{Rule, Rules};
use super::template::Templates;
use super::vocabulary::{self, CHAT_MESSAGE, Vocabulary};
use super::when::Conditions;

const MAX_RULES: usize = 500;
const MAX_STEPS: usize = 20;
const MAX_NAME: usize = 100;
const MAX_COMMAND: usize = 50;
const MAX_REGEX: usize = 1_000;
const MAX_EXPRESSION: usize = 1_000;
const MAX_LIST: usize = 1_000;
const MAX_MESSAGE_LENGTH: u32 = 500;
const MIN_TIMER_SECONDS: u32 = 30;
const MAX_BATCH_SECONDS: u32 = 600;

/// Everything that is wrong in rules that could be read.
#[must_use]
pub fn problems(rules: &Rules) -> Vec<Problem> {
    let root = Path::default();
    let mut found = Vec::new();
    if rules.rules.len() > MAX_RULES {
        found.push(Problem::new(
            root.key("rule"),
            format!("there are {} rules; at most {MAX_RULES}", rules.rules.len()),
        ));
    }
    users(&rules.ignore_users, &root.key("ignore_users"), &mut found);
    users(rules.bot.as_slice(), &root.key("bot"), &mut found);
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        let path = Path::of_rule(index);
        if let Some(first) = names.insert(&rule.name, index) {
            let message = format!("rule {} has this name too", first + 1);
            found.push(Problem::new(path.key("name"), message).propose("names are unique: choose another"));
        }
        Check { rule, path: &path, found: &mut found }.all();
        if let Ok(tree) = serde_json::to_value(rule) {
            nul(&tree, &path, &mut found);
        }
    }
    found
}

/// Finds texts with the one character that Postgres can't store.
fn nul(tree: &Value, path: &Path, found: &mut Vec<Problem>) {
    check_step::texts(tree, path, &mut |path, text| {
        if text.contains('\0') {
            found.push(Problem::new(path.clone(), "it has the character U+0000, which Postgres can't store"));
        }
    });
}

/// Checks names of users.
fn users(users: &[String], path: &Path, found: &mut Vec<Problem>) {
    let is_user = |user: &String| {
        let user = user.trim_start_matches('@');
        (1..=25).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if users.len() > MAX_LIST {
        found.push(Problem::new(path.clone(), format!("there are {} users; at most {MAX_LIST}", users.len())));
    }
    if let Some(user) = users.iter().find(|user| !is_user(user)) {
        found.push(Problem::new(path.clone(), format!("`{user}` is no login and no id")));
    }
}

struct Check<'a> {
    rule: &'a Rule,
    path: &'a Path,
    found: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn all(&mut self) {
        self.name();
        self.trigger();
        self.commands();
        self.message();
        self.filter();
        self.timer();
        self.users();
        self.combinations();
        self.condition();
        self.steps();
    }

    fn wrong(&mut self, field: &str, message: impl Into<String>, proposal: Option<String>) {
        let path = if field.is_empty() { self.path.clone() } else { self.path.key(field) };
        self.found.push(Problem { proposal, ..Problem::new(path, message) });
    }

    fn name(&mut self) {
        let name = &self.rule.name;
        if name.trim().is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            self.wrong("name", format!("a name has 1 to {MAX_NAME} characters on one line"), None);
        }
    }

    fn trigger(&mut self) {
        let rule = self.rule;
        let triggers = [
            ("on", !rule.on.is_empty()),
            ("command", !rule.command.is_empty()),
            ("message", rule.message.is_some()),
            ("filter", rule.filter.is_some()),
            ("timer", rule.timer.is_some()),
        ];
        let given: Vec<_> = triggers.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
        let proposal = Some("write one of on, command, message, filter and timer".to_owned());
        match given.as_slice() {
            [_] => {}
            [] => self.wrong("", "the rule waits for nothing", proposal),
            [_, second, ..] => self.wrong(second, format!("the rule waits for {}", given.join(" and ")), proposal),
        }
        let types = vocabulary::types();
        let unknown = rule.on.0.iter().filter(|kind| !types.contains(&kind.as_str()));
        for kind in unknown {
            let near = proposal_of_type(kind, &types);
            self.wrong("on", format!("there is no type `{kind}`"), near);
        }
    }

    fn commands(&mut self) {
        let is_command = |it: &String| {
            (1..=MAX_COMMAND).contains(&it.chars().count())
                && !it.contains(|it: char| it.is_whitespace() || it.is_control())
        };
        if let Some(command) = self.rule.command.0.iter().find(|command| !is_command(command)) {
            let message = format!("`{command}` is no command: it is one word of 1 to {MAX_COMMAND} characters");
            self.wrong("command", message, Some("write for example !title".to_owned()));
        }
    }

    fn message(&mut self) {
        let Some(pattern) = &self.rule.message else { return };
        if pattern.chars().count() > MAX_REGEX {
            return self.wrong("message", format!("a regular expression has at most {MAX_REGEX} characters"), None);
        }
        match filter::regex(pattern) {
            Err(error) => self.wrong("message", format!("the regular expression does not compile: {error}"), None),
            Ok(regex) if regex.is_match("") => {
                self.wrong(
                    "message",
                    "the regular expression matches every message",
                    Some("write .+ for all messages".to_owned()),
                );
            }
            Ok(_) => {}
        }
    }

    fn filter(&mut self) {
        let Some(filter) = &self.rule.filter else { return };
        let is_empty =
            filter.links.is_none() && filter.words.is_empty() && filter.caps.is_none() && filter.length.is_none();
        let path = self.path.key("filter");
        let mut wrong = |field: &str, message: String| self.found.push(Problem::new(path.key(field), message));
        if filter.words.len() > MAX_LIST || filter.words.iter().any(|word| word.trim().is_empty()) {
            wrong("words", format!("there may be up to {MAX_LIST} words, and none may be empty"));
        }
        if filter.caps.is_some_and(|caps| !(1..=100).contains(&caps.percent)) {
            wrong("caps", "percent is from 1 to 100".to_owned());
        }
        if filter.length.is_some_and(|length| !(1..MAX_MESSAGE_LENGTH).contains(&length)) {
            wrong("length", format!("a message has at most {MAX_MESSAGE_LENGTH} characters"));
        }
        if let Err(error) = CompiledFilter::new(filter) {
            wrong(error.field, error.message);
        }
        if is_empty {
            self.wrong(
                "filter",
                "the filter looks for nothing",
                Some("write links = {}, words, caps or length".to_owned()),
            );
        }
    }

    fn timer(&mut self) {
        if self.rule.timer.as_ref().is_some_and(|timer| timer.every.whole_seconds() < MIN_TIMER_SECONDS) {
            self.wrong("timer", format!("a timer waits at least {MIN_TIMER_SECONDS}s"), None);
        }
    }

    fn users(&mut self) {
        let rule = self.rule;
        users(&rule.channels, &self.path.key("channels"), self.found);
        for (field, who) in [("allow", &rule.allow), ("deny", &rule.deny), ("except", &rule.except)] {
            let Some(who) = who else { continue };
            users(&who.users, &self.path.key(field), self.found);
            if who.roles.is_empty() && who.users.is_empty() {
                self.wrong(field, "names no role and no user", None);
            }
        }
    }

    /// What excludes each other.
    fn combinations(&mut self) {
        let rule = self.rule;
        let is_timed = rule.timer.is_some();
        let needs_a_user = [
            ("allow", rule.allow.is_some()),
            ("deny", rule.deny.is_some()),
            ("except", rule.except.is_some()),
            ("cooldown", rule.cooldown.is_some()),
            ("once_per_user", rule.once_per_user),
            ("batch", rule.batch.is_some()),
            ("shared", rule.shared),
            ("max_age", rule.max_age.is_some()),
        ];
        for (field, _) in needs_a_user.into_iter().filter(|(_, is_given)| is_timed && *is_given) {
            self.wrong(field, format!("a timer has no user and no event for `{field}`"), None);
        }
        if is_timed && rule.live.is_some() {
            self.wrong(
                "live",
                "a timer has its own field for it",
                Some("write timer = { every = \"20m\", live = false }".to_owned()),
            );
        }
        if rule.permit && rule.message.is_none() && rule.filter.is_none() {
            self.wrong("permit", "only a rule with message or filter can let something through", None);
        }
        let cooldown = rule.cooldown.as_ref();
        if cooldown.is_some_and(|it| it.all.is_none() && it.user.is_none()) {
            self.wrong("cooldown", "the cooldown has no span", Some("write all = \"5s\" or user = \"30s\"".to_owned()));
        }
        if rule.batch.is_some() && cooldown.is_some_and(|it| it.all.is_some()) {
            self.wrong(
                "cooldown",
                "a batch and a cooldown of all exclude each other",
                Some("leave one out".to_owned()),
            );
        }
        if rule.batch.is_some_and(|batch| batch.whole_seconds() > MAX_BATCH_SECONDS) {
            self.wrong("batch", format!("a batch takes at most {MAX_BATCH_SECONDS}s"), None);
        }
        if rule.max_per_minute == Some(0) {
            self.wrong(
                "max_per_minute",
                "must be at least 1",
                Some("write enabled = false to turn the rule off".to_owned()),
            );
        }
    }

    fn condition(&mut self) {
        let Some(source) = &self.rule.when else { return };
        if source.chars().count() > MAX_EXPRESSION {
            return self.wrong("when", format!("an expression has at most {MAX_EXPRESSION} characters"), None);
        }
        let mut conditions = Conditions::default();
        if let Err((message, proposal)) = conditions.add(source) {
            return self.wrong("when", message, proposal);
        }
        let vocabulary = Vocabulary::of_condition(self.rule);
        for name in conditions.names(source) {
            if let Err((message, proposal)) = vocabulary.check(&name) {
                self.wrong("when", message, proposal);
            }
        }
    }

    fn steps(&mut self) {
        let rule = self.rule;
        if rule.steps.is_empty() {
            return self.wrong("do", "the rule does nothing", Some("write do = [{ say = \"…\" }]".to_owned()));
        }
        if rule.steps.len() > MAX_STEPS {
            self.wrong("do", format!("there are {} steps; at most {MAX_STEPS}", rule.steps.len()), None);
        }
        let has_chat =
            rule.waits_for_chat() || (!rule.on.is_empty() && rule.on.0.iter().all(|kind| kind == CHAT_MESSAGE));
        let scope = Scope {
            is_single: rule.timer.is_none() && rule.batch.is_none(),
            has_message: has_chat && rule.batch.is_none(),
            vocabulary: Vocabulary::of_steps(rule),
            with_clip: Vocabulary::of_steps(rule).with_clip(),
        };
        let mut templates = Templates::default();
        for (index, step) in rule.steps.iter().enumerate() {
            let path = self.path.key("do").index(index);
            let mut found = check_step::problems(&step.action, &scope, &path);
            let tree = serde_json::to_value(&step.action).unwrap_or(Value::Null);
            check_step::texts(&tree, &path, &mut |path, source| {
                found.extend(check_step::template(source, path, &scope, &mut templates));
            });
            self.found.append(&mut found);
        }
    }
}

/// The nearest type, also if only its end was written.
fn proposal_of_type(kind: &str, types: &[&str]) -> Option<String> {
    let ending = types.iter().find(|known| known.ends_with(&format!(".{kind}")));
    ending.map(|known| format!("did you mean `{known}`?")).or_else(|| proposal(kind, types))
}
