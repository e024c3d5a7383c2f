//! Queries of the live feeds: events with the names of their channels, and the state to begin with.

use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{Connection as _, PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::channels::{self, Channel};
use super::scan::{self, LogFilter, Range, Times};

/// A message of the log, with the names of its channel.
#[derive(Debug)]
#[expect(missing_docs, reason = "the columns of event and twitch_user, which db/migrations describes")]
pub struct Logged {
    pub id: i64,
    pub message_id: String,
    pub message_type: String,
    pub kind: Option<String>,
    pub version: Option<String>,
    pub channel_id: Option<String>,
    pub subscription_id: Option<String>,
    pub occurred_at: OffsetDateTime,
    pub received_at: OffsetDateTime,
    pub payload: Json<Box<RawValue>>,
    pub is_test: bool,
    pub channel_login: Option<String>,
    pub channel_name: Option<String>,
}

/// The first and the last id of the log.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `None` for an empty log.
    pub oldest: Option<i64>,
    /// `None` for an empty log.
    pub newest: Option<i64>,
}

/// The first and the last id of the log.
///
/// # Errors
/// When the database fails.
pub async fn bounds(db: impl PgExecutor<'_>) -> sqlx::Result<Bounds> {
    sqlx::query_as!(
        Bounds,
        "select (select id from event order by id limit 1) as oldest,
            (select id from event order by id desc limit 1) as newest"
    )
    .fetch_one(db)
    .await
}

/// The first events with an id greater than `after` and at most `last`, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn between(db: impl PgExecutor<'_>, after: i64, last: i64, limit: i64) -> sqlx::Result<Vec<Logged>> {
    sqlx::query_as!(
        Logged,
        r#"select e.id, e.message_id, e.message_type, e.type as kind, e.version, e.channel_id, e.subscription_id,
            e.occurred_at, e.received_at, e.payload as "payload: Json<Box<RawValue>>", e.is_test,
            u.login as "channel_login?", u.display_name as "channel_name?"
        from event e left join twitch_user u on u.id = e.channel_id
        where e.id > $1 and e.id <= $2
        order by e.id
        limit $3"#,
        after,
        last,
        limit
    )
    .fetch_all(db)
    .await
}

/// The first of the selected events in a range, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn first(db: &mut PgConnection, filter: &LogFilter, range: Range, limit: i64) -> sqlx::Result<Vec<Logged>> {
    let ids = scan::first(&mut *db, filter, Times::default(), range, limit).await?;
    with_ids(db, &ids).await
}

/// The last of the selected events with an id below `before`, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn last(db: &mut PgConnection, filter: &LogFilter, before: i64, limit: i64) -> sqlx::Result<Vec<Logged>> {
    let ids = scan::last(&mut *db, filter, before, limit).await?;
    with_ids(db, &ids).await
}

async fn with_ids(db: impl PgExecutor<'_>, ids: &[i64]) -> sqlx::Result<Vec<Logged>> {
    sqlx::query_as!(
        Logged,
        r#"select e.id, e.message_id, e.message_type, e.type as kind, e.version, e.channel_id, e.subscription_id,
            e.occurred_at, e.received_at, e.payload as "payload: Json<Box<RawValue>>", e.is_test,
            u.login as "channel_login?", u.display_name as "channel_name?"
        from event e left join twitch_user u on u.id = e.channel_id
        where e.id = any($1)
        order by e.id"#,
        ids
    )
    .fetch_all(db)
    .await
}

/// The ids that these names can mean: the names themselves, and the ids of all users who have one of them as their login.
///
/// # Errors
/// When the database fails.
pub async fn ids(db: impl PgExecutor<'_>, names: &[String]) -> sqlx::Result<Vec<String>> {
    let logins: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let known = sqlx::query_scalar!("select id from twitch_user where login = any($1)", &logins).fetch_all(db).await?;
    Ok(names.iter().cloned().chain(known).collect())
}

/// Channels per query.
const CHANNELS: i64 = 500;

/// The channels with these ids or logins (all, if `None`), and the id of the newest event that their state includes.
///
/// # Errors
/// When the database fails.
pub async fn snapshot(db: &mut PgConnection, names: Option<&[String]>) -> sqlx::Result<(i64, Vec<Channel>)> {
    let mut transaction = db.begin_with("begin isolation level repeatable read read only").await?;
    let newest = bounds(&mut *transaction).await?.newest.unwrap_or(0);
    let ids = match names {
        Some(names) => Some(ids(&mut *transaction, names).await?),
        None => None,
    };
    let mut found: Vec<Channel> = Vec::new();
    loop {
        let after = found.last().map_or("", |last| &last.id).to_owned();
        let page = channels::with_ids(&mut *transaction, ids.as_deref(), &after, CHANNELS).await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|count| count < CHANNELS);
        found.extend(page);
        if is_last {
            transaction.commit().await?;
            return Ok((newest, found));
        }
    }
}
