//! `/channels/{channel}/segments`.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path, ReqData};
use actix_web::{HttpResponse, delete, get, patch, post};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Context;
use super::body::{Body, Line};
use super::channels::ChannelPath;
use super::error::Error;
use super::page::{Cursor, Page};
use super::query::{Limit, Name, NewestFirst, Nothing, Query};
use super::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::access::grant::{Grant, Scope};
use crate::message::Message;
use crate::message::segment::{Edge, Mark, MarkError};
use crate::store::read::channels::Names;
use crate::store::read::segments as store;
use crate::twitch::id::ChannelId;
use crate::twitch::payload::{Ident, User};

/// A part of a channel's programme, as the broadcaster marked it: a tape, a game, a guest.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Segment {
    /// A UUID that this server made.
    id: String,
    /// Twitch's id of the channel.
    channel_id: String,
    /// The broadcast that it is a part of; `null` if the channel was not live.
    broadcast_id: Option<String>,
    /// Its title.
    title: String,
    /// The broadcaster's own reference, such as a URL or a catalogue number.
    reference: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    /// When it ended: by request, or because the next segment began or the broadcast ended; `null`
    /// while it goes on. If the stream resumes within 15 minutes, so does the segment.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
}

impl From<store::Segment> for Segment {
    fn from(row: store::Segment) -> Self {
        let store::Segment { id, channel_id, broadcast_id, title, reference, started_at, ended_at } = row;
        let (channel_id, broadcast_id) = (channel_id.into(), broadcast_id.map(String::from));
        Self { id, channel_id, broadcast_id, title, reference, started_at, ended_at }
    }
}

impl Segment {
    fn example() -> Self {
        Self {
            id: "6f1d9f0e-7c52-4d56-9a55-2f1d3f0c8f6b".into(),
            channel_id: "141981764".into(),
            broadcast_id: Some("40952110345".into()),
            title: "Tape 12: holiday in the snow".into(),
            reference: Some("https://example.com/tapes/12".into()),
            started_at: datetime!(2026-07-01 18:20:00 UTC),
            ended_at: None,
        }
    }

