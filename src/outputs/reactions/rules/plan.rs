//! Planning: rules and what is known, and an event → what to do. A pure function, which the reactor, dry runs and the tests of
//! rules share: the time comes from the event, and whether it is too late from the caller.

use time::OffsetDateTime;

use super::batch;
use super::command::Command;
use super::compiled::{Compiled, CompiledRule};
use super::judge::{Question, roles};
use super::occurrence::Occurrence;
use super::pace;
use super::planned::Plan;
use super::react::{Mode, Reaction};
use super::resolve::{PERMIT, is_name};
use super::state::{Change, PermitState, State};
use super::timer;
use super::values::of_people;
use super::verdict::{Outcome, Refusal, Verdict};
use super::vocabulary::STREAM_ONLINE;
use crate::store::read::events::LoggedEvent;

/// The command by which moderators let the next message of a user through the rules with `permit = true`.
const PERMIT_COMMAND: &str = "!permit";

/// When a cooldown ends that never does.
const NEVER: OffsetDateTime = time::macros::datetime!(9999-01-01 0:00 UTC);

/// Plans what the rules do about an event, and changes the state accordingly.
#[must_use]
pub fn plan(compiled: &Compiled, state: &mut State, event: &LoggedEvent, now: OffsetDateTime) -> Plan {
    let mut plan = Plan::default();
    for occurrence in Occurrence::read(event) {
        plan_one(compiled, state, &occurrence, now, &mut plan);
    }
    plan
}

/// Plans what is due at this time: the ends of batches, and timers.
#[must_use]
pub fn plan_due(compiled: &Compiled, state: &mut State, now: OffsetDateTime) -> Plan {
    let mut plan = Plan::default();
    batch::end_due(compiled, state, now, now, &mut plan);
    timer::run_due(compiled, state, now, &mut plan);
    plan
}

/// What each rule makes of an event, in their order: also of those that wait for something else.
#[must_use]
pub fn explain(compiled: &Compiled, state: &State, event: &LoggedEvent, now: OffsetDateTime) -> Plan {
    let mut after = state.clone();
    let mut plan = plan(compiled, &mut after, event, now);
    let occurrences = Occurrence::read(event);
    let known = std::mem::take(&mut plan.verdicts);
    for rule in &compiled.rules {
        let found =
            known.iter().filter(|verdict| verdict.rule == rule.id).max_by_key(|verdict| is_yes(&verdict.outcome));
        let refusal = || {
            let mismatch = occurrences.iter().find_map(|it| Question::new(compiled, it).mismatch(state, rule));
            plan.refusal.clone().or(mismatch).unwrap_or_else(|| Refusal::OtherType(rule.rule.on.to_string()))
        };
        let outcome = found.map_or_else(|| Outcome::Refused(refusal()), |verdict| verdict.outcome.clone());
        plan.verdicts.push(Verdict { rule: rule.id, outcome });
    }
    plan
}

fn is_yes(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Refused(_))
}

/// Adds to a plan what the rules do about one thing that happened. A batch that had ended by then does not take it.
pub fn plan_one(compiled: &Compiled, state: &mut State, occurrence: &Occurrence, now: OffsetDateTime, plan: &mut Plan) {
    if !occurrence.is_test {
        batch::end_due(compiled, state, occurrence.at, now, plan);
    }
    let question = Question::new(compiled, occurrence);
    if let Some(refusal) = question.refusal(state) {
        plan.refusal = Some(refusal);
        return;
    }
    if !occurrence.is_test {
        observe(compiled, state, occurrence, plan);
    }
    let (mut stopped_by, mut is_permitted) = (None, false);
    for place in compiled.candidates(occurrence) {
        let rule = &compiled.rules[place];
        if let Some(name) = &stopped_by {
            plan.record(rule.id, Outcome::Refused(Refusal::Stopped(String::clone(name))));
            continue;
        }
        match question.judge(state, rule) {
            Ok(values) => {
                let reaction = Reaction {
                    compiled,
                    rule,
                    channel: &occurrence.channel,
                    at: occurrence.at,
                    subject: occurrence.subject.clone(),
                    occurrence: Some(occurrence),
                    values,
                    mode: mode(&question, rule, now),
                };
                if react(reaction, occurrence, state, plan) {
                    stopped_by = Some(rule.rule.name.clone());
                }
            }
            Err(refusal) => {
                is_permitted |= refusal == Refusal::Permitted;
                refuse(rule, occurrence, refusal, state, plan);
            }
        }
    }
    if is_permitted && !occurrence.is_test {
        use_permit(&question, state, plan);
    }
}

