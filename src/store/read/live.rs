//! Queries of the live feeds: the events to begin with, and the state.

use sqlx::{Connection as _, PgConnection, PgExecutor};

use super::channels::{self, Channel};
use super::events::{self, LoggedEvent};
use super::scan::{self, LogFilter, Range, Times};
use crate::store::{LogId, Order};
use crate::twitch::id::ChannelId;

/// The first and the last id of the log.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `None` for an empty log.
    pub oldest: Option<LogId>,
    /// `None` for an empty log.
    pub newest: Option<LogId>,
}

/// What changes when events that were there are no longer, or are others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Grows when the log begins again above its old ids.
    pub epoch: i32,
    /// Grows when events were emptied or deleted.
    pub revision: i64,
}

/// The ids that are cursors no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// The greatest id that was pruned.
    pub pruned_through: LogId,
    /// Ids that a restore lost: the first and the last of each range.
    pub gaps: Vec<(LogId, LogId)>,
}

impl Lost {
    /// Why the log does not continue behind this id, if it does not. 0 is the place before the first event; no feed has ever
    /// sent it.
    #[must_use]
    pub fn reason(&self, cursor: LogId) -> Option<&'static str> {
        if self.gaps.iter().any(|(first, last)| (*first..=*last).contains(&cursor)) {
            return Some("the log was restored from a backup that lacks this id");
        }
        (LogId::START < cursor && cursor < self.pruned_through)
            .then_some("the log no longer has all events behind this id")
    }
}

/// The version of the log, and the ids that it has lost.
///
/// # Errors
/// If the database fails.
pub async fn version(db: &mut PgConnection) -> sqlx::Result<(Version, Lost)> {
    let row = sqlx::query!(r#"select epoch, revision, pruned_through as "pruned_through: LogId" from log_epoch"#);
    let row = row.fetch_one(&mut *db).await?;
    let gaps =
        sqlx::query!(r#"select first_id as "first: LogId", last_id as "last: LogId" from log_gap order by first_id"#)
            .fetch_all(db)
            .await?;
    let gaps = gaps.into_iter().map(|gap| (gap.first, gap.last)).collect();
    Ok((Version { epoch: row.epoch, revision: row.revision }, Lost { pruned_through: row.pruned_through, gaps }))
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
    let found = scan::page(&mut *db, filter, Times::default(), range, Order::Asc, limit).await?;
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
    let range = Range { after: LogId::START, last: before.previous() };
    let found = scan::page(&mut *db, filter, Times::default(), range, Order::Desc, limit).await?;
    events::with_ids(db, &found.ids).await
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
        let after = found.last().map(|last| last.id.to_string());
        let page = channels::page(&mut *transaction, None, ids, Order::Asc, after.as_deref(), CHANNELS).await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|count| count < CHANNELS);
        found.extend(page);
        if is_last {
            transaction.commit().await?;
            return Ok((newest, found));
        }
    }
}
