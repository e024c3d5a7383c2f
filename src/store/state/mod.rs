//! The stored part of [`State`]: read what some messages touch, fold them in, write it back.
//!
//! The fold in [`crate::stream`] stays the only place that knows how values merge; nothing is
//! merged in SQL. Callers hold the append lock, so nobody else writes in between.

mod channels;
mod segments;
mod streams;
mod subscriptions;
mod timeline;
mod users;
mod viewers;

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::log;
use crate::stream::{Fact, State};

/// Messages folded at a time when the state is rebuilt.
const REBUILD_BATCH: i64 = 1_000;

/// Folds new messages into the stored state.
///
/// # Errors
/// If the database fails.
pub async fn fold(conn: &mut PgConnection, facts: &[Fact<'_>]) -> sqlx::Result<()> {
    let touched = State::of(facts);
    let mut state = load(conn, &touched).await?;
    state.extend(facts);
    if timeline::is_touched(&touched) {
        state.derive();
    }
    save(conn, &state).await
}

/// Throws the state away and folds the whole log again, in the caller's transaction. Returns how
/// many messages there were.
///
/// # Errors
/// If the database fails.
pub async fn rebuild(conn: &mut PgConnection) -> sqlx::Result<u64> {
    log::lock(conn).await?;
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

async fn load(conn: &mut PgConnection, touched: &State) -> sqlx::Result<State> {
    let (streams, stream_ends, segments) = timeline::load(conn, touched).await?;
    Ok(State {
        users: users::load(conn, touched).await?,
        channels: channels::load(conn, touched).await?,
        streams,
        stream_ends,
        segments,
        viewers: viewers::load(conn, touched).await?,
        subscriptions: subscriptions::load(conn, touched).await?,
    })
}

async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    users::save(conn, state).await?;
    channels::save(conn, state).await?;
    streams::save(conn, state).await?;
    segments::save(conn, state).await?;
    viewers::save(conn, state).await?;
    subscriptions::save(conn, state).await
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