fn mode(question: &Question<'_>, rule: &CompiledRule, now: OffsetDateTime) -> Mode {
    match () {
        () if question.occurrence.is_test || rule.is_dry => Mode::Dry,
        () if question.is_stale(rule, now) => Mode::Stale,
        () => Mode::Live,
    }
}

/// Notices what matters to more than one rule.
fn observe(compiled: &Compiled, state: &mut State, occurrence: &Occurrence, plan: &mut Plan) {
    if occurrence.kind == STREAM_ONLINE {
        timer::restart(compiled, state, &occurrence.channel, occurrence.at, plan);
    }
    let Some(chat) = occurrence.chat.as_ref().filter(|_| !occurrence.is_copy) else { return };
    timer::count_line(compiled, state, &occurrence.channel, plan);
    if !compiled.has_permits {
        return;
    }
    let Some(command) = Command::new(&chat.text, chat.is_reply).filter(|it| it.name == PERMIT_COMMAND) else { return };
    let roles = roles(occurrence, state);
    let user = command.args.first().filter(|_| roles.is_broadcaster || roles.is_moderator);
    if let Some(login) = user.map(|user| user.trim_start_matches('@')).filter(|user| is_name(user)) {
        let permit = PermitState { until: occurrence.at + PERMIT.duration(), uses: 1 };
        plan.change(state, Change::Permit(occurrence.channel.clone(), login.to_lowercase(), permit));
    }
}

/// Runs a reaction, or adds the event to the batch of its rule. Returns whether the rules after it do not see the event.
fn react(reaction: Reaction<'_>, occurrence: &Occurrence, state: &mut State, plan: &mut Plan) -> bool {
    let (rule, mode) = (reaction.rule, reaction.mode);
    if !occurrence.is_test {
        plan.change(state, Change::Reacted(rule.id, occurrence.subject.clone()));
        if mode != Mode::Stale {
            start_cooldowns(rule, occurrence, state, plan);
        }
    }
    if let Some(length) = rule.rule.batch.filter(|_| mode != Mode::Stale && !occurrence.is_test) {
        let due_at = batch::join(rule, length, occurrence, state, plan);
        plan.record(rule.id, Outcome::Joined(due_at));
        return false;
    }
    if mode != Mode::Stale
        && !occurrence.is_test
        && let Some(pace) = pace::reacting(state, rule, &occurrence.channel, occurrence.at)
    {
        plan.change(state, Change::Pace((rule.id, occurrence.channel.clone()), pace));
    }
    plan.record(rule.id, if mode == Mode::Stale { Outcome::Stale } else { Outcome::Fired });
    with_users(reaction, occurrence).run(state, plan)
}

/// A batch that is only recorded has one user.
fn with_users<'a>(mut reaction: Reaction<'a>, occurrence: &Occurrence) -> Reaction<'a> {
    if reaction.rule.rule.batch.is_some() {
        let users = occurrence.user.as_slice();
        reaction.values = reaction.values.with("users", of_people(users));
    }
    reaction
}

fn start_cooldowns(rule: &CompiledRule, occurrence: &Occurrence, state: &mut State, plan: &mut Plan) {
    let key = |user: &str| (rule.id, occurrence.channel.clone(), user.to_owned());
    let cooldown = rule.rule.cooldown.as_ref();
    if let Some(all) = cooldown.and_then(|cooldown| cooldown.all) {
        plan.change(state, Change::Cooldown(key(""), occurrence.at + all.duration()));
    }
    let Some(user) = &occurrence.user else { return };
    let of_user = cooldown.and_then(|cooldown| cooldown.user).map(|user| occurrence.at + user.duration());
    if let Some(until) = if rule.rule.once_per_user { Some(NEVER) } else { of_user } {
        plan.change(state, Change::Cooldown(key(user.key()), until));
    }
}

fn refuse(rule: &CompiledRule, occurrence: &Occurrence, refusal: Refusal, state: &mut State, plan: &mut Plan) {
    if let Refusal::Resting(until) = refusal
        && !occurrence.is_test
        && let Some(pace) = pace::resting(state, rule, &occurrence.channel, until)
    {
        plan.change(state, Change::Pace((rule.id, occurrence.channel.clone()), pace));
    }
    plan.record(rule.id, Outcome::Refused(refusal));
}

fn use_permit(question: &Question<'_>, state: &mut State, plan: &mut Plan) {
    let Some(login) = question.permit(state) else { return };
    let key = (question.occurrence.channel.clone(), login);
    if let Some(permit) = state.permits.get(&key).copied() {
        let used = PermitState { uses: permit.uses.saturating_sub(1), ..permit };
        plan.change(state, Change::Permit(key.0, key.1, used));
    }
}
