//! The stored [`State`].
//!
//! New messages are projected in memory. Users, channels, viewers and subscriptions are then merged into their tables by
//! the rules of [`crate::projection`], so that nothing has to be read first. The timeline, which is derived from several
//! messages at once, is read, projected onto, derived again and written back. Callers hold the append lock, so no other
//! transaction writes in between.

mod arrays;
pub(super) mod baseline;
mod earliest;
mod merge;
mod segments;
mod streams;
mod timeline;

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;

pub use self::merge::AppendOfNew;
use self::merge::Changes;
use super::locks::Lock;
use super::log;
use crate::message::Message;
use crate::projection::repeats::Relations;
use crate::projection::{Fact, State};
use crate::store::LogId;

/// Messages that a rebuild projects at a time.
const REBUILD_BATCH: i64 = 1_000;

/// Projects new messages, in the order of their ids, onto the stored state, and marks those that are repeats, in the
/// transaction that appends them.
///
/// # Errors
/// If the database fails.
pub async fn fold(conn: &mut PgConnection, facts: &[Fact<'_>]) -> sqlx::Result<()> {
    let repeats = project(conn, &State::from_facts(facts), facts).await?;
    log::mark_repeats(conn, &repeats).await
}

/// Appends messages and projects them, in one round trip and one transaction, if all are new, none repeats an earlier event, and
/// the timeline is not touched. Otherwise writes nothing; returns none if the messages alone say so, and the database is not
/// asked. Each message must have an id of its own.
///
/// `has_turn` tells whether this connection [waited its turn](Lock::wait_turn), which ends with this transaction.
///
/// # Errors
/// If the database fails, or the append lock isn't free within the connection's `lock_timeout`.
pub async fn append_new(
    conn: &mut PgConnection,
    messages: &[&Message],
    received_at: OffsetDateTime,
    has_turn: bool,
) -> sqlx::Result<Option<AppendOfNew>> {
    let facts: Vec<_> = messages.iter().zip(1..).map(|(message, id)| Fact::new(id, message)).collect();
    let (changes, relations) = (State::from_facts(&facts), Relations::new(&facts));
    if messages.iter().any(|message| log::is_end(message))
        || timeline::is_touched(&changes)
        || !relations.find(&[]).is_empty()
    {
        return Ok(None);
    }
    merge::append(conn, messages, &Changes::of_new(&changes, &relations), received_at, has_turn).await.map(Some)
}

/// Merges `changes`, what these facts add up to, into the tables. Returns which of the events repeat which earlier ones.
async fn project(conn: &mut PgConnection, changes: &State, facts: &[Fact<'_>]) -> sqlx::Result<Vec<(i64, i64)>> {
    let relations = Relations::new(facts);
    let told = merge::rows(conn, &Changes::new(changes, &relations)).await?;
    let mut repeats = relations.find(&told);
    if timeline::is_touched(changes) {
        let mut timeline = timeline::load(conn, changes).await?;
        repeats.extend(timeline.extend(facts));
        timeline.derive();
        timeline::save(conn, &timeline).await?;
    }
    Ok(repeats)
}

/// Empties the state and makes it again from the baseline and the whole log, in the caller's transaction. Returns the number
/// of messages in the log.
///
/// # Errors
/// If the database fails.
pub async fn rebuild(conn: &mut PgConnection) -> sqlx::Result<u64> {
    Lock::Baseline.acquire(conn).await?;
    Lock::Append.acquire(conn).await?;
    // The tables grow from empty within this transaction, and statistics are collected only after its commit: the planner
    // would go on reading them as if they were empty.
    sqlx::query!("set local enable_seqscan = off").execute(&mut *conn).await?;
    sqlx::query!(
        "truncate twitch_user, channel_login, channel, stream, stream_end, segment, viewer, activity, told, subscription"
    )
    .execute(&mut *conn)
    .await?;
    baseline::copy_to_state(conn).await?;
    // What an event repeats may have been pruned, so what was found out about those before the last one that was pruned stays.
    let pruned = log::unmark_repeats(conn).await?;
    let (mut after, mut count) = (LogId::START, 0);
    let mut unread = BTreeMap::new();
    loop {
        let (facts, last) = log::facts_after(conn, after, REBUILD_BATCH).await?;
        let Some(last) = last else {
            log_unread(&unread);
            return Ok(count);
        };
        let mut repeats = project(conn, &State::from_facts(&facts), &facts).await?;
        repeats.retain(|(id, _)| *id > pruned.0);
        log::mark_repeats(conn, &repeats).await?;
        for content in facts.iter().map(|fact| &fact.content).filter(|content| content.payload_error.is_some()) {
            *unread.entry(content.kind().unwrap_or_default().to_owned()).or_default() += 1;
        }
        after = last;
        count += facts.len() as u64;
    }
}

/// Logs how many payloads of each type could not be read.
fn log_unread(unread: &BTreeMap<String, u64>) {
    for (kind, count) in unread {
        tracing::warn!(subscription.r#type = kind, count, "payloads are not as expected and changed no state");
    }
}
