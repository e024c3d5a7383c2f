//! What is compared with Twitch's API, to find what was missed.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::projection::ChannelInfo;

/// The ids of the channels that are served, and of those that events came from. What can't be an
/// id of Twitch's is left out, because Helix would refuse the whole call.
///
/// # Errors
/// When the database fails.
pub async fn known_channels(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select id as "id!" from (select id from served_channel union select id from channel) as known
        where id ~ '^[0-9]{1,20}$'
        order by id"#
    )
    .fetch_all(db)
    .await
}

/// A stream whose beginning is known.
#[derive(Debug)]
pub struct Known {
    /// Twitch's.
    pub id: String,
    /// When it was inferred that it has ended, if nobody told its end.
    pub gone_at: Option<OffsetDateTime>,
}

/// Those of these streams whose beginning is known.
///
/// # Errors
/// When the database fails.
pub async fn known_streams(db: impl PgExecutor<'_>, ids: &[&str]) -> sqlx::Result<Vec<Known>> {
    sqlx::query_as!(
        Known,
        "select id, case when is_end_estimated then gone_at end as gone_at
        from stream where id = any($1) and started_at is not null",
        ids as _
    )
    .fetch_all(db)
    .await
}

/// A stream that is live, as far as we know.
#[derive(Debug)]
#[expect(missing_docs, reason = "columns of stream and channel_now, which db/migrations describes")]
pub struct Live {
    pub stream_id: String,
    pub shown_at: Option<OffsetDateTime>,
    pub channel_id: String,
    pub login: String,
    pub display_name: String,
}

/// The streams with which these channels are live.
///
/// # Errors
/// When the database fails.
pub async fn live_streams(db: impl PgExecutor<'_>, channel_ids: &[String]) -> sqlx::Result<Vec<Live>> {
    sqlx::query_as!(
        Live,
        r#"select stream.id as stream_id, stream.shown_at, stream.channel_id, login as "login!",
            display_name as "display_name!"
        from channel_now join stream on stream.id = channel_now.stream_id
        where channel_now.id = any($1)"#,
        channel_ids
    )
    .fetch_all(db)
    .await
}

/// Notes which live streams a look at Twitch's API did not show, and forgets all others. Returns
/// those that no look has shown since `by`, or for longer.
///
/// # Errors
/// When the database fails.
pub async fn note_missed(
    db: impl PgExecutor<'_>,
    stream_ids: &[&str],
    now: OffsetDateTime,
    by: OffsetDateTime,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "with shown as (delete from missed_stream where stream_id <> all($1)),
        missed as (insert into missed_stream select id, $2 from unnest($1::text[]) as id on conflict do nothing)
        select stream_id from missed_stream where stream_id = any($1) and since <= $3",
        stream_ids as _,
        now,
        by
    )
    .fetch_all(db)
    .await
}

/// What a channel announced of itself, and when.
#[derive(Debug)]
pub struct Announced {
    /// The channel.
    pub channel_id: String,
    /// What.
    pub info: ChannelInfo,
    /// When.
    pub at: OffsetDateTime,
}

/// What those of these channels announced that announced anything.
///
/// # Errors
/// When the database fails.
pub async fn announced(db: impl PgExecutor<'_>, channel_ids: &[String]) -> sqlx::Result<Vec<Announced>> {
    let rows = sqlx::query!(
        r#"select id, title as "title!", language as "language!", category_id as "category_id!",
            category_name as "category_name!", content_classification_labels as "labels!", updated_at as "updated_at!"
        from channel where id = any($1) and updated_at is not null"#,
        channel_ids
    )
    .fetch_all(db)
    .await?;
    let announced = rows.into_iter().map(|row| Announced {
        channel_id: row.id,
        info: ChannelInfo {
            title: row.title,
            language: row.language,
            category_id: row.category_id,
            category_name: row.category_name,
            content_classification_labels: row.labels,
        },
        at: row.updated_at,
    });
    Ok(announced.collect())
}
