//! Table `announcement`: the broadcasts that are told of. It follows the state of channels and streams, so the order of events
//! does not matter.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::twitch::id::{ChannelId, StreamId};

/// A change is spread so long after it, with all that change meanwhile.
const DEBOUNCE_SECONDS: f64 = 10.0;

/// The most titles and categories of a broadcast that are kept: the last ones.
pub const MAX_SEGMENTS: i32 = 20;

/// So long after the end Twitch's API is asked about the video, of which the picture is made meanwhile.
const VIDEO_PICTURE_SECONDS: f64 = 120.0;

/// A stream that began.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The stream.
    pub stream_id: StreamId,
    /// When that was known.
    pub received_at: OffsetDateTime,
}

/// Adds announcements of the broadcasts that these streams belong to, if they are live, tracked and not announced. Returns the
/// number of them.
///
/// # Errors
/// If the database fails.
pub async fn begin(db: impl PgExecutor<'_>, begun: &[Begun], now: OffsetDateTime) -> sqlx::Result<u64> {
    let (ids, times): (Vec<_>, Vec<_>) = begun.iter().map(|it| (it.stream_id.as_str(), it.received_at)).unzip();
    let added = sqlx::query!(
        "insert into announcement
            (stream_id, twitch_id, login, display_name, title, category_id, category_name, started_at, created_at, spread_at,
            look_up_at, segments)
        select distinct on (s.broadcast_id) s.id, s.channel_id, coalesce(u.login, s.channel_id),
            coalesce(u.display_name, s.channel_id), c.title, c.category_id, c.category_name,
            (select min(first.started_at) from stream first
                where first.broadcast_id = s.broadcast_id and first.type is distinct from 'rerun'),
            begun.received_at, $3, $3,
            jsonb_build_array(jsonb_build_object('title', c.title, 'category', c.category_name, 'at', s.started_at))
        from unnest($1::text[], $2::timestamptz[]) as begun (stream_id, received_at)
        cross join lateral (select * from stream where id = begun.stream_id limit 1) as s
        left join twitch_user u on u.id = s.channel_id
        left join channel c on c.id = s.channel_id
        where s.started_at is not null and s.type is distinct from 'rerun'
            and exists (select from track where track.twitch_id = s.channel_id)
            and exists (select from stream live where live.broadcast_id = s.broadcast_id and live.ended_at is null)
            and not exists (select from announcement a join stream known on known.id = a.stream_id
                where known.broadcast_id = s.broadcast_id)
        order by s.broadcast_id, s.started_at, s.id
        on conflict do nothing",
        &ids as &[&str],
        &times,
        now
    );
    Ok(added.execute(db).await?.rows_affected())
}

/// Updates the announcements of these channels to what is to be said now. Returns the number of those that changed.
///
/// # Errors
/// If the database fails.
pub async fn update(db: impl PgExecutor<'_>, channels: &[ChannelId], now: OffsetDateTime) -> sqlx::Result<u64> {
    let updated = sqlx::query!(
        "update announcement a set
            login = s.login, display_name = s.display_name, title = s.title, category_id = s.category_id,
            category_name = s.category_name, ended_at = s.ended_at, revision = a.revision + 1,
            spread_at = coalesce(a.spread_at, $2::timestamptz + make_interval(secs => $3)),
            spread_to = case when a.is_expanded then 0 else a.spread_to end,
            spread_count = case when a.is_expanded then 0 else a.spread_count end,
            look_up_at = case when a.ended_at is null and s.ended_at is not null
                then $2::timestamptz + make_interval(secs => $4) else a.look_up_at end,
            segments = case
                when (a.title, a.category_name) is not distinct from (s.title, s.category_name) then a.segments
                -- What changes at the same time, or was not known yet, is one change.
                when s.is_same then (a.segments - -1) || jsonb_build_object(
                    'title', s.title, 'category', s.category_name, 'at', a.segments -> -1 -> 'at')
                else (case when jsonb_array_length(a.segments) >= $5 then a.segments - 0 else a.segments end)
                    || jsonb_build_object('title', s.title, 'category', s.category_name, 'at', s.changed_at)
            end
        from (
            select old.stream_id, broadcast.ended_at, it.changed_at,
                (old.segments -> -1 ->> 'at')::timestamptz > it.changed_at - make_interval(secs => $3)
                    or old.title is null and old.category_name is null as is_same,
                case when is_live then coalesce(u.login, old.login) else old.login end as login,
                case when is_live then coalesce(u.display_name, old.display_name) else old.display_name end as display_name,
                case when is_current then c.title else old.title end as title,
                case when is_current then c.category_id else old.category_id end as category_id,
                case when is_current then c.category_name else old.category_name end as category_name
            from announcement old join stream on stream.id = old.stream_id
                cross join lateral (
                    select case when bool_and(part.ended_at is not null) then max(part.ended_at) end as ended_at
                    from stream part where part.broadcast_id = stream.broadcast_id
                ) as broadcast
                left join twitch_user u on u.id = old.twitch_id
                left join channel c on c.id = old.twitch_id
                cross join lateral (select broadcast.ended_at is null as is_live, coalesce(c.updated_at, $2) as changed_at,
                    c.id is not null and (broadcast.ended_at is null or c.updated_at <= broadcast.ended_at) as is_current) as it
            where old.twitch_id = any($1)
        ) as s
        where a.stream_id = s.stream_id
            and (a.login, a.display_name, a.title, a.category_id, a.category_name, a.ended_at)
                is distinct from (s.login, s.display_name, s.title, s.category_id, s.category_name, s.ended_at)",
        channels as &[ChannelId],
        now,
        DEBOUNCE_SECONDS,
        VIDEO_PICTURE_SECONDS,
        MAX_SEGMENTS
    );
    Ok(updated.execute(db).await?.rows_affected())
}

