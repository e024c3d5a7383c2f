//! Whether a rule reacts to something: its checks, of which the first that says no is the reason.

use std::cell::OnceCell;

use minijinja::value::Value;
use time::{Duration, OffsetDateTime};

use super::command::Command;
use super::compiled::{Compiled, CompiledRule};
use super::occurrence::Occurrence;
use super::pace;
use super::role::{Roles, is_user};
use super::rule::Rule;
use super::span::Span;
use super::state::{OwnMessage, State};
use super::values::{Values, of_json, of_person};
use super::verdict::Refusal;
use super::vocabulary::CHAT_MESSAGE;
use crate::twitch::id::ChannelId;

/// How old a message in chat may be.
const MAX_CHAT_AGE: Duration = Duration::seconds(60);

/// How old other events may be.
const MAX_AGE: Duration = Duration::minutes(10);

/// What a rule is asked about.
#[derive(Debug)]
pub struct Question<'a> {
    /// The rules.
    pub compiled: &'a Compiled,
    /// What happened.
    pub occurrence: &'a Occurrence,
    event: OnceCell<Value>,
}

impl<'a> Question<'a> {
    /// A question about this.
    #[must_use]
    pub fn new(compiled: &'a Compiled, occurrence: &'a Occurrence) -> Self {
        Self { compiled, occurrence, event: OnceCell::new() }
    }

    /// Why no rule at all reacts.
    #[must_use]
    pub fn refusal(&self, state: &State) -> Option<Refusal> {
        let Occurrence { user, is_repeat, is_outgoing_raid, .. } = self.occurrence;
        if *is_repeat {
            return Some(Refusal::Repeat);
        }
        if *is_outgoing_raid {
            return Some(Refusal::OutgoingRaid);
        }
        if is_own(self.occurrence, state) {
            return Some(Refusal::Own);
        }
        let names = user.iter().flat_map(|user| [user.login.as_deref(), user.id.as_deref()]).flatten();
        let ignored = names.map(str::to_lowercase).find(|name| self.compiled.ignored.contains(name));
        ignored.map(Refusal::IgnoredUser)
    }

    /// What a rule waits for that this is not.
    #[must_use]
    pub fn mismatch(&self, state: &State, compiled: &CompiledRule) -> Option<Refusal> {
        let rule = &compiled.rule;
        if !rule.enabled {
            return Some(Refusal::Disabled);
        }
        if !is_for_channel(rule, &self.occurrence.channel, state) {
            return Some(Refusal::OtherChannel);
        }
        if !rule.on.is_empty() {
            let is_other = !rule.on.0.contains(&self.occurrence.kind);
            return is_other.then(|| Refusal::OtherType(rule.on.to_string()));
        }
        let Some(chat) = &self.occurrence.chat else {
            let waits_for = if rule.timer.is_some() { "its timer" } else { CHAT_MESSAGE };
            return Some(Refusal::OtherType(waits_for.to_owned()));
        };
        if !rule.command.is_empty() {
            let command = Command::new(&chat.text, chat.is_reply);
            let is_other =
                command.is_none_or(|command| !rule.command.0.iter().any(|it| it.to_lowercase() == command.name));
            return is_other.then(|| Refusal::OtherCommand(rule.command.to_string()));
        }
        if let Some(regex) = &compiled.regex {
            return (!regex.is_match(&chat.text)).then(|| Refusal::NoMatch(regex.to_string()));
        }
        match &compiled.filter {
            Some(filter) => filter.find(chat).is_none().then_some(Refusal::NothingFiltered),
            None => Some(Refusal::OtherType("its timer".to_owned())),
        }
    }

    /// The values for a rule.
    #[must_use]
    pub fn values(&self, state: &State, compiled: &CompiledRule) -> Values {
        let Occurrence { channel, at, user, chat, json, .. } = self.occurrence;
        let event = self.event.get_or_init(|| of_json(json)).clone();
        let mut values = Values::new(state, channel, *at).with("event", event);
        values = values.with("user", user.as_ref().map_or(Value::UNDEFINED, of_person));
        let Some(chat) = chat else { return values };
        if !compiled.rule.command.is_empty() {
            let args = Command::new(&chat.text, chat.is_reply).map(|command| command.args).unwrap_or_default();
            return values.with("args", args.into_iter().map(Value::from).collect());
        }
        let found = compiled.filter.as_ref().and_then(|filter| filter.find(chat));
        match (&compiled.regex, found) {
            (Some(regex), _) => values.with("match", of_match(regex, &chat.text)),
            (None, Some(found)) => values.with("match", Value::from(found)),
            (None, None) => values,
        }
    }

