//! `/v2/deliveries`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use crate::api::Context;
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::page::Page;
use crate::api::query::{Limit, Nothing, Parsed, Query};
use crate::api::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::api::tracking::in_time;
use crate::api::tracking::responses::ResolveRefusals;
use crate::discord::snowflake::Snowflake;
use crate::store::LogId;
use crate::store::tracking::deliveries::{Delivery, DeliveryFilter};
use crate::store::tracking::posts::{PostKind, PostState};

/// The state of a message about a broadcast.
#[derive(Debug, Serialize, ToSchema)]
struct BotDelivery {
    /// Greater than that of each before it.
    id: i64,
    /// The Discord channel.
    #[schema(value_type = String)]
    channel_id: Snowflake,
    /// Its server; `null` if it is not known.
    #[schema(value_type = Option<String>)]
    guild_id: Option<Snowflake>,
    /// The Twitch channel.
    twitch_id: String,
    /// Its login.
    login: String,
    /// The stream that began the broadcast.
    stream_id: String,
    /// Which message about it.
    kind: PostKind,
    /// Its state.
    state: PostState,
    /// The message, if there is one.
    #[schema(value_type = Option<String>)]
    message_id: Option<Snowflake>,
    /// How many of Discord's answers to a new message were lost: each message may have arrived.
    lost_answers: i32,
    /// How often Discord was called.
    attempts: i32,
    /// When it was last called.
    #[serde(with = "time::serde::rfc3339::option")]
    attempt_at: Option<OffsetDateTime>,
    /// When the message was posted.
    #[serde(with = "time::serde::rfc3339::option")]
    posted_at: Option<OffsetDateTime>,
    /// When it is posted or edited next.
    #[serde(with = "time::serde::rfc3339::option")]
    next_at: Option<OffsetDateTime>,
    /// What went wrong.
    problem: Option<String>,
}

impl From<Delivery> for BotDelivery {
    fn from(it: Delivery) -> Self {
        Self {
            id: it.id,
            channel_id: it.channel_id,
            guild_id: it.guild_id,
            twitch_id: it.twitch_id.into(),
            login: it.login,
            stream_id: it.stream_id.into(),
            kind: it.kind,
            state: it.state,
            message_id: it.message_id,
            lost_answers: it.lost_answers,
            attempts: it.attempts,
            attempt_at: it.attempt_at,
            posted_at: it.posted_at,
            next_at: it.next_at,
            problem: it.problem,
        }
    }
}

impl BotDelivery {
    fn example() -> Self {
        Self {
            id: 4711,
            channel_id: Snowflake(146_404_426_746_167_296),
            guild_id: Some(Snowflake(146_404_426_746_167_000)),
            twitch_id: "141981764".to_owned(),
            login: "maplearcade".to_owned(),
            stream_id: "40952110345".to_owned(),
            kind: PostKind::Start,
            state: PostState::Uncertain,
            message_id: None,
            lost_answers: 1,
            attempts: 1,
            attempt_at: Some(datetime!(2026-07-01 18:00:05 UTC)),
            posted_at: None,
            next_at: None,
            problem: Some("the connection broke before the answer came".to_owned()),
        }
    }
}

/// A state of a delivery, as a parameter.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
struct StateParameter(PostState);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListBotDeliveries {
    /// Only those in this state.
    #[param(value_type = PostState, required = false)]
    state: Option<StateParameter>,
    /// Only those in this Discord channel.
    #[param(value_type = String, required = false, pattern = "^[0-8]?[0-9]{17,18}$")]
    channel: Option<Parsed<Snowflake>>,
    /// Start after this: the `next` of the previous page.
    #[serde(default)]
    #[param(value_type = i64, required = false, minimum = 0, default = 0)]
    after: Parsed<LogId>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct DeliveryPath {
    /// The id of the delivery.
    #[param(value_type = i64, minimum = 0, example = 4711)]
    id: Parsed<LogId>,
}

/// What the bot knows of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resolution {
    /// The id of the message; `null` if it is not there.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<String>, required = true, pattern = "^[0-8]?[0-9]{17,18}$")]
    message_id: Option<Snowflake>,
}

/// List the deliveries of a bot
///
/// The messages about broadcasts: those that wait, those that were posted, and why others were not. Oldest first.
#[utoipa::path(
    tag = "tracking",
    params(ListBotDeliveries),
    responses(
        (status = OK, description = "A page of deliveries", body = Page<BotDelivery>,
            example = json!(Page::example(BotDelivery::example(), "4711"))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/v2/deliveries")]
pub(in crate::api) async fn list_bot_deliveries(
    caller: Caller,
    ctx: Data<Context>,
    query: Query<ListBotDeliveries>,
) -> Result<Json<Page<BotDelivery>>, Error> {
    let Query(ListBotDeliveries { state, channel, after, limit }) = query;
    let filter = DeliveryFilter { state: state.map(|state| state.0), channel_id: channel.map(|channel| channel.0) };
    let (bot_id, after) = (caller.0.bot_id, after.0.0);
    let rows = in_time(ctx.tracking.tracker.deliveries(bot_id, filter, after, limit.rows())).await?;
    Ok(Json(Page::new(rows, limit, |last| last.id.to_string(), BotDelivery::from)))
}

/// Resolve a delivery
///
/// For a delivery of which Discord's answer was lost (`lost_answers`). The bot looks for the message, in its gateway events or in the
/// history of the channel: it is of the webhook, from the time of `attempt_at`. With its id the message is edited as usual from then
/// on, and if it was posted again, the second one is deleted. With `null`, which is for the state `uncertain`, it is posted if the
/// stream is still live.
#[utoipa::path(
    tag = "tracking",
    params(DeliveryPath),
    request_body(content = Resolution, example = json!({ "message_id": "1131000000000000001" })),
    responses((status = NO_CONTENT, description = "It is resolved"), BadBody, NotFound, ResolveRefusals, ServerErrors),
)]
#[post("/v2/deliveries/{id}/resolve")]
pub(in crate::api) async fn resolve_delivery(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<DeliveryPath>,
    body: Body<Resolution>,
) -> Result<HttpResponse, Error> {
    in_time(ctx.tracking.tracker.resolve(caller.0.bot_id, path.id.0.0, body.0.message_id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
