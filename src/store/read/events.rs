//! The log, oldest first.

use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::scan::{self, Interest, Range, Times};

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
    /// Those that occurred at these times.
    pub times: Times,
}

/// The events with an id greater than `after`.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &mut PgConnection, filter: &Filter, after: i64, limit: i64) -> sqlx::Result<Vec<Event>> {
    let channel_ids = match &filter.channel {
        Some(name) => Some(vec![meant(&mut *db, name).await?]),
        None => None,
    };
    let interest = Interest { channel_ids, kinds: filter.kind.clone().map(|kind| vec![kind]) };
    let range = Range { after, last: i64::MAX };
    let ids = scan::first(&mut *db, &interest, filter.times, range, limit).await?;
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

/// The id that a name means: it is one, or else somebody's login, or else nobody's.
async fn meant(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<String> {
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
