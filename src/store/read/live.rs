//! Queries of the live feeds: the events to begin with, and the state.

use sqlx::{Connection as _, PgConnection, PgExecutor};

use super::channels::{self, Channel};
use super::events::{self, LoggedEvent};
use super::scan::{self, LogFilter, Range, Times};
use crate::store::LogId;
use crate::twitch::id::ChannelId;

/// The first and the last id of the log.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `None` for an empty log.
    pub oldest: Option<LogId>,
    /// `None` for an empty log.
    pub newest: Option<LogId>,
}

/// The first and the last id of the log.
///
/// # Errors
/// If the database fails.
pub async fn bounds(db: impl PgExecutor<'_>) -> sqlx::Result<Bounds> {
    sqlx::query_as!(
        Bounds,
        r#"select (select id from event order by id limit 1) as "oldest: LogId",
            (select id from event order by id desc limit 1) as "newest: LogId""#
    )
    .fetch_one(db)
    .await
}

/// The first of the selected events in a range, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn first(
    db: &mut PgConnection,
    filter: &LogFilter,
    range: Range,
    limit: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    let found = scan::first(&mut *db, filter, Times::default(), range, limit).await?;
    events::with_ids(db, &found.ids).await
}

/// The last of the selected events with an id below `before`, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn last(
    db: &mut PgConnection,
    filter: &LogFilter,
    before: LogId,
    limit: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    let ids = scan::last(&mut *db, filter, before, limit).await?;
    events::with_ids(db, &ids).await
}

/// Channels per query.
const CHANNELS: i64 = 500;

/// The channels with these ids (all, if `None`), and the id of the newest event that their state includes.
///
/// # Errors
/// If the database fails.
pub async fn snapshot(db: &mut PgConnection, ids: Option<&[ChannelId]>) -> sqlx::Result<(LogId, Vec<Channel>)> {
    let mut transaction = db.begin_with("begin isolation level repeatable read read only").await?;
    let newest = bounds(&mut *transaction).await?.newest.unwrap_or_default();
    let mut found: Vec<Channel> = Vec::new();
    loop {
        let after = found.last().map_or("", |last| last.id.as_str()).to_owned();
        let page = channels::page(&mut *transaction, None, ids, &after, CHANNELS).await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|count| count < CHANNELS);
        found.extend(page);
        if is_last {
            transaction.commit().await?;
            return Ok((newest, found));
        }
    }
}
