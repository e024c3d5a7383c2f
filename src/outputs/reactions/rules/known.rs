//! Reads what planning has to know about some events from the database.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::compiled::Compiled;
use super::occurrence::{Occurrence, Person};
use super::state::{
    BatchState, ChannelFacts, OwnMessage, Pace, PermitState, RuleId, State, Strikes, TimerState, ViewerFacts,
};
use crate::store::read::channels;
use crate::store::rules::{facts, known};
use crate::store::{LogId, Order, served_channels};
use crate::twitch::id::ChannelId;

/// How long a sent message is known as our own. Its echo comes within seconds.
const OWN_AGE: Duration = Duration::minutes(10);

/// How long a number of viewers is taken for the current one. There is one each minute.
const VIEWERS_AGE: Duration = Duration::minutes(10);

/// A user in a batch, as it is kept.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Member {
    id: Option<String>,
    login: Option<String>,
    name: Option<String>,
}

impl From<&Person> for Member {
    fn from(person: &Person) -> Self {
        Self { id: person.id.clone(), login: person.login.clone(), name: person.name.clone() }
    }
}

impl From<Member> for Person {
    fn from(member: Member) -> Self {
        Self { id: member.id, login: member.login, name: member.name }
    }
}

/// What is known about these events, and what timers and batches need.
///
/// # Errors
/// If the database fails.
pub async fn read(
    db: &mut PgConnection,
    compiled: &Compiled,
    bot: Option<Person>,
    occurrences: &[Occurrence],
    now: OffsetDateTime,
) -> sqlx::Result<State> {
    let mut state = State { bot, ..State::default() };
    read_timed(db, compiled, &mut state).await?;
    let timed = state.batches.keys().chain(state.timers.keys()).map(|(_, channel)| channel);
    let known = state.channels.keys();
    let all: BTreeSet<_> = occurrences.iter().map(|it| &it.channel).chain(timed).chain(known).cloned().collect();
    let channels: Vec<_> = all.into_iter().collect();
    if channels.is_empty() {
        return Ok(state);
    }
    read_channels(db, &channels, now, &mut state).await?;
    read_values(db, &channels, &mut state).await?;
    if !occurrences.is_empty() {
        read_past(db, &channels, occurrences, now, &mut state).await?;
    }
    Ok(state)
}

/// Timers run on every channel that is served.
async fn read_timed(db: &mut PgConnection, compiled: &Compiled, state: &mut State) -> sqlx::Result<()> {
    if !compiled.timers.is_empty() {
        read_served(&mut *db, state).await?;
        for row in known::timers(&mut *db).await? {
            let timer = TimerState { next_at: row.next_at, lines: u32::try_from(row.lines).unwrap_or(0) };
            state.timers.insert((RuleId(row.rule_id), row.channel_id), timer);
        }
    }
    if compiled.rules.iter().any(|rule| rule.rule.batch.is_some()) {
        for row in known::batches(&mut *db).await? {
            let members: Vec<Member> = serde_json::from_value(row.members).unwrap_or_default();
            let members = members.into_iter().map(Person::from).collect();
            let events = u32::try_from(row.events).unwrap_or(0);
            let batch = BatchState { first: LogId(row.first_event_id), due_at: row.due_at, events, members };
            state.batches.insert((RuleId(row.rule_id), row.channel_id), batch);
        }
    }
    Ok(())
}

async fn read_channels(
    db: &mut PgConnection,
    ids: &[ChannelId],
    now: OffsetDateTime,
    state: &mut State,
) -> sqlx::Result<()> {
    let limit = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let mut live = Vec::new();
    for row in channels::page(&mut *db, None, Some(ids), Order::Asc, None, limit).await? {
        let facts = ChannelFacts {
            login: row.login,
            name: row.display_name,
            title: row.title,
            category: row.category_name,
            live_since: row.broadcast_started_at.or(row.stream_started_at).filter(|_| row.is_live),
            viewers: None,
        };
        live.extend(row.is_live.then(|| row.id.clone()));
        state.channels.insert(row.id, facts);
    }
    if !live.is_empty() {
        for (id, viewers) in facts::live_viewers(&mut *db, &live, now - VIEWERS_AGE).await? {
            state.channels.entry(id).and_modify(|facts| facts.viewers = Some(viewers));
        }
    }
    if ids.iter().any(|id| !state.channels.contains_key(id)) {
        read_served(db, state).await?;
    }
    Ok(())
}

/// The names of channels that have had no event yet.
async fn read_served(db: &mut PgConnection, state: &mut State) -> sqlx::Result<()> {
    for served in served_channels::all(&mut *db).await? {
        let facts = ChannelFacts { login: served.login, name: served.display_name, ..ChannelFacts::default() };
        state.channels.entry(served.id).or_insert(facts);
    }
    Ok(())
}

async fn read_values(db: &mut PgConnection, channels: &[ChannelId], state: &mut State) -> sqlx::Result<()> {
    for (channel, name, value) in facts::counters(&mut *db, channels).await? {
        state.counters.entry(channel).or_default().insert(name, value);
    }
    for (channel, name, value) in facts::variables(&mut *db, channels).await? {
        state.variables.entry(channel).or_default().insert(name, value);
    }
    for row in known::paces(&mut *db, channels).await? {
        let pace = Pace { recent: row.recent, rests_until: row.rests_until };
        state.pace.insert((RuleId(row.rule_id), row.channel_id), pace);
    }
    Ok(())
}

/// What the rules have done to these users and about these subjects.
async fn read_past(
    db: &mut PgConnection,
    channels: &[ChannelId],
    occurrences: &[Occurrence],
    now: OffsetDateTime,
    state: &mut State,
) -> sqlx::Result<()> {
    let users: BTreeSet<_> = occurrences.iter().filter_map(|it| it.user.as_ref()).map(Person::key).collect();
    let users: Vec<_> = users.into_iter().map(str::to_owned).collect();
    let subjects: Vec<_> = occurrences.iter().map(|it| it.subject.clone()).collect();
    for row in known::cooldowns(&mut *db, channels, &users).await? {
        state.cooldowns.insert((RuleId(row.rule_id), row.channel_id, row.user_id), row.value);
    }
    for row in known::strikes(&mut *db, channels, &users).await? {
        let (count, until) = row.value;
        let strikes = Strikes { count: u32::try_from(count).unwrap_or(0), until };
        state.strikes.insert((RuleId(row.rule_id), row.channel_id, row.user_id), strikes);
    }
    for (channel, login, (until, uses)) in facts::permits(&mut *db, channels).await? {
        state.permits.insert((channel, login), PermitState { until, uses: u32::try_from(uses).unwrap_or(0) });
    }
    for row in facts::viewers(&mut *db, channels, &users).await? {
        let tier = row.tier.and_then(|tier| tier.parse::<u16>().ok()).and_then(|tier| u8::try_from(tier / 1_000).ok());
        let viewer = ViewerFacts { is_follower: row.is_follower, tier: tier.unwrap_or(0) };
        state.viewers.insert((row.channel_id, row.user_id), viewer);
    }
    for row in facts::sent_messages(&mut *db, channels, now - OWN_AGE).await? {
        state.own_messages.push(OwnMessage { channel: row.channel_id, text: row.text, message_id: row.message_id });
    }
    let reacted = facts::reacted(&mut *db, &subjects).await?;
    state.reacted = reacted.into_iter().map(|(rule, subject)| (RuleId(rule), subject)).collect();
    Ok(())
}
