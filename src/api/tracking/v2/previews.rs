//! `POST /v2/render` and `POST /v2/channels/{channel}/tracks/{name}/test`.

use actix_web::post;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::tracks::BotTrackPath;
use crate::api::Context;
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::query::{Nothing, Query};
use crate::api::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::api::tracking::in_time;
use crate::api::tracking::responses::TestRefusals;
use crate::discord::snowflake::Snowflake;
use crate::object::object;
use crate::tracking::preview::{Preview, Sample, Test};
use crate::tracking::settings::{SettingProblem, TrackSettings};

/// What to show.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RenderRequest {
    /// A Discord channel: what the settings leave out is as it has it. By default as the bot has it.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[0-8]?[0-9]{17,18}$")]
    channel_id: Option<Snowflake>,
    /// The settings.
    #[serde(default, deserialize_with = "object")]
    settings: TrackSettings,
    /// The broadcast.
    #[serde(default, deserialize_with = "object")]
    sample: Sample,
}

/// What a message looks like.
#[derive(Debug, Serialize, ToSchema)]
struct RenderedMessage {
    /// The message, as [Discord takes it](https://docs.discord.com/developers/resources/webhook#execute-webhook). Where a text is wrong,
    /// with the usual one.
    #[schema(value_type = Object)]
    payload: Value,
    /// What is wrong with the settings.
    errors: Vec<SettingProblem>,
}

impl From<Preview> for RenderedMessage {
    fn from(preview: Preview) -> Self {
        Self { payload: json!(preview.message), errors: preview.errors }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TestQuery {
    /// Only shows the message, and does not post it.
    #[serde(default)]
    #[param(required = false, default = false)]
    dry_run: bool,
}

/// A message that was posted as a test, or would be.
#[derive(Debug, Serialize, ToSchema)]
struct TestMessage {
    /// The message, as Discord takes it.
    #[schema(value_type = Object)]
    payload: Value,
    /// Its id; `null` if it was not posted.
    #[schema(value_type = Option<String>)]
    message_id: Option<Snowflake>,
}

impl From<Test> for TestMessage {
    fn from(test: Test) -> Self {
        Self { payload: json!(test.message), message_id: test.posted.map(|posted| posted.id) }
    }
}

fn payload_example(content: &str) -> Value {
    json!({
        "content": content, "embeds": [{ "title": "Speedrun practice", "url": "https://www.twitch.tv/maplearcade" }],
        "components": [], "allowed_mentions": { "parse": [] },
    })
}

/// Render a message
///
/// The message with these settings for a given or invented broadcast, and the errors in its texts, with line and column. Nothing is
/// posted.
#[utoipa::path(
    tag = "tracking",
    request_body(content = RenderRequest, example = json!({
        "settings": { "message": "{{ streamer.name }} plays {{ stream.category }}" },
        "sample": { "category": "Chess" },
    })),
    responses(
        (status = OK, description = "The message", body = RenderedMessage,
            example = json!({ "payload": payload_example("MapleArcade plays Chess"), "errors": [] })),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/v2/render")]
pub(in crate::api) async fn render_message(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<RenderRequest>,
) -> Result<Json<RenderedMessage>, Error> {
    let RenderRequest { channel_id, settings, sample } = body.0;
    Ok(Json(in_time(ctx.tracking.tracker.preview(caller.0.bot_id, channel_id, &settings, sample)).await?.into()))
}

/// Post a test
///
/// Posts the message about the current state of a Twitch channel, by the same code and within the same limits as later, but without
/// mentions and without a sound. A channel that is not live is shown as if its stream began now. A Discord channel gets one test
/// every five seconds at most.
#[utoipa::path(
    tag = "tracking",
    params(BotTrackPath, TestQuery),
    responses(
        (status = OK, description = "The message", body = TestMessage, example = json!({
            "payload": payload_example("MapleArcade is live"), "message_id": "1130882143562211500",
        })),
        BadRequest,
        NotFound,
        TestRefusals,
        ServerErrors,
    ),
)]
#[post("/v2/channels/{channel}/tracks/{name}/test")]
pub(in crate::api) async fn test_track(
    caller: Caller,
    ctx: Data<Context>,
    query: Query<TestQuery>,
    path: Path<BotTrackPath>,
) -> Result<Json<TestMessage>, Error> {
    let BotTrackPath { channel, name } = &*path;
    let test = in_time(ctx.tracking.tracker.test(caller.0.bot_id, channel.0, &name.0, query.0.dry_run)).await?;
    Ok(Json(test.into()))
}
