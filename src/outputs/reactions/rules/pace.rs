//! Protection against loops: a rule that reacts too often rests.

use time::{Duration, OffsetDateTime};

use super::compiled::CompiledRule;
use super::state::{Pace, State};
use crate::twitch::id::ChannelId;

/// How long a rule rests.
const REST: Duration = Duration::minutes(5);

/// In which time its reactions are counted.
const WINDOW: Duration = Duration::MINUTE;

/// Until when a rule rests on a channel; `None` if it may react.
#[must_use]
pub fn rests_until(
    state: &State,
    rule: &CompiledRule,
    channel: &ChannelId,
    at: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let max = rule.max_per_minute? as usize;
    let pace = state.pace.get(&(rule.id, channel.clone()))?;
    if let Some(until) = pace.rests_until.filter(|until| *until > at) {
        return Some(until);
    }
    let recent = pace.recent.iter().filter(|reacted| at - **reacted < WINDOW).count();
    (recent >= max).then(|| at + REST)
}

/// The pace of a rule that begins to rest; `None` if it does already.
#[must_use]
pub fn resting(state: &State, rule: &CompiledRule, channel: &ChannelId, until: OffsetDateTime) -> Option<Pace> {
    let pace = state.pace.get(&(rule.id, channel.clone())).cloned().unwrap_or_default();
    (pace.rests_until != Some(until)).then(|| Pace { recent: Vec::new(), rests_until: Some(until) })
}

/// The pace of a rule that reacts; `None` if it is not counted.
#[must_use]
pub fn reacting(state: &State, rule: &CompiledRule, channel: &ChannelId, at: OffsetDateTime) -> Option<Pace> {
    rule.max_per_minute?;
    let mut pace = state.pace.get(&(rule.id, channel.clone())).cloned().unwrap_or_default();
    pace.recent.retain(|reacted| at - *reacted < WINDOW);
    pace.recent.push(at);
    Some(pace)
}
