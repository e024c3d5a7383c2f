//! `/v2/settings` and `/v2/channels/{channel}/settings`.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, patch, put};
use serde_json::{Map, Value, json};

use super::channels::{BotChannel, BotChannelPath};
use crate::api::Context;
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::query::{Nothing, Query};
use crate::api::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::api::tracking::in_time;
use crate::tracking::settings::{BotSettings, TrackSettings};

fn example() -> Value {
    json!({ "on_webhook_gone": "keep", "keep_gone_days": 30, "defaults": { "color": "#9146ff", "picture": "preview", "button": "Watch" } })
}

/// Get the settings of a bot
///
/// They hold for all that it tracks.
#[utoipa::path(
    tag = "tracking",
    responses(
        (status = OK, description = "The settings", body = BotSettings, example = json!(example())),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/v2/settings")]
pub(in crate::api) async fn get_bot_settings(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
) -> Result<Json<BotSettings>, Error> {
    let settings = in_time(ctx.tracking.tracker.bot_settings(caller.0.bot_id)).await?;
    Ok(Json(settings.ok_or(Error::BotTokenUnknown)?))
}

/// Set the settings of a bot
///
/// All of them: what is left out takes its default. A setting of a track overrides that of its Discord channel, which overrides that
/// of the bot. Posted messages show a change with their next edit.
#[utoipa::path(
    tag = "tracking",
    request_body(content = BotSettings, example = json!(example())),
    responses(
        (status = OK, description = "The settings", body = BotSettings, example = json!(example())),
        BadBody,
        ServerErrors,
    ),
)]
#[put("/v2/settings")]
pub(in crate::api) async fn set_bot_settings(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<BotSettings>,
) -> Result<Json<BotSettings>, Error> {
    let Body(settings) = body;
    in_time(ctx.tracking.tracker.set_bot_settings(caller.0.bot_id, &settings)).await?;
    Ok(Json(settings))
}

/// Set the settings of a channel
///
/// The settings for all tracks in this Discord channel, unless a track has its own; what is left out is as in the bot's settings.
#[utoipa::path(
    tag = "tracking",
    params(BotChannelPath),
    request_body(content = TrackSettings, example = json!({ "color": "#00ff00" })),
    responses(
        (status = OK, description = "The channel", body = BotChannel, example = json!(BotChannel::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[put("/v2/channels/{channel}/settings")]
pub(in crate::api) async fn set_channel_settings(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotChannelPath>,
    body: Body<TrackSettings>,
) -> Result<Json<BotChannel>, Error> {
    Ok(Json(in_time(ctx.tracking.tracker.set_channel(caller.0.bot_id, path.channel.0, &body.0)).await?.into()))
}

/// Change the settings of a channel
///
/// Settings that are left out stay, and those that are `null` are reset to the bot's settings.
#[utoipa::path(
    tag = "tracking",
    params(BotChannelPath),
    request_body(content = TrackSettings, example = json!({ "silent": true })),
    responses(
        (status = OK, description = "The channel", body = BotChannel, example = json!(BotChannel::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[patch("/v2/channels/{channel}/settings")]
pub(in crate::api) async fn change_channel_settings(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotChannelPath>,
    body: Body<Map<String, Value>>,
) -> Result<Json<BotChannel>, Error> {
    Ok(Json(in_time(ctx.tracking.tracker.change_channel(caller.0.bot_id, path.channel.0, body.0)).await?.into()))
}
