//! `/channels/{channel}/broadcasts` and `/broadcasts`.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::channels::ChannelPath;
use super::error::Error;
use super::page::{Cursor, Page};
use super::query::{Limit, Name, NewestFirst, Nothing, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use super::segments::Segment;
use crate::store::read::activity::Totals;
use crate::store::read::{broadcasts as store, segments};
use crate::twitch::id::StreamId;

/// A broadcast: streams of a channel with at most 15 minutes between them, which viewers see as one show.
#[derive(Debug, Serialize, ToSchema)]
struct Broadcast {
    /// The id of its first stream.
    id: String,
    /// The channel.
    channel_id: String,
    /// When its first stream started.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    /// When its last stream ended; `null` while one is live.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Whether `ended_at` is an estimate because Twitch did not send the end of the last stream.
    is_end_estimated: bool,
    /// From the start to the end, or until now.
    duration_seconds: i64,
    /// What happened during it.
    totals: Totals,
    /// Its streams, oldest first.
    streams: Vec<Stream>,
    /// Its segments, oldest first.
    segments: Vec<Segment>,
}

/// The streams and segments of some broadcasts.
struct Parts {
    streams: Vec<store::Stream>,
    segments: Vec<segments::Segment>,
}

impl Parts {
    async fn read(db: &mut PgConnection, broadcast_ids: &[StreamId]) -> sqlx::Result<Self> {
        let streams = store::streams(&mut *db, broadcast_ids).await?;
        Ok(Self { streams, segments: segments::of_broadcasts(db, broadcast_ids).await? })
    }
}

/// One stream of a broadcast.
#[derive(Debug, Serialize, ToSchema)]
struct Stream {
    /// Twitch's id.
    id: String,
    /// `live`, `playlist`, `watch_party`, `premiere` or `rerun`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    /// When it ended; `null` while it is live.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Whether `ended_at` is an estimate because Twitch did not send it.
    is_end_estimated: bool,
}

impl From<&store::Stream> for Stream {
    fn from(row: &store::Stream) -> Self {
        Self {
            id: row.id.to_string(),
            kind: row.kind.clone(),
            started_at: row.started_at,
            ended_at: row.ended_at,
            is_end_estimated: row.is_end_estimated,
        }
    }
}

impl Broadcast {
    /// Assembles a broadcast. `parts` may contain those of other broadcasts.
    fn new(row: store::Broadcast, parts: &Parts, now: OffsetDateTime) -> Self {
        let streams: Vec<_> = parts.streams.iter().filter(|it| it.broadcast_id == row.id).map(Stream::from).collect();
        let segments = parts.segments.iter().filter(|it| it.broadcast_id.as_ref() == Some(&row.id));
        let segments = segments.cloned().map(Segment::from).collect();
        let is_last = |it: &&Stream| row.ended_at.is_some() && it.ended_at == row.ended_at;
        Self {
            id: row.id.into(),
            channel_id: row.channel_id.into(),
            started_at: row.started_at,
            ended_at: row.ended_at,
            is_end_estimated: streams.iter().find(is_last).is_some_and(|last| last.is_end_estimated),
            duration_seconds: (row.ended_at.unwrap_or(now) - row.started_at).whole_seconds().max(0),
            totals: row.totals.0,
            streams,
            segments,
        }
    }

    fn example() -> Self {
        let stream = |id: &str, started_at, ended_at| Stream {
            id: id.into(),
            kind: Some("live".into()),
            started_at,
            ended_at: Some(ended_at),
            is_end_estimated: false,
        };
        Self {
            id: "40952110345".into(),
            channel_id: "141981764".into(),
            started_at: datetime!(2026-07-01 18:00:00 UTC),
            ended_at: Some(datetime!(2026-07-01 21:30:00 UTC)),
            is_end_estimated: false,
            duration_seconds: 12_600,
            totals: Totals { followers: 41, subscriptions: 3, bits: 1_500, messages: 2_904, ..Totals::default() },
            streams: vec![
                stream("40952110345", datetime!(2026-07-01 18:00:00 UTC), datetime!(2026-07-01 19:06:30 UTC)),
                stream("40952121085", datetime!(2026-07-01 19:10:00 UTC), datetime!(2026-07-01 21:30:00 UTC)),
            ],
            segments: vec![Segment::ended_example()],
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListBroadcasts {
    /// The order: newest or oldest first.
    #[serde(default)]
    #[param(inline, required = false)]
    order: NewestFirst,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = String, required = false, pattern = "^[0-9]{1,17}-[!-~]{1,256}$")]
    after: Option<Cursor>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List a channel's broadcasts
///
/// Newest first, or oldest first with `order=asc`.
#[utoipa::path(
    tag = "broadcasts",
    params(ChannelPath, ListBroadcasts),
    responses(
        (status = OK, description = "A page of broadcasts", body = Page<Broadcast>,
            example = json!(Page::example(Broadcast::example(), "1782928800000000-40952110345"))),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/broadcasts")]
pub(super) async fn list_broadcasts(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    query: Query<ListBroadcasts>,
) -> Result<Json<Page<Broadcast>>, Error> {
    let Query(ListBroadcasts { order, after, limit }) = query;
    let channel = path.resolve(&ctx).await?;
    let after = after.as_ref().map(Cursor::position);
    let (rows, parts) = ctx
        .query(async |db| {
            let rows = store::page(&mut *db, &channel, order.into(), after, limit.rows()).await?;
            let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
            Ok::<_, sqlx::Error>((rows, Parts::read(db, &ids).await?))
        })
        .await?;
    let now = ctx.clock.now();
    Ok(Json(Page::new(
        rows,
        limit,
        |row| Cursor::behind(row.started_at, row.id.as_str()),
        |row| Broadcast::new(row, &parts, now),
    )))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct BroadcastPath {
    /// The id of the broadcast, or of any of its streams.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "40952110345")]
    id: Name,
}

/// Get a broadcast
///
/// By its id or by the id of any of its streams: when a connection drops and the stream is
/// resumed within 15 minutes, Twitch gives it a new id, but it is the same broadcast.
#[utoipa::path(
    tag = "broadcasts",
    params(BroadcastPath),
    responses(
        (status = OK, description = "The broadcast", body = Broadcast, example = json!(Broadcast::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/broadcasts/{id}")]
pub(super) async fn get_broadcast(
    ctx: Data<Context>,
    path: Path<BroadcastPath>,
    _query: Query<Nothing>,
) -> Result<Json<Broadcast>, Error> {
    let id = path.id.as_str();
    let found = ctx
        .query(async |db| {
            let Some(row) = store::of_stream(&mut *db, id).await? else { return Ok(None) };
            let parts = Parts::read(db, std::slice::from_ref(&row.id)).await?;
            Ok::<_, sqlx::Error>(Some((row, parts)))
        })
        .await?;
    let (row, parts) = found.ok_or_else(|| Error::NotFound { what: "broadcast", name: id.to_owned() })?;
    Ok(Json(Broadcast::new(row, &parts, ctx.clock.now())))
}
