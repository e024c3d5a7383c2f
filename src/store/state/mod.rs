//! The stored [`State`].
//!
//! New messages are projected in memory. Users, channels, viewers and subscriptions are then merged into their tables by
//! the rules of [`crate::projection`], so that nothing has to be read first. The timeline, which is derived from several
//! messages at once, is read, projected onto, derived again and written back. Callers hold the append lock, so no other
//! transaction writes in between.

mod arrays;
mod earliest;
mod merge;
mod segments;
mod streams;
mod timeline;

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::locks::Lock;
use super::log;
use crate::projection::{Fact, State};
use crate::store::LogId;

/// Messages that a rebuild projects at a time.
const REBUILD_BATCH: i64 = 1_000;

/// Projects new messages onto the stored state, in the transaction that appends them. What a projection finds out about a
/// single event (say, that it repeats another or takes it back) belongs here too: each fact names its message.
///
/// # Errors
/// If the database fails.
pub async fn fold(conn: &mut PgConnection, facts: &[Fact<'_>]) -> sqlx::Result<()> {
    let changes = State::from_facts(facts);
    merge::rows(conn, &changes).await?;
    if timeline::is_touched(&changes) {
        let mut timeline = timeline::load(conn, &changes).await?;
        timeline.extend(facts);
        timeline.derive();
        timeline::save(conn, &timeline).await?;
    }
    Ok(())
}

/// Empties the state and projects the whole log again, in the caller's transaction. Returns the number of messages.
///
/// # Errors
/// If the database fails.
pub async fn rebuild(conn: &mut PgConnection) -> sqlx::Result<u64> {
    Lock::Append.acquire(conn).await?;
    // The tables grow from empty within this transaction, and statistics are collected only after its commit: the planner
    // would go on reading them as if they were empty.
    sqlx::query!("set local enable_seqscan = off").execute(&mut *conn).await?;
    sqlx::query!("truncate twitch_user, channel_login, channel, stream, stream_end, segment, viewer, subscription")
        .execute(&mut *conn)
        .await?;
    let (mut after, mut count) = (LogId::START, 0);
    let mut unread = BTreeMap::new();
    loop {
        let (facts, last) = log::facts_after(conn, after, REBUILD_BATCH).await?;
        let Some(last) = last else {
            log_unread(&unread);
            return Ok(count);
        };
        fold(conn, &facts).await?;
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
