//! Tables `stream` and `stream_end`: when streams began and ended.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::keys;
use super::timeline::columns;
use crate::projection::{Began, State, Stream};

pub(super) type Streams = BTreeMap<String, Stream>;

#[derive(Serialize)]
struct Row {
    id: String,
    channel_id: String,
    r#type: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    offline_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    gone_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    shown_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    is_end_estimated: bool,
    broadcast_id: Option<String>,
}

#[derive(Serialize)]
struct EndRow {
    channel_id: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// The touched ones.
pub(super) async fn named(conn: &mut PgConnection, touched: &State) -> sqlx::Result<Streams> {
    if touched.streams.is_empty() {
        return Ok(Streams::new());
    }
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id, channel_id, type, started_at, offline_at, gone_at, shown_at, ended_at, is_end_estimated,
            broadcast_id
        from stream where id = any($1)
        "#,
        &keys(&touched.streams)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row.into())).collect())
}

/// Of each channel those from the first stream on of the broadcast before this moment.
pub(super) async fn from_broadcast_before(
    conn: &mut PgConnection,
    moments: &BTreeMap<String, OffsetDateTime>,
) -> sqlx::Result<Streams> {
    let (channels, moments) = columns(moments);
    let rows = sqlx::query_as!(
        Row,
        r#"
        select s.id, s.channel_id, s.type, s.started_at, s.offline_at, s.gone_at, s.shown_at, s.ended_at,
            s.is_end_estimated, s.broadcast_id
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
        &channels,
        &moments
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row.into())).collect())
}

/// The unnamed ends since this moment.
pub(super) async fn ends_since(
    conn: &mut PgConnection,
    moments: &BTreeMap<String, OffsetDateTime>,
) -> sqlx::Result<BTreeSet<(String, OffsetDateTime)>> {
    let (channels, moments) = columns(moments);
    let rows = sqlx::query!(
        r#"
        select e.channel_id, e.at
        from unnest($1::text[], $2::timestamptz[]) as since (channel_id, at)
        join stream_end as e on e.channel_id = since.channel_id and e.at >= since.at
        "#,
        &channels,
        &moments
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.channel_id, row.at)).collect())
}

pub(super) async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    if !state.streams.is_empty() {
        let rows: Vec<Row> = state.streams.iter().map(|(id, stream)| Row::new(id, stream)).collect();
        sqlx::query!(
            r#"
            insert into stream select * from jsonb_populate_recordset(null::stream, $1)
            on conflict (id) do update set
                type = excluded.type, started_at = excluded.started_at, offline_at = excluded.offline_at,
                gone_at = excluded.gone_at, shown_at = excluded.shown_at, ended_at = excluded.ended_at,
                is_end_estimated = excluded.is_end_estimated, broadcast_id = excluded.broadcast_id
            where stream is distinct from excluded
            "#,
            Json(rows) as _
        )
        .execute(&mut *conn)
        .await?;
    }
    if !state.stream_ends.is_empty() {
        let rows: Vec<EndRow> = state
            .stream_ends
            .iter()
            .map(|(channel_id, at)| EndRow { channel_id: channel_id.clone(), at: *at })
            .collect();
        sqlx::query!(
            "insert into stream_end select * from jsonb_populate_recordset(null::stream_end, $1) on conflict do nothing",
            Json(rows) as _
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

impl Row {
    fn new(id: &str, stream: &Stream) -> Self {
        let (started_at, kind) = stream.began.clone().map(|began| (began.at, began.kind)).unzip();
        Self {
            id: id.to_owned(),
            channel_id: stream.channel_id.clone(),
            r#type: kind,
            started_at,
            offline_at: stream.offline_at,
            gone_at: stream.gone_at,
            shown_at: stream.shown_at,
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
            began: row.started_at.zip(row.r#type).map(|(at, kind)| Began { at, kind }),
            offline_at: row.offline_at,
            gone_at: row.gone_at,
            shown_at: row.shown_at,
            ended_at: row.ended_at,
            is_end_estimated: row.is_end_estimated,
            broadcast_id: row.broadcast_id,
        }
    }
}
