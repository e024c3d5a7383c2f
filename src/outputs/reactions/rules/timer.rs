//! Timers: what is written again and again, if others write too.

use time::OffsetDateTime;

use super::compiled::{Compiled, CompiledRule};
use super::judge::is_for_channel;
use super::pace;
use super::planned::Plan;
use super::react::{Mode, Reaction};
use super::rule::Timer;
use super::state::{Change, State, TimerState};
use super::values::Values;
use super::verdict::Outcome;
use crate::twitch::id::ChannelId;

/// The subject of the reaction of a timer begins with it.
pub const TIMER_SUBJECT: &str = "timer/";

/// The rules with a timer that are used on a channel.
fn timers<'a>(compiled: &'a Compiled, state: &State, channel: &ChannelId) -> Vec<(&'a CompiledRule, &'a Timer)> {
    let rules = compiled.timers.iter().map(|place| &compiled.rules[*place]);
    let used = rules.filter(|rule| rule.rule.enabled && is_for_channel(&rule.rule, channel, state));
    used.filter_map(|rule| Some((rule, rule.rule.timer.as_ref()?))).collect()
}

/// Counts a message of others for the timers of its channel.
pub fn count_line(compiled: &Compiled, state: &mut State, channel: &ChannelId, plan: &mut Plan) {
    for (rule, timer) in timers(compiled, state, channel) {
        let key = (rule.id, channel.clone());
        // More lines than are needed change nothing.
        if let Some(known) = state.timers.get(&key).copied().filter(|known| known.lines < timer.lines) {
            plan.change(state, Change::Timer(key, TimerState { lines: known.lines + 1, ..known }));
        }
    }
}

/// Starts the timers of a channel over when a stream begins.
pub fn restart(compiled: &Compiled, state: &mut State, channel: &ChannelId, at: OffsetDateTime, plan: &mut Plan) {
    for (rule, timer) in timers(compiled, state, channel) {
        if timer.live {
            let started = TimerState { next_at: at + timer.every.duration(), lines: 0 };
            plan.change(state, Change::Timer((rule.id, channel.clone()), started));
        }
    }
}

/// Runs the timers that are due, and starts those that are new.
pub fn run_due(compiled: &Compiled, state: &mut State, now: OffsetDateTime, plan: &mut Plan) {
    let mut channels: Vec<_> = state.channels.keys().cloned().collect();
    channels.sort_unstable();
    for channel in &channels {
        for (rule, timer) in timers(compiled, state, channel) {
            let key = (rule.id, channel.clone());
            let next = TimerState { next_at: now + timer.every.duration(), lines: 0 };
            match state.timers.get(&key).copied() {
                None => plan.change(state, Change::Timer(key, next)),
                Some(known) if is_due(state, channel, timer, known, now) => {
                    plan.change(state, Change::Timer(key, next));
                    run(compiled, rule, channel, (known, now), state, plan);
                }
                Some(_) => {}
            }
        }
    }
}

fn is_due(state: &State, channel: &ChannelId, timer: &Timer, known: TimerState, now: OffsetDateTime) -> bool {
    let is_live = state.channels.get(channel).is_some_and(|channel| channel.live_since.is_some());
    known.next_at <= now && known.lines >= timer.lines && (is_live || !timer.live)
}

fn run(
    compiled: &Compiled,
    rule: &CompiledRule,
    channel: &ChannelId,
    (timer, now): (TimerState, OffsetDateTime),
    state: &mut State,
    plan: &mut Plan,
) {
    let values = Values::new(state, channel, now);
    if let Some(condition) = &rule.rule.when
        && compiled.conditions.holds(condition, &values.to_value()) != Ok(true)
    {
        return;
    }
    if let Some(pace) = pace::reacting(state, rule, channel, now) {
        plan.change(state, Change::Pace((rule.id, channel.clone()), pace));
    }
    let subject = format!("{TIMER_SUBJECT}{}", timer.next_at.unix_timestamp_nanos() / 1_000);
    plan.record(rule.id, Outcome::Fired);
    let mode = if rule.is_dry { Mode::Dry } else { Mode::Live };
    Reaction { compiled, rule, channel, at: now, subject, occurrence: None, values, mode }.run(state, plan);
}
