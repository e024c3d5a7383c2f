//! Segments that broadcasters marked.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::store::Order;
use crate::twitch::id::{ChannelId, StreamId};

/// A segment with a known start, which was not removed.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of segment, which db/migrations describes")]
pub struct Segment {
    pub id: String,
    pub channel_id: ChannelId,
    pub broadcast_id: Option<StreamId>,
    pub title: String,
    pub reference: Option<String>,
    pub started_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
}

/// A channel's segments by their start in this order, starting behind the one with this start and id; if a stream is given,
/// only those of its broadcast.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    channel_id: &ChannelId,
    stream_id: Option<&str>,
    order: Order,
    after: Option<(OffsetDateTime, &str)>,
    limit: i64,
) -> sqlx::Result<Vec<Segment>> {
    select(db, channel_id, None, stream_id, (order, after), limit).await
}

/// The segment of this channel with this id.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, channel_id: &ChannelId, id: &str) -> sqlx::Result<Option<Segment>> {
    Ok(select(db, channel_id, Some(id), None, (Order::Asc, None), 1).await?.pop())
}

async fn select(
    db: impl PgExecutor<'_>,
    channel_id: &ChannelId,
    id: Option<&str>,
    stream_id: Option<&str>,
    (order, after): (Order, Option<(OffsetDateTime, &str)>),
    limit: i64,
) -> sqlx::Result<Vec<Segment>> {
    macro_rules! page {
        ($behind:tt, $direction:tt) => {
            sqlx::query_as!(
                Segment,
                r#"select id, channel_id as "channel_id: ChannelId", broadcast_id as "broadcast_id: StreamId", title as "title!", reference, started_at as "started_at!", ended_at
                from segment
                where channel_id = $1 and started_at is not null and removed_at is null
                    and ($2::text is null or id = $2)
                    and ($3::text is null or broadcast_id = (select broadcast_id from stream where id = $3))
                    and ($4::timestamptz is null or (started_at, id) "# + $behind + r#" ($4, $5))
                order by started_at "# + $direction + ", id " + $direction + " limit $6",
                channel_id.as_str(),
                id,
                stream_id,
                after.map(|(started_at, _)| started_at),
                after.map(|(_, id)| id),
                limit
            )
            .fetch_all(db)
            .await
        };
    }
    match order {
        Order::Asc => page!(">", "asc"),
        Order::Desc => page!("<", "desc"),
    }
}

/// The segments of these broadcasts, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn of_broadcasts(db: impl PgExecutor<'_>, broadcast_ids: &[StreamId]) -> sqlx::Result<Vec<Segment>> {
    sqlx::query_as!(
        Segment,
        r#"select id, channel_id as "channel_id: ChannelId", broadcast_id as "broadcast_id: StreamId", title as "title!", reference, started_at as "started_at!", ended_at
        from segment
        where broadcast_id = any($1) and started_at is not null and removed_at is null
        order by started_at, id"#,
        broadcast_ids as &[StreamId]
    )
    .fetch_all(db)
    .await
}