    /// Why a rule that waits for this does not react.
    ///
    /// # Errors
    /// The first check that says no.
    pub fn judge(&self, state: &State, compiled: &CompiledRule) -> Result<Values, Refusal> {
        if let Some(refusal) = self.mismatch(state, compiled) {
            return Err(refusal);
        }
        self.check_user(state, compiled)?;
        let live = state.channels.get(&self.occurrence.channel).is_some_and(|channel| channel.live_since.is_some());
        match compiled.rule.live {
            Some(true) if !live => return Err(Refusal::NotLive),
            Some(false) if live => return Err(Refusal::Live),
            _ => {}
        }
        let values = self.values(state, compiled);
        if let Some(condition) = &compiled.rule.when {
            match self.compiled.conditions.holds(condition, &values.to_value()) {
                Ok(true) => {}
                Ok(false) => return Err(Refusal::ConditionFalse(condition.clone())),
                Err(reason) => return Err(Refusal::ConditionFailed(reason)),
            }
        }
        if compiled.rule.permit && self.permit(state).is_some() {
            return Err(Refusal::Permitted);
        }
        self.check_past(state, compiled)?;
        Ok(values)
    }

    fn check_user(&self, state: &State, compiled: &CompiledRule) -> Result<(), Refusal> {
        let (rule, occurrence) = (&compiled.rule, self.occurrence);
        if occurrence.is_copy && !rule.shared {
            return Err(Refusal::Copy);
        }
        let roles = roles(occurrence, state);
        if roles.is_broadcaster && compiled.moderates_sender {
            return Err(Refusal::Protected);
        }
        let user = occurrence.user.as_ref();
        let (id, login) = (user.and_then(|user| user.id.as_deref()), user.and_then(|user| user.login.as_deref()));
        let denied = [&rule.deny, &rule.except].into_iter().flatten().find_map(|who| who.find(&roles, id, login));
        if let Some(who) = denied {
            return Err(Refusal::Denied(who));
        }
        match &rule.allow {
            Some(allowed) if allowed.find(&roles, id, login).is_none() => Err(Refusal::NotAllowed(allowed.to_string())),
            _ => Ok(()),
        }
    }

    /// Checks what the rule has done before.
    fn check_past(&self, state: &State, compiled: &CompiledRule) -> Result<(), Refusal> {
        let Occurrence { channel, at, user, subject, .. } = self.occurrence;
        let (id, rule) = (compiled.id, &compiled.rule);
        if state.reacted.contains(&(id, subject.clone())) {
            return Err(Refusal::AlreadyReacted);
        }
        let cooldown = |user: &str| {
            let until = state.cooldowns.get(&(id, channel.clone(), user.to_owned())).copied();
            until.filter(|until| until > at)
        };
        let bypasses = || {
            let roles = roles(self.occurrence, state);
            rule.cooldown.iter().flat_map(|cooldown| &cooldown.bypass).any(|role| roles.has(*role))
        };
        if let Some(user) = user
            && (rule.once_per_user || rule.cooldown.as_ref().is_some_and(|it| it.user.is_some()))
            && let Some(until) = cooldown(user.key())
        {
            if rule.once_per_user {
                return Err(Refusal::OncePerUser);
            }
            if !bypasses() {
                return Err(Refusal::UserCooldown(until));
            }
        }
        if rule.cooldown.as_ref().is_some_and(|it| it.all.is_some())
            && let Some(until) = cooldown("")
            && !bypasses()
        {
            return Err(Refusal::Cooldown(until));
        }
        if rule.batch.is_some() {
            let batch = state.batches.get(&(id, channel.clone()));
            let is_in = user.as_ref().is_some_and(|user| batch.is_some_and(|batch| batch.members.contains(user)));
            return if is_in { Err(Refusal::InBatch) } else { Ok(()) };
        }
        pace::rests_until(state, compiled, channel, *at).map_or(Ok(()), |until| Err(Refusal::Resting(until)))
    }

