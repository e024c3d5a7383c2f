//! The state that the backfill compares with Twitch's API.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::projection::ChannelInfo;
use crate::twitch::id::{ChannelId, StreamId};

/// The ids of the channels that are served, and of those that events came from. An id that can't be
/// one of Twitch's is left out, because Helix would refuse the whole call.
///
/// # Errors
/// If the database fails.
pub async fn known_channels(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<ChannelId>> {
    sqlx::query_scalar!(
        r#"select id as "id!: ChannelId" from (select id from served_channel union select id from channel) as known
        where id ~ '^[0-9]{1,20}$'
        order by id"#
    )
    .fetch_all(db)
    .await
}

/// The ids of the served channels that are live.
///
/// # Errors
/// If the database fails.
pub async fn served_live_channels(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<ChannelId>> {
    sqlx::query_scalar!(
        r#"select channel_now.id as "id!: ChannelId" from channel_now join served_channel using (id)
        where is_live and channel_now.id ~ '^[0-9]{1,20}$'
        order by 1"#
    )
    .fetch_all(db)
    .await
}

/// A stream whose start is known.
#[derive(Debug)]
pub struct KnownStream {
    /// The id that Twitch gave it.
    pub id: StreamId,
    /// When Twitch sent that it ended, or when that was inferred from Helix.
    pub ended_at: Option<OffsetDateTime>,
    /// Whether its end was inferred, and not sent by Twitch.
    pub is_end_inferred: bool,
}

/// Those of these streams whose start is known.
///
/// # Errors
/// If the database fails.
pub async fn known_streams(db: impl PgExecutor<'_>, ids: &[&StreamId]) -> sqlx::Result<Vec<KnownStream>> {
    sqlx::query_as!(
        KnownStream,
        r#"select id as "id: StreamId", is_end_estimated as is_end_inferred,
            case when not is_end_estimated then ended_at when gone_at > greatest(shown_at, online_at) then gone_at end
                as ended_at
        from stream where id = any($1) and started_at is not null"#,
        ids as _
    )
    .fetch_all(db)
    .await
}

/// A stream that is live by the state.
#[derive(Debug)]
#[expect(missing_docs, reason = "columns of stream and channel_now, which db/migrations describes")]
pub struct LiveStream {
    pub stream_id: StreamId,
    /// When Twitch last sent or showed that it is live.
    pub live_at: Option<OffsetDateTime>,
    pub channel_id: ChannelId,
    pub login: String,
    pub display_name: String,
}

/// The live streams of these channels.
///
/// # Errors
/// If the database fails.
pub async fn live_streams(db: impl PgExecutor<'_>, channel_ids: &[ChannelId]) -> sqlx::Result<Vec<LiveStream>> {
    sqlx::query_as!(
        LiveStream,
        r#"select stream.id as "stream_id: StreamId", greatest(stream.shown_at, stream.online_at) as live_at,
            stream.channel_id as "channel_id: ChannelId",
            login as "login!", display_name as "display_name!"
        from channel_now join stream on stream.id = channel_now.stream_id
        where channel_now.id = any($1)"#,
        channel_ids as &[ChannelId]
    )
    .fetch_all(db)
    .await
}

/// Records which live streams an answer of Helix did not show, and forgets all others. Returns
/// those that no answer has shown since `by` or earlier.
///
/// # Errors
/// If the database fails.
pub async fn record_missed(
    db: impl PgExecutor<'_>,
    stream_ids: &[&StreamId],
    now: OffsetDateTime,
    by: OffsetDateTime,
) -> sqlx::Result<Vec<StreamId>> {
    sqlx::query_scalar!(
        r#"with shown as (delete from missed_stream where stream_id <> all($1)),
        missed as (insert into missed_stream select id, $2 from unnest($1::text[]) as id on conflict do nothing)
        select stream_id as "stream_id: StreamId" from missed_stream where stream_id = any($1) and since <= $3"#,
        stream_ids as _,
        now,
        by
    )
    .fetch_all(db)
    .await
}

/// Title, category, language and labels that a channel announced.
#[derive(Debug)]
pub struct AnnouncedInfo {
    /// The channel.
    pub channel_id: ChannelId,
    /// The last announcement.
    pub info: ChannelInfo,
    /// When it was announced.
    pub at: OffsetDateTime,
}

/// The last announcements of these channels; channels without one are left out.
///
/// # Errors
/// If the database fails.
pub async fn announced_info(db: impl PgExecutor<'_>, channel_ids: &[ChannelId]) -> sqlx::Result<Vec<AnnouncedInfo>> {
    let rows = sqlx::query!(
        r#"select id as "id: ChannelId", title as "title!", language as "language!", category_id as "category_id!",
            category_name as "category_name!", content_classification_labels as "labels!", updated_at as "updated_at!"
        from channel where id = any($1) and updated_at is not null"#,
        channel_ids as &[ChannelId]
    )
    .fetch_all(db)
    .await?;
    let announced = rows.into_iter().map(|row| AnnouncedInfo {
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
