//! The log, oldest first.

use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::scan::{self, LogFilter, Range, Times};

/// One message of the log.
#[derive(Debug)]
#[expect(missing_docs, reason = "the columns of event, which db/migrations describes")]
pub struct Event {
    pub id: i64,
    pub message_id: String,
    pub message_type: String,
    pub kind: Option<String>,
    pub version: Option<String>,
    pub channel_id: Option<String>,
    pub subscription_id: Option<String>,
    pub occurred_at: OffsetDateTime,
    pub received_at: OffsetDateTime,
    pub is_test: bool,
    pub payload: Json<Box<RawValue>>,
}

/// The selected events with an id greater than `after`.
///
/// # Errors
/// When the database fails.
pub async fn page(
    db: &mut PgConnection,
    filter: &LogFilter,
    times: Times,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<Event>> {
    let range = Range { after, last: i64::MAX };
    let ids = scan::first(&mut *db, filter, times, range, limit).await?;
    sqlx::query_as!(
        Event,
        r#"select id, message_id, message_type, type as kind, version, channel_id, subscription_id, occurred_at,
            received_at, is_test, payload as "payload: Json<Box<RawValue>>"
        from event
        where id = any($1)
        order by id"#,
        &ids
    )
    .fetch_all(db)
    .await
}

/// The channel id that a name stands for: the name itself if it is a known id, else that of the user with this login,
/// else the name itself.
///
/// # Errors
/// When the database fails.
pub async fn channel_id(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<String> {
    sqlx::query_scalar!(
        r#"select coalesce(
            (select id from twitch_user where id = $1),
            (select id from twitch_user where login = lower($1) order by named_at desc, named_by desc limit 1),
            $1
        ) as "id!""#,
        name
    )
    .fetch_one(db)
    .await
}

/// The event with this id.
///
/// # Errors
/// When the database fails.
pub async fn get(db: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<Event>> {
    sqlx::query_as!(
        Event,
        r#"select id, message_id, message_type, type as kind, version, channel_id, subscription_id, occurred_at,
            received_at, is_test, payload as "payload: Json<Box<RawValue>>"
        from event
        where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}
