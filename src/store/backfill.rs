//! The state that the backfill compares with Twitch's API.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::tracking::tracks::Streamer;
use crate::projection::ChannelInfo;
use crate::twitch::id::{ChannelId, StreamId};

/// The ids of the channels that are served, and of those that events came from, but for [those that are
/// polled](polled_channels). An id that can't be one of Twitch's, such as that of the demo, is left out, because Helix would refuse
/// the whole call.
///
/// # Errors
/// If the database fails.
pub async fn known_channels(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<ChannelId>> {
    sqlx::query_scalar!(
        r#"select id as "id!: ChannelId" from (select id from served_channel union select id from channel) as known
        where id ~ '^[1-9][0-9]{0,19}$'
            and (id in (select id from served_channel) or id in (select twitch_id from watched_channel where is_enabled)
                or not exists (select from track where twitch_id = known.id))
        order by id"#
    )
    .fetch_all(db)
    .await
}

/// The channels that bots track and about which Twitch sends nothing, by id: they are not served, nor
/// [watched](crate::store::tracking::watched).
///
/// # Errors
/// If the database fails.
pub async fn polled_channels(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Streamer>> {
    sqlx::query_as!(
        Streamer,
        r#"select distinct on (twitch_id) twitch_id as "id: ChannelId", login from track
        where twitch_id ~ '^[1-9][0-9]{0,19}$' and not exists (select from served_channel where id = twitch_id)
            and not exists (select from watched_channel w where w.twitch_id = track.twitch_id and is_enabled)
        order by twitch_id, login"#
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
        where is_live and channel_now.id ~ '^[1-9][0-9]{0,19}$'
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

/// How long it is remembered that a stream was not shown, if its channel is not looked up any more.
const REMEMBERED_DAYS: i32 = 1;

/// Records which live streams an answer of Helix about these channels did not show, and forgets their others. Returns those
/// that no answer has shown since `by` or earlier.
///
/// # Errors
/// If the database fails.
pub async fn record_missed(
    db: impl PgExecutor<'_>,
    channel_ids: &[ChannelId],
    stream_ids: &[&StreamId],
    now: OffsetDateTime,
    by: OffsetDateTime,
) -> sqlx::Result<Vec<StreamId>> {
    sqlx::query_scalar!(
        r#"with shown as (
            delete from missed_stream m where stream_id <> all($1) and (since < $2::timestamptz - make_interval(days => $5)
                or exists (select from stream where stream.id = m.stream_id and channel_id = any($4)))
        ),
        missed as (insert into missed_stream select id, $2 from unnest($1::text[]) as id on conflict do nothing)
        select stream_id as "stream_id: StreamId" from missed_stream where stream_id = any($1) and since <= $3"#,
        stream_ids as _,
        now,
        by,
        channel_ids as &[ChannelId],
        REMEMBERED_DAYS
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
