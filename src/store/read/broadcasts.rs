//! Broadcasts and the streams they consist of.

use sqlx::PgExecutor;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::activity::Totals;
use crate::store::Order;
use crate::twitch::id::{ChannelId, StreamId};

/// Streams of a channel with short pauses between them.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// The id of its first stream.
    pub id: StreamId,
    /// The channel's id.
    pub channel_id: ChannelId,
    /// When its first stream started.
    pub started_at: OffsetDateTime,
    /// When its last stream ended; `None` while one is live.
    pub ended_at: Option<OffsetDateTime>,
    /// What happened during it.
    pub totals: Json<Totals>,
}

/// One stream of a broadcast.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Twitch's id.
    pub id: StreamId,
    /// The id of the broadcast it belongs to.
    pub broadcast_id: StreamId,
    /// For example `live`.
    pub kind: Option<String>,
    /// When it started.
    pub started_at: OffsetDateTime,
    /// When it ended; `None` while it is live.
    pub ended_at: Option<OffsetDateTime>,
    /// Whether `ended_at` is estimated, because no message says when it ended.
    pub is_end_estimated: bool,
}

/// A channel's broadcasts by their start in this order, starting behind the one with this start and id.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    channel_id: &ChannelId,
    order: Order,
    after: Option<(OffsetDateTime, &str)>,
    limit: i64,
) -> sqlx::Result<Vec<Broadcast>> {
    macro_rules! page {
        ($behind:tt, $direction:tt) => {
            sqlx::query_as!(
                Broadcast,
                r#"select id as "id!: StreamId", channel_id as "channel_id!: ChannelId", started_at as "started_at!", ended_at,
                    (select to_json(totals) from channel_totals(channel_id, started_at, coalesce(ended_at, 'infinity')) as totals)
                        as "totals!: Json<Totals>"
                from broadcast
                where channel_id = $1 and ($2::timestamptz is null or (started_at, id) "# + $behind + r#" ($2, $3))
                order by started_at "# + $direction + ", id " + $direction + " limit $4",
                channel_id.as_str(),
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

/// The broadcast that a stream belongs to.
///
/// # Errors
/// If the database fails.
pub async fn of_stream(db: impl PgExecutor<'_>, stream_id: &str) -> sqlx::Result<Option<Broadcast>> {
    sqlx::query_as!(
        Broadcast,
        r#"select id as "id!: StreamId", channel_id as "channel_id!: ChannelId", started_at as "started_at!", ended_at,
            (select to_json(totals) from channel_totals(channel_id, started_at, coalesce(ended_at, 'infinity')) as totals)
                as "totals!: Json<Totals>"
        from broadcast
        where id = (select broadcast_id from stream where id = $1)"#,
        stream_id
    )
    .fetch_optional(db)
    .await
}

/// The streams of these broadcasts, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn streams(db: impl PgExecutor<'_>, broadcast_ids: &[StreamId]) -> sqlx::Result<Vec<Stream>> {
    sqlx::query_as!(
        Stream,
        r#"select id as "id: StreamId", broadcast_id as "broadcast_id!: StreamId", type as kind, started_at as "started_at!", ended_at,
            is_end_estimated
        from stream
        where broadcast_id = any($1)
        order by started_at, id"#,
        broadcast_ids as &[StreamId]
    )
    .fetch_all(db)
    .await
}
