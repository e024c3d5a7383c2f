//! Messages that a bot posts to see what they look like: what they are about, and the turn of the webhook.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::twitch::id::{ChannelId, StreamId};

/// What is known of a Twitch channel now.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the tables, which db/migrations describes")]
pub struct KnownStream {
    pub login: Option<String>,
    pub display_name: Option<String>,
    pub title: Option<String>,
    pub category_id: Option<String>,
    pub category_name: Option<String>,
    pub language: Option<String>,
    pub labels: Option<Vec<String>>,
    /// The live stream, if there is one.
    pub stream_id: Option<StreamId>,
    pub started_at: Option<OffsetDateTime>,
    pub viewers: Option<i64>,
    /// What is told of its broadcast, if it was announced.
    pub tags: Option<Vec<String>>,
    pub segments: Option<Value>,
    pub video_id: Option<String>,
}

/// What is known of a Twitch channel now.
///
/// # Errors
/// If the database fails.
pub async fn stream(db: impl PgExecutor<'_>, id: &ChannelId, now: OffsetDateTime) -> sqlx::Result<KnownStream> {
    sqlx::query_as!(
        KnownStream,
        r#"select u.login as "login?", u.display_name as "display_name?", c.title as "title?", c.category_id as "category_id?",
            c.category_name as "category_name?", c.language as "language?", c.content_classification_labels as "labels?",
            live.id as "stream_id?: StreamId",
            coalesce(told.started_at, live.started_at) as started_at, sample.viewers as "viewers?", told.tags as "tags?",
            told.segments as "segments?", told.video_id as "video_id?"
        from (select $1::text as id) as given
            left join twitch_user u on u.id = given.id
            left join channel c on c.id = given.id
            left join lateral (
                select id, broadcast_id, started_at, ended_at from stream where channel_id = given.id and started_at is not null
                order by started_at desc, id desc limit 1
            ) as live on live.ended_at is null
            left join lateral (
                select activity.viewers / activity.viewer_samples as viewers from activity
                where channel_id = given.id and viewer_samples > 0 and minute > $2::timestamptz - interval '10 minutes'
                order by minute desc limit 1
            ) as sample on live.id is not null
            left join lateral (
                select a.* from stream part join announcement a on a.stream_id = part.id
                where part.broadcast_id = live.broadcast_id limit 1
            ) as told on live.id is not null"#,
        id.as_str(),
        now
    )
    .fetch_one(db)
    .await
}

/// The turn of a webhook.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Until when another request is under way, or Discord wants none.
    pub busy_until: Option<OffsetDateTime>,
    /// When the last test was posted.
    pub tested_at: Option<OffsetDateTime>,
}

/// The turn of the webhook of a destination, which no one else takes until the transaction ends; `None` if it is not there or can't
/// be used.
///
/// # Errors
/// If the database fails.
pub async fn lock(conn: &mut PgConnection, destination_id: i64) -> sqlx::Result<Option<Turn>> {
    sqlx::query_as!(
        Turn,
        "select greatest(leased_until, not_before) as busy_until, tested_at from destination
        where id = $1 and state = 'ok' for no key update",
        destination_id
    )
    .fetch_optional(conn)
    .await
}

/// Keeps others from the webhook of a destination until this time, for a test.
///
/// # Errors
/// If the database fails.
pub async fn begin(
    conn: &mut PgConnection,
    destination_id: i64,
    server: i64,
    (now, until): (OffsetDateTime, OffsetDateTime),
) -> sqlx::Result<()> {
    sqlx::query!(
        "update destination set leased_by = $2, leased_until = $4, next_at = $4, tested_at = $3 where id = $1",
        destination_id,
        server,
        now,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}