    pub(super) fn ended_example() -> Self {
        Self { ended_at: Some(datetime!(2026-07-01 18:55:00 UTC)), ..Self::example() }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListSegments {
    /// Only segments of this broadcast: its id, or the id of any of its streams.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    broadcast: Option<Name>,
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

/// List a channel's segments
///
/// Newest first, or oldest first with `order=asc`.
#[utoipa::path(
    tag = "segments",
    params(ChannelPath, ListSegments),
    responses(
        (status = OK, description = "A page of segments", body = Page<Segment>,
            example = json!(Page::example(Segment::example(), "1782930000000000-6f1d9f0e-7c52-4d56-9a55-2f1d3f0c8f6b"))),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/segments")]
pub(super) async fn list_segments(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    query: Query<ListSegments>,
) -> Result<Json<Page<Segment>>, Error> {
    let Query(ListSegments { broadcast, order, after, limit }) = query;
    let channel = path.resolve(&ctx).await?;
    let (broadcast, after) = (broadcast.as_ref().map(Name::as_str), after.as_ref().map(Cursor::position));
    let rows =
        ctx.query(async |db| store::page(db, &channel, broadcast, order.into(), after, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| Cursor::behind(row.started_at, &row.id), Segment::from)))
}

/// A segment to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BeginSegment {
    /// Its title.
    #[schema(value_type = String, min_length = 1, max_length = 140, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    title: Line<1, 140>,
    /// Your own reference, such as a URL or a catalogue number.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    reference: Option<Line<0, 500>>,
}

/// Begin a segment
///
/// The segment begins now, and the channel's current one ends. The channel need not be live: a segment
/// that begins before the stream belongs to its broadcast. The end of a broadcast ends its segment.
#[utoipa::path(
    tag = "segments",
    params(ChannelPath),
    request_body(content = BeginSegment,
        example = json!({ "title": "Tape 12: holiday in the snow", "reference": "https://example.com/tapes/12" })),
    responses(
        (status = CREATED, description = "The segment", body = Segment,
            headers(("Location" = String, description = "The path of the segment")),
            example = json!(Segment::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/channels/{channel}/segments")]
pub(super) async fn begin_segment(
    ctx: Data<Context>,
    grant: ReqData<Grant>,
    path: Path<ChannelPath>,
    _query: Query<Nothing>,
    body: Body<BeginSegment>,
) -> Result<HttpResponse, Error> {
    let Body(BeginSegment { title, reference }) = body;
    let channel = ctx.served_channel(&path.channel).await?;
    let id = Uuid::new_v4().to_string();
    let begin = Edge::Begin { title: title.as_str(), reference: reference.as_ref().map(Line::as_str) };
    let segment = ctx.mark(&grant, channel, &id, begin).await?;
    let location = format!("/channels/{}/segments/{id}", segment.channel_id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(segment))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct SegmentPath {
    /// The channel's id, or its login in any case. If it could be either, it is an id.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "twitchdev")]
    channel: Name,
    /// The segment's id.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "6f1d9f0e-7c52-4d56-9a55-2f1d3f0c8f6b")]
    id: Name,
}

/// Get a segment
///
/// One segment of a channel, by its id.
#[utoipa::path(
    tag = "segments",
    params(SegmentPath),
    responses(
        (status = OK, description = "The segment", body = Segment, example = json!(Segment::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/segments/{id}")]
pub(super) async fn get_segment(
    ctx: Data<Context>,
    path: Path<SegmentPath>,
    _query: Query<Nothing>,
) -> Result<Json<Segment>, Error> {
    let channel = ctx.channel(&path.channel).await?;
    Ok(Json(ctx.segment(&channel, path.id.as_str()).await?))
}

/// End a segment
///
/// It ends now. A segment that has ended stays as it is. Another segment can begin without this.
#[utoipa::path(
    tag = "segments",
    params(SegmentPath),
    responses(
        (status = OK, description = "The segment", body = Segment, example = json!(Segment::ended_example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/channels/{channel}/segments/{id}/end")]
pub(super) async fn end_segment(
    ctx: Data<Context>,
    grant: ReqData<Grant>,
    path: Path<SegmentPath>,
    _query: Query<Nothing>,
) -> Result<Json<Segment>, Error> {
    let channel = ctx.served_channel(&path.channel).await?;
    let segment = ctx.segment(&channel.id, path.id.as_str()).await?;
    Ok(Json(ctx.mark(&grant, channel, &segment.id, Edge::End).await?))
}

/// Changes to a segment; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeSegment {
    /// Its title.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 140, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    title: Option<Line<1, 140>>,
    /// Your own reference; an empty one removes it.
    #[schema(value_type = Option<String>, max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    reference: Option<Line<0, 500>>,
}

/// Change a segment
///
/// Changes its title or reference, also after its end. The last change counts.
#[utoipa::path(
    tag = "segments",
    params(SegmentPath),
    request_body(content = ChangeSegment, example = json!({ "title": "Tape 12: holiday in the snow" })),
    responses(
        (status = OK, description = "The segment", body = Segment, example = json!(Segment::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[patch("/channels/{channel}/segments/{id}")]
pub(super) async fn change_segment(
    ctx: Data<Context>,
    grant: ReqData<Grant>,
    path: Path<SegmentPath>,
    _query: Query<Nothing>,
    body: Body<ChangeSegment>,
) -> Result<Json<Segment>, Error> {
    let Body(ChangeSegment { title, reference }) = body;
    let channel = ctx.served_channel(&path.channel).await?;
    let segment = ctx.segment(&channel.id, path.id.as_str()).await?;
    if title.is_none() && reference.is_none() {
        return Ok(Json(segment));
    }
    // Of changes that are made at once, each says only what it changes, so all are kept.
    let change =
        Edge::Change { title: title.as_ref().map(Line::as_str), reference: reference.as_ref().map(Line::as_str) };
    Ok(Json(ctx.mark(&grant, channel, &segment.id, change).await?))
}

/// Remove a segment
///
/// The state is then as if it had never begun: the segment before continues, or ends with the broadcast. The log keeps both marks.
#[utoipa::path(
    tag = "segments",
    params(SegmentPath),
    responses(
        (status = NO_CONTENT, description = "The segment is removed"),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[delete("/channels/{channel}/segments/{id}")]
pub(super) async fn remove_segment(
    ctx: Data<Context>,
    grant: ReqData<Grant>,
    path: Path<SegmentPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    let channel = ctx.served_channel(&path.channel).await?;
    let segment = ctx.segment(&channel.id, path.id.as_str()).await?;
    ctx.submit_mark(&grant, &channel, &segment.id, Edge::Remove).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl Context {
    async fn segment(&self, channel_id: &ChannelId, id: &str) -> Result<Segment, Error> {
        let row = self.query(async |db| store::get(db, channel_id, id).await).await?;
        row.map(Segment::from).ok_or_else(|| Error::NotFound { what: "segment", name: id.to_owned() })
    }

    /// Puts a mark into the log, and returns the segment as it is then.
    async fn mark(&self, grant: &Grant, channel: Names, segment_id: &str, edge: Edge<'_>) -> Result<Segment, Error> {
        self.submit_mark(grant, &channel, segment_id, edge).await?;
        self.segment(&channel.id, segment_id).await
    }

    /// Puts a mark into the log.
    async fn submit_mark(&self, grant: &Grant, channel: &Names, segment_id: &str, edge: Edge<'_>) -> Result<(), Error> {
        let name = |text: &str| Ident::try_from(text.to_owned()).ok();
        let (login, display_name) = (name(&channel.login), name(&channel.display_name));
        let broadcaster = User { id: channel.id.user(), login, display_name };
        let mark = Mark { broadcaster: &broadcaster, segment_id, at: self.clock.now(), edge };
        let message = Message::segment(grant, &mark).map_err(|error| match error {
            MarkError::ReadOnly => Error::ScopeTooSmall { held: grant.scope(), needed: Scope::Admin },
            MarkError::Unreadable(error) => Error::Broken(error.to_string()),
        })?;
        self.ingest.submit(message).await?;
        Ok(())
    }
}