/// Deletes announcements of broadcasts that ended before this time. Returns the number of them.
///
/// # Errors
/// If the database fails.
pub async fn prune(db: impl PgExecutor<'_>, before: OffsetDateTime) -> sqlx::Result<u64> {
    let pruned = sqlx::query!(
        "delete from announcement where stream_id in (
            select stream_id from announcement where created_at < $1 and ended_at < $1 limit 100)",
        before
    );
    Ok(pruned.execute(db).await?.rows_affected())
}

/// An announcement that is being spread, locked until the transaction ends.
#[derive(Clone, Debug)]
pub struct Spread {
    /// The stream that it is named after.
    pub stream_id: StreamId,
    /// The Twitch channel.
    pub twitch_id: ChannelId,
    /// What is to be said.
    pub revision: i32,
    /// Whether the broadcast has ended.
    pub is_ended: bool,
    /// Whether all tracks have their post, so that only posts are marked.
    pub is_expanded: bool,
    /// When the spreading began.
    pub spread_at: OffsetDateTime,
    /// The last track or destination that was reached.
    pub spread_to: i64,
    /// The number of them.
    pub spread_count: i32,
}

/// The announcement whose next part is due and that no other server spreads, if there is one: of several the one of which least
/// has been spread, so that small ones do not wait for large ones. `pause` is the time for each track or post, in seconds.
///
/// # Errors
/// If the database fails.
pub async fn next_spread(db: impl PgExecutor<'_>, now: OffsetDateTime, pause: f64) -> sqlx::Result<Option<Spread>> {
    sqlx::query_as!(
        Spread,
        r#"select stream_id as "stream_id: StreamId", twitch_id as "twitch_id: ChannelId", revision,
            ended_at is not null as "is_ended!", is_expanded, spread_at as "spread_at!", spread_to, spread_count
        from announcement
        where spread_at is not null and spread_at + make_interval(secs => spread_count * $2::float8) <= $1
        order by spread_count, spread_at, created_at, stream_id limit 1 for no key update skip locked"#,
        now,
        pause
    )
    .fetch_optional(db)
    .await
}

/// When a part of an announcement is due next.
///
/// # Errors
/// If the database fails.
pub async fn next_spread_at(db: impl PgExecutor<'_>, pause: f64) -> sqlx::Result<Option<OffsetDateTime>> {
    let next_at = sqlx::query_scalar!(
        "select min(spread_at + make_interval(secs => spread_count * $1::float8)) from announcement where spread_at is not null",
        pause
    );
    next_at.fetch_one(db).await
}

/// A part of the tracks or posts of an announcement.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Ids of tracks, or of destinations, in ascending order.
    pub ids: Vec<i64>,
    /// The destinations.
    pub destinations: Vec<i64>,
}

/// A track that was made so long after the stream began counts as made before: the times are of two clocks.
const TRACK_LATENESS_SECONDS: f64 = 60.0;

/// The next tracks of a channel, at most `limit`.
///
/// # Errors
/// If the database fails.
pub async fn tracks(db: impl PgExecutor<'_>, spread: &Spread, limit: i64) -> sqlx::Result<Chunk> {
    let rows = sqlx::query!(
        "select id, destination_id from track
        where twitch_id = $1 and id > $2 and (
            created_at <= (select started_at + make_interval(secs => $5) from announcement where stream_id = $4)
            or exists (
                select from destination d join discord_bot bot on bot.id = d.bot_id
                where d.id = track.destination_id
                    and (bot.defaults || d.settings || track.settings) ->> 'announce_current' = 'true'
            )
        )
        order by id limit $3",
        spread.twitch_id.as_str(),
        spread.spread_to,
        limit,
        spread.stream_id.as_str(),
        TRACK_LATENESS_SECONDS
    );
    let (ids, destinations) = rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.destination_id)).unzip();
    Ok(Chunk { ids, destinations })
}

/// The next destinations with a post, at most `limit`.
///
/// # Errors
/// If the database fails.
pub async fn posts(db: impl PgExecutor<'_>, spread: &Spread, limit: i64) -> sqlx::Result<Chunk> {
    let ids = sqlx::query_scalar!(
        "select destination_id from post where stream_id = $1 and destination_id > $2 and kind = 'start'
        order by destination_id limit $3",
        spread.stream_id.as_str(),
        spread.spread_to,
        limit
    );
    let ids = ids.fetch_all(db).await?;
    Ok(Chunk { destinations: ids.clone(), ids })
}

/// Records how far the spreading has got: to this track or destination after so many more, or to the end. What changed while
/// posts were made is spread next.
///
/// # Errors
/// If the database fails.
pub async fn save_spread(
    conn: &mut PgConnection,
    spread: &Spread,
    reached: Option<(i64, i32)>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (to, count) = reached.unwrap_or((0, 0));
    sqlx::query!(
        "update announcement set
            spread_to = $2,
            spread_count = case when $4 then 0 else spread_count + $3 end,
            spread_at = case when not $4 then spread_at when is_expanded or revision = 1 then null
                else $5::timestamptz + make_interval(secs => $6) end,
            is_expanded = is_expanded or $4
        where stream_id = $1",
        spread.stream_id.as_str(),
        to,
        count,
        reached.is_none(),
        now,
        DEBOUNCE_SECONDS
    )
    .execute(conn)
    .await?;
    Ok(())
}
