//! Table `segment`.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::arrays::keys;
use super::earliest::Earliest;
use crate::projection::{Description, Latest, Segment, Stamp};
use crate::twitch::id::{ChannelId, StreamId};

/// By segment id.
type Segments = BTreeMap<String, Segment>;

#[derive(Serialize)]
struct Row {
    id: String,
    channel_id: ChannelId,
    title: Option<String>,
    reference: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    described_at: Option<OffsetDateTime>,
    described_by: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    end_marked_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    removed_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    broadcast_id: Option<StreamId>,
}

/// The stored ones of these segments.
pub(super) async fn with_ids(conn: &mut PgConnection, segments: &Segments) -> sqlx::Result<Segments> {
    if segments.is_empty() {
        return Ok(Segments::new());
    }
    let rows = sqlx::query_as!(
        Row,
        r#"select id, channel_id as "channel_id: ChannelId", title, reference, described_at, described_by, started_at,
            end_marked_at, removed_at, ended_at, broadcast_id as "broadcast_id: StreamId"
        from segment where id = any($1)"#,
        &keys(segments) as &[&str]
    )
    .fetch_all(conn)
    .await?;
    Ok(by_id(rows))
}

/// Each channel's segments from the last one on that began before the previous broadcast (or before the channel's earliest
/// time, if there is no broadcast before it); all, if none did.
pub(super) async fn from_before_previous_broadcast(
    conn: &mut PgConnection,
    earliest: &Earliest,
) -> sqlx::Result<Segments> {
    let (channel_ids, times) = earliest.columns();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select s.id, s.channel_id as "channel_id: ChannelId", s.title, s.reference, s.described_at, s.described_by,
            s.started_at, s.end_marked_at, s.removed_at, s.ended_at, s.broadcast_id as "broadcast_id: StreamId"
        from unnest($1::text[], $2::timestamptz[]) as touched (channel_id, at)
        left join lateral (
            select first.started_at
            from stream as previous join stream as first on first.id = previous.broadcast_id
            where previous.channel_id = touched.channel_id and previous.started_at < touched.at
            order by previous.started_at desc, previous.id desc
            limit 1
        ) as broadcast on true
        left join lateral (
            select previous.started_at
            from segment as previous
            where previous.channel_id = touched.channel_id and previous.removed_at is null
                and previous.started_at < coalesce(broadcast.started_at, touched.at)
            order by previous.started_at desc
            limit 1
        ) as start on true
        join segment as s on s.channel_id = touched.channel_id
            and s.started_at >= coalesce(start.started_at, '-infinity')
        "#,
        &channel_ids as &[&str],
        &times
    )
    .fetch_all(conn)
    .await?;
    Ok(by_id(rows))
}

/// Writes these segments back.
pub(super) async fn save(conn: &mut PgConnection, segments: &Segments) -> sqlx::Result<()> {
    if segments.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = segments.iter().map(|(id, segment)| Row::new(id, segment)).collect();
    sqlx::query!(
        r#"
        insert into segment select * from jsonb_populate_recordset(null::segment, $1)
        on conflict (id) do update set
            title = excluded.title, reference = excluded.reference, described_at = excluded.described_at,
            described_by = excluded.described_by, started_at = excluded.started_at, end_marked_at = excluded.end_marked_at,
            removed_at = excluded.removed_at, ended_at = excluded.ended_at, broadcast_id = excluded.broadcast_id
        where segment is distinct from excluded
        "#,
        Json(rows) as _
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn by_id(rows: Vec<Row>) -> Segments {
    rows.into_iter().map(|row| (row.id.clone(), row.into())).collect()
}

impl Row {
    fn new(id: &str, segment: &Segment) -> Self {
        let segment = segment.clone();
        let (described, stamp) = segment.description.map(|latest| (latest.value, latest.stamp)).unzip();
        let (described_at, described_by) = stamp.map(|stamp| (stamp.at, stamp.by)).unzip();
        let (title, reference) = described.map(|Description { title, reference }| (title, reference)).unzip();
        Self {
            id: id.to_owned(),
            channel_id: segment.channel_id,
            title,
            reference: reference.flatten(),
            described_at,
            described_by,
            started_at: segment.began_at,
            end_marked_at: segment.end_marked_at,
            removed_at: segment.removed_at,
            ended_at: segment.ended_at,
            broadcast_id: segment.broadcast_id,
        }
    }
}

impl From<Row> for Segment {
    fn from(row: Row) -> Self {
        let (title, reference) = (row.title, row.reference);
        let stamp = row.described_at.zip(row.described_by).map(|(at, by)| Stamp { at, by });
        let value = title.map(|title| Description { title, reference });
        Self {
            channel_id: row.channel_id,
            began_at: row.started_at,
            description: stamp.zip(value).map(|(stamp, value)| Latest { stamp, value }),
            end_marked_at: row.end_marked_at,
            removed_at: row.removed_at,
            ended_at: row.ended_at,
            broadcast_id: row.broadcast_id,
        }
    }
}
