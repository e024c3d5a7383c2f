//! The log, oldest first.

use serde_json::value::RawValue;
use sqlx::PgExecutor;
use sqlx::types::Json;
use time::OffsetDateTime;

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

/// Which events to list.
#[derive(Debug, Default)]
pub struct Filter {
    /// Those of this channel (or, for types without one, of this user): an id or a login.
    pub channel: Option<String>,
    /// Those of this subscription type.
    pub kind: Option<String>,
    /// Those that occurred then or later.
    pub since: Option<OffsetDateTime>,
    /// Those that occurred earlier.
    pub until: Option<OffsetDateTime>,
}

/// The events with an id greater than `after`.
///
/// # Errors
/// When the database fails.
pub async fn page(db: impl PgExecutor<'_>, filter: &Filter, after: i64, limit: i64) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as!(
        Event,
        r#"select id, message_id, message_type, type as kind, version, channel_id, subscription_id, occurred_at,
            received_at, is_test, payload as "payload: Json<Box<RawValue>>"
        from event
        where id > $1
            and ($2::text is null or channel_id = coalesce(
                (select id from twitch_user where id = $2),
                (select id from twitch_user where login = lower($2) order by named_at desc, named_by desc limit 1),
                $2
            ))
            and ($3::text is null or type = $3)
            and ($4::timestamptz is null or occurred_at >= $4)
            and ($5::timestamptz is null or occurred_at < $5)
        order by id
        limit $6"#,
        after,
        filter.channel,
        filter.kind,
        filter.since,
        filter.until,
        limit
    )
    .fetch_all(db)
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
