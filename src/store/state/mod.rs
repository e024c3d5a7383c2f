//! The stored part of [`State`].
//!
//! What some messages add up to is folded in memory, and then added to what is stored: each value of
//! a user, a channel, a viewer or a subscription merges with the stored one by the rule that
//! [`crate::projection`] has for it, so that nothing has to be read first. What is derived from several
//! messages at once, the timeline, is read, folded into, derived anew and written back. Callers
//! hold the append lock, so nobody else writes in between.

mod added;
mod segments;
mod streams;
mod timeline;

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{locks::Lock, log};
use crate::projection::{Fact, State};

/// Messages folded at a time when the state is rebuilt.
const REBUILD_BATCH: i64 = 1_000;

/// Folds new messages into the stored state.
///
/// # Errors
/// If the database fails.
pub async fn fold(conn: &mut PgConnection, facts: &[Fact<'_>]) -> sqlx::Result<()> {
    let told = State::of(facts);
    added::add(conn, &told).await?;
    if timeline::is_touched(&told) {
        let mut timeline = timeline::load(conn, &told).await?;
        timeline.extend(facts);
        timeline.derive();
        timeline::save(conn, &timeline).await?;
    }
    Ok(())
}

/// Throws the state away and folds the whole log again, in the caller's transaction. Returns how
/// many messages there were.
///
/// # Errors
/// If the database fails.
pub async fn rebuild(conn: &mut PgConnection) -> sqlx::Result<u64> {
    Lock::Append.acquire(conn).await?;
    // These tables grow from nothing, and statistics come only after the commit: plans would be
    // made for empty ones.
    sqlx::query!("set local enable_seqscan = off").execute(&mut *conn).await?;
    sqlx::query!("truncate twitch_user, channel, stream, stream_end, segment, viewer, subscription")
        .execute(&mut *conn)
        .await?;
    let (mut after, mut count) = (0, 0);
    loop {
        let (facts, last) = log::facts_after(conn, after, REBUILD_BATCH).await?;
        let Some(last) = last else { return Ok(count) };
        fold(conn, &facts).await?;
        after = last;
        count += facts.len() as u64;
    }
}

/// The keys of a map as an array parameter.
fn keys<V>(map: &BTreeMap<String, V>) -> Vec<String> {
    map.keys().cloned().collect()
}

/// One thing about each value of a map as an array parameter. What messages touch all the time is
/// saved in such columns, which Postgres reads several times as fast as rows in JSON.
fn column<'a, K, V, T>(map: &'a BTreeMap<K, V>, about: impl Fn(&'a V) -> T) -> Vec<T> {
    map.values().map(about).collect()
}
