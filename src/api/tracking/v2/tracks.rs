//! `/v2/channels/{channel}/tracks`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, patch, put};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use crate::api::Context;
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::query::{Nothing, Parsed, Query};
use crate::api::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::api::tracking::in_time;
use crate::api::tracking::responses::PutTrackRefusals;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::tracks::Track;
use crate::tracking::settings::TrackSettings;
use crate::tracking::tracker::StreamerName;

/// A Twitch channel that is announced in a Discord channel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BotTrack {
    /// The id of the Twitch channel.
    twitch_id: String,
    /// Its login, as it is now.
    login: String,
    /// How it is announced. What is absent is as the Discord channel and the bot have it.
    #[schema(value_type = TrackSettings)]
    settings: Value,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<Track> for BotTrack {
    fn from(track: Track) -> Self {
        let Track { twitch_id, login, settings, created_at, .. } = track;
        Self { twitch_id: twitch_id.into(), login, settings, created_at }
    }
}

impl BotTrack {
    pub(super) fn example() -> Self {
        let (twitch_id, login) = ("141981764".to_owned(), "maplearcade".to_owned());
        Self { twitch_id, login, settings: settings_example(), created_at: datetime!(2026-07-01 18:00:00 UTC) }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct BotTrackPath {
    /// The id of the Discord channel.
    #[param(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$", example = "146404426746167296")]
    pub(super) channel: Parsed<Snowflake>,
    /// The login or id of the Twitch channel.
    #[param(value_type = String, pattern = "^[A-Za-z0-9_]{1,25}$", example = "maplearcade")]
    pub(super) name: Parsed<StreamerName>,
}

fn settings_example() -> Value {
    json!({ "message": "{{ streamer.name }} is live: {{ stream.title }}", "on_end": "delete" })
}

/// Put a track
///
/// Announces a Twitch channel in a Discord channel that has a webhook, with these settings: what is left out is as in the
/// settings of the Discord channel and of the bot. 200 if it is tracked already.
#[utoipa::path(
    tag = "tracking",
    params(BotTrackPath),
    request_body(content = TrackSettings, example = json!(settings_example())),
    responses(
        (status = CREATED, description = "It is tracked from now on", body = BotTrack, example = json!(BotTrack::example())),
        (status = OK, description = "It was tracked already", body = BotTrack, example = json!(BotTrack::example())),
        BadBody,
        PutTrackRefusals,
        ServerErrors,
    ),
)]
#[put("/v2/channels/{channel}/tracks/{name}")]
pub(in crate::api) async fn put_track(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotTrackPath>,
    body: Body<TrackSettings>,
) -> Result<HttpResponse, Error> {
    let BotTrackPath { channel, name } = &*path;
    let (track, is_new) = in_time(ctx.tracking.tracker.put_track(caller.0.bot_id, channel.0, &name.0, &body.0)).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(BotTrack::from(track)))
}

/// Change a track
///
/// Settings that are left out stay, and those that are `null` are as the Discord channel and the bot have them.
#[utoipa::path(
    tag = "tracking",
    params(BotTrackPath),
    request_body(content = TrackSettings, example = json!({ "silent": true })),
    responses(
        (status = OK, description = "The track", body = BotTrack, example = json!(BotTrack::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[patch("/v2/channels/{channel}/tracks/{name}")]
pub(in crate::api) async fn change_track(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotTrackPath>,
    body: Body<Map<String, Value>>,
) -> Result<Json<BotTrack>, Error> {
    let BotTrackPath { channel, name } = &*path;
    let track = in_time(ctx.tracking.tracker.change_track(caller.0.bot_id, channel.0, &name.0, body.0)).await?;
    Ok(Json(track.into()))
}

/// Remove a track
///
/// The Twitch channel is no longer announced in the Discord channel. Messages that were posted stay as they are.
#[utoipa::path(
    tag = "tracking",
    params(BotTrackPath),
    responses((status = NO_CONTENT, description = "It is no longer tracked"), BadRequest, NotFound, ServerErrors),
)]
#[delete("/v2/channels/{channel}/tracks/{name}")]
pub(in crate::api) async fn remove_track(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotTrackPath>,
) -> Result<HttpResponse, Error> {
    let BotTrackPath { channel, name } = &*path;
    in_time(ctx.tracking.tracker.remove_track(caller.0.bot_id, channel.0, &name.0)).await?;
    Ok(HttpResponse::NoContent().finish())
}
