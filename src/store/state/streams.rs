//! Tables `stream` and `stream_end`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::arrays::keys;
use super::earliest::Earliest;
use crate::projection::{Began, Stream};
use crate::twitch::id::{ChannelId, StreamId};

/// By stream id.
type Streams = BTreeMap<StreamId, Stream>;

/// Channel ids and times.
type StreamEnds = BTreeSet<(ChannelId, OffsetDateTime)>;

#[derive(Serialize)]
struct Row {
    id: StreamId,
    channel_id: ChannelId,
    r#type: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    online_at: Option<OffsetDateTime>,
    #[serde(serialize_with = "times")]
    offline_at: Vec<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    gone_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    shown_at: Option<OffsetDateTime>,
    last_event_id: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    is_end_estimated: bool,
    broadcast_id: Option<StreamId>,
}

fn times<S: Serializer>(times: &[OffsetDateTime], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Time(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);
    serializer.collect_seq(times.iter().copied().map(Time))
}

/// The stored ones of these streams.
pub(super) async fn with_ids(conn: &mut PgConnection, streams: &Streams) -> sqlx::Result<Streams> {
    if streams.is_empty() {
        return Ok(Streams::new());
    }
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id as "id: StreamId", channel_id as "channel_id: ChannelId", type, started_at, online_at, offline_at,
            gone_at, shown_at, last_event_id, ended_at, is_end_estimated, broadcast_id as "broadcast_id: StreamId"
        from stream where id = any($1)
        "#,
        &keys(streams) as &[&str]
    )
    .fetch_all(conn)
    .await?;
    Ok(by_id(rows))
}

/// Each channel's streams from the first stream on of the broadcast before the channel's earliest time; all, if there is no
/// such broadcast.
pub(super) async fn from_previous_broadcast(conn: &mut PgConnection, earliest: &Earliest) -> sqlx::Result<Streams> {
    let (channel_ids, times) = earliest.columns();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select s.id as "id: StreamId", s.channel_id as "channel_id: ChannelId", s.type, s.started_at, s.online_at,
            s.offline_at, s.gone_at, s.shown_at, s.last_event_id, s.ended_at, s.is_end_estimated, s.broadcast_id as "broadcast_id: StreamId"
        from unnest($1::text[], $2::timestamptz[]) as touched (channel_id, at)
        left join lateral (
            select first.started_at, first.id
            from stream as previous join stream as first on first.id = previous.broadcast_id
            where previous.channel_id = touched.channel_id and previous.started_at < touched.at
            order by previous.started_at desc, previous.id desc
            limit 1
        ) as start on true
        join stream as s on s.channel_id = touched.channel_id and s.started_at is not null
            and (start.id is null or (s.started_at, s.id) >= (start.started_at, start.id))
        "#,
        &channel_ids as &[&str],
        &times
    )
    .fetch_all(conn)
    .await?;
    Ok(by_id(rows))
}

/// Each channel's ends without a stream id, from the channel's earliest time on.
pub(super) async fn ends_since(conn: &mut PgConnection, earliest: &Earliest) -> sqlx::Result<StreamEnds> {
    let (channel_ids, times) = earliest.columns();
    let rows = sqlx::query!(
        r#"
        select e.channel_id as "channel_id: ChannelId", e.at
        from unnest($1::text[], $2::timestamptz[]) as since (channel_id, at)
        join stream_end as e on e.channel_id = since.channel_id and e.at >= since.at
        "#,
        &channel_ids as &[&str],
        &times
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.channel_id, row.at)).collect())
}

/// Writes these streams back.
pub(super) async fn save(conn: &mut PgConnection, streams: &Streams) -> sqlx::Result<()> {
    if streams.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = streams.iter().map(|(id, stream)| Row::new(id, stream)).collect();
    sqlx::query!(
        r#"
        insert into stream select * from jsonb_populate_recordset(null::stream, $1)
        on conflict (id) do update set
            type = excluded.type, started_at = excluded.started_at, online_at = excluded.online_at,
            offline_at = excluded.offline_at, gone_at = excluded.gone_at, shown_at = excluded.shown_at,
            last_event_id = excluded.last_event_id,
            ended_at = excluded.ended_at, is_end_estimated = excluded.is_end_estimated, broadcast_id = excluded.broadcast_id
        where stream is distinct from excluded
        "#,
        Json(rows) as _
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes those of these ends that are not stored yet.
pub(super) async fn save_ends(conn: &mut PgConnection, ends: &StreamEnds) -> sqlx::Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let (channel_ids, times): (Vec<_>, Vec<_>) = ends.iter().map(|(channel_id, at)| (channel_id.as_str(), *at)).unzip();
    sqlx::query!(
        "insert into stream_end (channel_id, at) select * from unnest($1::text[], $2::timestamptz[]) on conflict do nothing",
        &channel_ids as &[&str],
        &times
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn by_id(rows: Vec<Row>) -> Streams {
    rows.into_iter().map(|row| (row.id.clone(), row.into())).collect()
}

impl Row {
    fn new(id: &StreamId, stream: &Stream) -> Self {
        let (started_at, kind) = stream.began.clone().map(|began| (began.at, began.kind)).unzip();
        Self {
            id: id.clone(),
            channel_id: stream.channel_id.clone(),
            r#type: kind.flatten(),
            started_at,
            online_at: stream.online_at,
            offline_at: stream.offline_at.iter().copied().collect(),
            gone_at: stream.gone_at,
            shown_at: stream.shown_at,
            last_event_id: stream.last_event_id,
            ended_at: stream.ended_at,
            is_end_estimated: stream.is_end_estimated,
            broadcast_id: stream.broadcast_id.clone(),
        }
    }
}

impl From<Row> for Stream {
    fn from(row: Row) -> Self {
        Self {
            channel_id: row.channel_id,
            began: row.started_at.map(|at| Began { at, kind: row.r#type }),
            online_at: row.online_at,
            offline_at: row.offline_at.into_iter().collect(),
            gone_at: row.gone_at,
            shown_at: row.shown_at,
            last_event_id: row.last_event_id,
            ended_at: row.ended_at,
            is_end_estimated: row.is_end_estimated,
            broadcast_id: row.broadcast_id,
        }
    }
}
