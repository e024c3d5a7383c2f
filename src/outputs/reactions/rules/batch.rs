//! Batches: several events that become one reaction.

use time::{Duration, OffsetDateTime};

use super::compiled::{Compiled, CompiledRule};
use super::judge::max_age;
use super::occurrence::Occurrence;
use super::pace;
use super::planned::{Plan, PlannedAction, PlannedState};
use super::react::{Mode, Reaction};
use super::span::Span;
use super::state::{BatchState, Change, State};
use super::values::{Values, of_people};

/// The name of the action that records that an event joined a batch.
const JOIN: &str = "batch";

/// A batch that ended longer ago is not reacted to, unless the rule says otherwise.
const MAX_AGE: Duration = Duration::minutes(10);

/// The most users of a batch. More would not fit into a message.
const MAX_MEMBERS: usize = 500;

/// Adds what happened to the batch of a rule, and returns when that ends. It is recorded as an action, so that the same event
/// joins once.
pub fn join(
    rule: &CompiledRule,
    length: Span,
    occurrence: &Occurrence,
    state: &mut State,
    plan: &mut Plan,
) -> OffsetDateTime {
    let key = (rule.id, occurrence.channel.clone());
    let new = || BatchState {
        first: occurrence.event_id,
        due_at: occurrence.at + length.duration(),
        events: 0,
        members: Vec::new(),
    };
    let mut batch = state.batches.get(&key).cloned().unwrap_or_else(new);
    batch.events = batch.events.saturating_add(1);
    if let Some(user) = occurrence.user.clone().filter(|_| batch.members.len() < MAX_MEMBERS) {
        batch.members.push(user);
    }
    let due_at = batch.due_at;
    plan.actions.push(PlannedAction {
        rule: rule.id,
        revision: rule.revision,
        event_id: Some(occurrence.event_id),
        subject: occurrence.subject.clone(),
        step: 0,
        kind: JOIN,
        channel: occurrence.channel.clone(),
        params: serde_json::json!({ "user": occurrence.user.as_ref().map(|user| user.key()) }),
        todo: None,
        state: PlannedState::Done,
        not_before: occurrence.at,
        expires_at: occurrence.at,
        continues: false,
    });
    plan.change(state, Change::Batch(key, Some(batch)));
    due_at
}

/// Ends the batches that are due until a time, the first first.
pub fn end_due(compiled: &Compiled, state: &mut State, until: OffsetDateTime, now: OffsetDateTime, plan: &mut Plan) {
    let mut due: Vec<_> = state.batches.iter().filter(|(_, batch)| batch.due_at <= until).collect();
    due.sort_unstable_by_key(|(key, batch)| (batch.due_at, (*key).clone()));
    let due: Vec<_> = due.into_iter().map(|(key, batch)| (key.clone(), batch.clone())).collect();
    for (key, BatchState { first, due_at, events, members }) in due {
        plan.change(state, Change::Batch(key.clone(), None));
        let (id, channel) = key;
        // A rule that is gone or was turned off meanwhile reacts no more, nor does one to users who were all forgotten.
        let Some(rule) = compiled.find(id).filter(|rule| rule.rule.enabled && events > 0) else { continue };
        if let Some(until) = pace::rests_until(state, rule, &channel, due_at) {
            if let Some(pace) = pace::resting(state, rule, &channel, until) {
                plan.change(state, Change::Pace((id, channel), pace));
            }
            continue;
        }
        if let Some(pace) = pace::reacting(state, rule, &channel, due_at) {
            plan.change(state, Change::Pace((id, channel.clone()), pace));
        }
        let mode = match () {
            () if rule.is_dry => Mode::Dry,
            () if now - due_at > max_age(&rule.rule).unwrap_or(MAX_AGE) => Mode::Stale,
            () => Mode::Live,
        };
        let values = Values::new(state, &channel, due_at).with("users", of_people(&members));
        let subject = format!("batch/{first}");
        let channel = &channel;
        Reaction { compiled, rule, channel, at: due_at, subject, occurrence: None, values, mode }.run(state, plan);
    }
}
