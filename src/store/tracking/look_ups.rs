//! What Twitch's API is asked about the broadcasts in the table `announcement`.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::twitch::id::{ChannelId, StreamId};

/// A broadcast that Twitch's API is to be asked about.
#[derive(Clone, Debug)]
pub struct LookUp {
    /// The stream that it is named after.
    pub stream_id: StreamId,
    /// The Twitch channel.
    pub twitch_id: ChannelId,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ended; `None` while it is live.
    pub ended_at: Option<OffsetDateTime>,
}

/// What Twitch's API says of a broadcast; what is `None` is not known.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The tags.
    pub tags: Option<Vec<String>>,
    /// The id of the video.
    pub video_id: Option<String>,
    /// The address of its picture.
    pub video_picture_url: Option<String>,
}

/// After so long nothing is asked about a broadcast that has ended.
const LATENESS_SECONDS: f64 = 3_600.0;

/// Claims broadcasts that are due, until `until`, when they are due again unless something is [recorded](record).
///
/// # Errors
/// If the database fails.
pub async fn claim(
    db: impl PgExecutor<'_>,
    limit: i64,
    (now, until): (OffsetDateTime, OffsetDateTime),
) -> sqlx::Result<Vec<LookUp>> {
    let claimed = sqlx::query_as!(
        LookUp,
        r#"with due as (
            select stream_id, ended_at < $1::timestamptz - make_interval(secs => $4) as is_late from announcement
            where look_up_at <= $1 order by look_up_at, stream_id limit $3 for no key update skip locked
        ),
        claimed as (
            update announcement a set look_up_at = case when due.is_late then null else $2::timestamptz end
            from due where a.stream_id = due.stream_id
            returning a.stream_id, a.twitch_id, a.started_at, a.ended_at, a.look_up_at
        )
        select stream_id as "stream_id: StreamId", twitch_id as "twitch_id: ChannelId", started_at, ended_at from claimed
        where look_up_at is not null order by started_at, stream_id"#,
        now,
        until,
        limit,
        LATENESS_SECONDS
    );
    claimed.fetch_all(db).await
}

/// Records what was found of a broadcast that is claimed until `until`, and when to ask again, unless that has changed since. What is
/// found is shown by the next edit; a video that is found after the end makes one. True if it does.
///
/// # Errors
/// If the database fails.
pub async fn record(
    db: impl PgExecutor<'_>,
    stream_id: &StreamId,
    found: &Found,
    (now, until, next_at): (OffsetDateTime, OffsetDateTime, Option<OffsetDateTime>),
) -> sqlx::Result<bool> {
    let is_news = sqlx::query_scalar!(
        r#"update announcement a set
            tags = coalesce($2, a.tags),
            video_id = coalesce($3, a.video_id),
            video_picture_url = coalesce($4, a.video_picture_url),
            look_up_at = case when a.look_up_at = $6 then $7::timestamptz else a.look_up_at end,
            revision = a.revision + case when old.is_news then 1 else 0 end,
            spread_at = case when old.is_news then coalesce(a.spread_at, $5::timestamptz) else a.spread_at end,
            spread_to = case when old.is_news and a.is_expanded then 0 else a.spread_to end,
            spread_count = case when old.is_news and a.is_expanded then 0 else a.spread_count end
        from (
            select stream_id, ended_at is not null and video_id is null and $3::text is not null as is_news
            from announcement where stream_id = $1 for no key update
        ) as old
        where a.stream_id = old.stream_id returning old.is_news as "is_news!""#,
        stream_id.as_str(),
        found.tags.as_deref(),
        found.video_id,
        found.video_picture_url,
        now,
        until,
        next_at
    );
    Ok(is_news.fetch_optional(db).await?.unwrap_or(false))
}