    /// The login of the user, if a permit lets the message through.
    #[must_use]
    pub fn permit(&self, state: &State) -> Option<String> {
        let login = self.occurrence.user.as_ref()?.login.clone()?;
        let permit = state.permits.get(&(self.occurrence.channel.clone(), login.clone()))?;
        (permit.uses > 0 && permit.until > self.occurrence.at).then_some(login)
    }

    /// Whether this is too old for a rule.
    #[must_use]
    pub fn is_stale(&self, compiled: &CompiledRule, now: OffsetDateTime) -> bool {
        let default = if self.occurrence.chat.is_some() { MAX_CHAT_AGE } else { MAX_AGE };
        now - self.occurrence.at > max_age(&compiled.rule).unwrap_or(default)
    }
}

/// How old the events of a rule may be, if it says so.
#[must_use]
pub fn max_age(rule: &Rule) -> Option<Duration> {
    rule.max_age.map(Span::duration)
}

/// Whether a rule is used on a channel.
#[must_use]
pub fn is_for_channel(rule: &Rule, channel: &ChannelId, state: &State) -> bool {
    let login = || state.channels.get(channel).map(|facts| facts.login.as_str());
    rule.channels.is_empty() || rule.channels.iter().any(|name| is_user(name, Some(channel.as_str()), login()))
}

/// The roles of the user: what the badges of the message say, or what is known.
#[must_use]
pub fn roles(occurrence: &Occurrence, state: &State) -> Roles {
    let id = occurrence.user.as_ref().and_then(|user| user.id.as_deref());
    let viewer = id.and_then(|id| state.viewers.get(&(occurrence.channel.clone(), id.to_owned())));
    let viewer = viewer.copied().unwrap_or_default();
    let mut roles = occurrence.badges.unwrap_or(Roles { tier: viewer.tier, ..Roles::default() });
    roles.is_broadcaster |= id == Some(occurrence.channel.as_str());
    roles.is_follower |= viewer.is_follower;
    roles
}

/// Whether showtime wrote the message, or the account of the bot did something.
///
/// If the account is the broadcaster's, it also writes by hand: then only what was sent is its own. The message may arrive
/// before the answer to its sending, so what is being sent is known by its text.
fn is_own(occurrence: &Occurrence, state: &State) -> bool {
    let user = occurrence.user.as_ref().and_then(|user| user.id.as_deref());
    let bot = state.bot.as_ref().and_then(|bot| bot.id.as_deref()).unwrap_or(occurrence.channel.as_str());
    if user == Some(bot) && bot != occurrence.channel.as_str() {
        return true;
    }
    let Some(chat) = &occurrence.chat else { return false };
    let is_it = |own: &OwnMessage| match &own.message_id {
        Some(id) => *id == chat.message_id,
        None => user == Some(bot) && is_same_text(&own.text, &chat.text, chat.is_reply),
    };
    state.own_messages.iter().any(|own| own.channel == occurrence.channel && is_it(own))
}

/// Whether a message has the text that was sent. Twitch puts the name of the user who is answered before an answer.
fn is_same_text(sent: &str, seen: &str, is_reply: bool) -> bool {
    let mut seen = seen.split_whitespace().peekable();
    let mut sent = sent.split_whitespace().peekable();
    if sent.peek() != seen.peek() {
        seen.next_if(|word| is_reply && word.starts_with('@'));
    }
    seen.eq(sent)
}

/// What a regular expression found, by number and by name.
fn of_match(regex: &regex::Regex, text: &str) -> Value {
    let Some(found) = regex.captures(text) else { return Value::UNDEFINED };
    let value = |group: Option<regex::Match<'_>>| group.map_or(Value::from(""), |group| Value::from(group.as_str()));
    let numbered = found.iter().enumerate().map(|(index, group)| (Value::from(index), value(group)));
    let named = regex.capture_names().flatten().map(|name| (Value::from(name), value(found.name(name))));
    Value::from_pairs(numbered.chain(named))
}
