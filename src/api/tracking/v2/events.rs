//! `/v2/events`.

use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::event::BotEventView;
use super::shard::{ShardCount, ShardNumber, shard};
use super::stream;
use crate::api::Context;
use crate::api::error::Error;
use crate::api::fallback::WasHead;
use crate::api::live::{last_event_id, sse};
use crate::api::query::{Limit, Parsed, Query};
use crate::api::responses::{BadRequest, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::store::LogId;
use crate::store::tracking::events;

/// A page of a bot's events.
#[derive(Debug, Serialize, ToSchema)]
struct BotEventPage {
    /// Oldest first.
    data: Vec<BotEventView>,
    /// The `after` of the next page; `null` at the end. To continue from there later, pass the id of the last event.
    #[schema(value_type = Option<i64>)]
    next: Option<LogId>,
}

impl BotEventPage {
    fn example() -> Self {
        Self { data: vec![BotEventView::example()], next: Some(LogId(311)) }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListBotEvents {
    /// Only events with a greater id. Without it, a page begins with the oldest, and a stream with the next event.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Maximum number of items. A stream has no end.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
    /// Only servers of this shard, counted from 0: `(guild_id >> 22) % shard_count`. Needs `shard_count`.
    #[param(value_type = u32, required = false, minimum = 0, maximum = 65535)]
    shard: Option<ShardNumber>,
    /// How many shards the bot has. Needs `shard`.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 65536)]
    shard_count: Option<ShardCount>,
}

/// List or follow the events of a bot
///
/// What happened to the bot's Discord channels, oldest first. Events are kept for seven days. Events about no
/// Discord server, or an unknown one, are in shard 0.
///
/// With `Accept: text/event-stream` they are sent as they happen, as Server-Sent Events with the name `event`. To resume, send the id
/// of the last event in the header `Last-Event-ID` or as `after`: no event is missed and none comes twice. The stream ends when the
/// token is no longer valid, and when the server stops. Every five seconds a comment shows that the connection is alive.
#[utoipa::path(
    tag = "tracking",
    params(ListBotEvents),
    responses(
        (status = OK, description = "A page of events, or an endless stream; its schema is that of the `data` of its events", content(
            (BotEventPage = "application/json", example = json!(BotEventPage::example())),
            (BotEventView = "text/event-stream", example = json!(BotEventView::example())),
        )),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/v2/events")]
pub(in crate::api) async fn list_bot_events(
    caller: Caller,
    ctx: Data<Context>,
    query: Query<ListBotEvents>,
    req: HttpRequest,
) -> Result<HttpResponse, Error> {
    let Query(ListBotEvents { after, limit, shard: number, shard_count }) = query;
    let (shard, after) = (shard(number, shard_count)?, after.map(|after| after.0));
    let accepts = req.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepts.is_some_and(|accept| accept.contains("text/event-stream")) {
        let after = last_event_id(&req)?.or(after);
        if req.extensions().get::<WasHead>().is_some() {
            return Ok(sse::head().finish());
        }
        return Ok(stream::stream(ctx.tracking.follow(caller.0, shard, after).await?));
    }
    let (bot_id, after) = (caller.0.bot_id, after.unwrap_or(LogId::START));
    let mut rows = ctx.query(async |db| events::page(db, bot_id, shard, after, limit.rows()).await).await?;
    let next = limit.cut(&mut rows, |last| last.id);
    Ok(HttpResponse::Ok().json(BotEventPage { data: rows.iter().map(BotEventView::from).collect(), next }))
}
