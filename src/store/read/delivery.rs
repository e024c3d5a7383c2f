//! How long messages of Twitch's took to get into the log.

use sqlx::PgConnection;
use time::OffsetDateTime;

/// Events that are looked at for one answer. Each is found by its id, in some 5 µs: of a million events, in a tenth of a second.
const MAX_SAMPLES: i64 = 20_000;

/// How long the messages took that Twitch sent in a span of time, from when Twitch sent each first to when it arrived here.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// When the span begins.
    pub at: OffsetDateTime,
    /// The number of messages that were looked at.
    pub messages: i64,
    /// Half of them took no longer, in seconds.
    pub median_seconds: f64,
    /// 95 of 100 took no longer, in seconds.
    pub p95_seconds: f64,
    /// The longest, in seconds.
    pub worst_seconds: f64,
}

/// What was found of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Deliveries {
    /// One in so many events was looked at.
    pub every: i64,
    /// The spans with messages, oldest first.
    pub spans: Vec<Delivery>,
}

/// How long the messages of EventSub took that Twitch sent from `since` to `until`, in spans of so many seconds, which begin at
/// multiples of their length since 1970. Tests do not count, nor what Twitch did not send.
///
/// At most 20,000 events are read, evenly spread over the ids, however long the log is.
///
/// # Errors
/// If the database fails.
pub async fn spans(
    db: &mut PgConnection,
    seconds: f64,
    since: OffsetDateTime,
    until: OffsetDateTime,
) -> sqlx::Result<Deliveries> {
    // See `db/migrations/0001_event.up.sql`: all blocks before the first are older than `since`.
    let ids = sqlx::query!(
        r#"select
            coalesce(
                (select block * 1024 from event_block where latest_so_far >= $1 order by latest_so_far, block limit 1),
                (select (max(block) + 1) * 1024 from event_block),
                0
            ) as "first!",
            coalesce((select max(id) from event), 0) as "last!""#,
        since
    )
    .fetch_one(&mut *db)
    .await?;
    // The last blocks may have lost their events.
    let every = (ids.last - ids.first).max(0) / MAX_SAMPLES + 1;
    let spans = sqlx::query_as!(
        Delivery,
        r#"select date_bin(make_interval(secs => $1), occurred_at, 'epoch') as "at!", count(*) as "messages!",
            percentile_cont(0.5) within group (order by seconds) as "median_seconds!",
            percentile_cont(0.95) within group (order by seconds) as "p95_seconds!",
            max(seconds) as "worst_seconds!"
        from generate_series($2::bigint, $3::bigint, $4::bigint) as sample (id)
        -- With a limit, each is looked up by its id: a join might read the whole log.
        cross join lateral (
            select occurred_at, greatest(extract(epoch from received_at - occurred_at), 0)::float8 as seconds from event
            where event.id = sample.id and message_type in ('notification', 'revocation') and not is_test
                and occurred_at >= $5 and occurred_at < $6
            limit 1
        ) as sent
        group by 1 order by 1"#,
        seconds,
        ids.first,
        ids.last,
        every,
        since,
        until
    )
    .fetch_all(db)
    .await?;
    Ok(Deliveries { every, spans })
}
