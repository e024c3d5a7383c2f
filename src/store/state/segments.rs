//! Table `segment`.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::arrays::keys;
use super::earliest::Earliest;
use crate::projection::{Latest, Segment, Stamp};
use crate::twitch::id::{ChannelId, StreamId};

/// By segment id.
type Segments = BTreeMap<String, Segment>;

#[derive(Serialize)]
struct Row {
    id: String,
    channel_id: ChannelId,
    title: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    title_at: Option<OffsetDateTime>,
    title_by: Option<String>,
    reference: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    reference_at: Option<OffsetDateTime>,
    reference_by: Option<String>,
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
        r#"select id, channel_id as "channel_id: ChannelId", title, title_at, title_by, reference, reference_at, reference_by,
            started_at, end_marked_at, removed_at, ended_at, broadcast_id as "broadcast_id: StreamId"
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
        select s.id, s.channel_id as "channel_id: ChannelId", s.title, s.title_at, s.title_by, s.reference, s.reference_at,
            s.reference_by, s.started_at, s.end_marked_at, s.removed_at, s.ended_at, s.broadcast_id as "broadcast_id: StreamId"
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
            title = excluded.title, title_at = excluded.title_at, title_by = excluded.title_by,
            reference = excluded.reference, reference_at = excluded.reference_at, reference_by = excluded.reference_by,
            started_at = excluded.started_at, end_marked_at = excluded.end_marked_at, removed_at = excluded.removed_at,
            ended_at = excluded.ended_at, broadcast_id = excluded.broadcast_id
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
        let (title, title_at, title_by) = columns(segment.title);
        let (reference, reference_at, reference_by) = columns(segment.reference);
        Self {
            id: id.to_owned(),
            channel_id: segment.channel_id,
            title,
            title_at,
            title_by,
            reference: reference.flatten(),
            reference_at,
            reference_by,
            started_at: segment.began_at,
            end_marked_at: segment.end_marked_at,
            removed_at: segment.removed_at,
            ended_at: segment.ended_at,
            broadcast_id: segment.broadcast_id,
        }
    }
}

/// The value, and its stamp.
fn columns<T>(latest: Option<Latest<T>>) -> (Option<T>, Option<OffsetDateTime>, Option<String>) {
    latest.map_or((None, None, None), |Latest { stamp, value }| (Some(value), Some(stamp.at), Some(stamp.by)))
}

fn latest<T>(value: Option<T>, at: Option<OffsetDateTime>, by: Option<String>) -> Option<Latest<T>> {
    let stamp = at.zip(by).map(|(at, by)| Stamp { at, by });
    stamp.zip(value).map(|(stamp, value)| Latest { stamp, value })
}

impl From<Row> for Segment {
    fn from(row: Row) -> Self {
        Self {
            channel_id: row.channel_id,
            began_at: row.started_at,
            title: latest(row.title, row.title_at, row.title_by),
            reference: latest(Some(row.reference), row.reference_at, row.reference_by),
            end_marked_at: row.end_marked_at,
            removed_at: row.removed_at,
            ended_at: row.ended_at,
            broadcast_id: row.broadcast_id,
        }
    }
}
