//! `/v1/api`: tracking as clients of the first version know it.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::in_time;
use super::responses::{TrackRefusals, UntrackRefusals};
use super::webhook::{GivenWebhook, ShownWebhook};
use crate::api::Context;
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::query::{Name, Nothing, Parsed, Query};
use crate::api::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::destinations::DestinationState;
use crate::tracking::authority::BotGrant;
use crate::tracking::tracker::StreamerName;

/// Check a token
///
/// Whether the token of a bot is valid.
#[utoipa::path(
    tag = "tracking",
    responses(
        (status = OK, description = "It is", body = String, content_type = "text/plain", example = "Authorized"),
        BadRequest,
    ),
)]
#[get("/v1/api")]
pub(in crate::api) async fn check_bot_token(_caller: Caller, _query: Query<Nothing>) -> &'static str {
    "Authorized"
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct DiscordChannelPath {
    /// The id of the Discord channel.
    #[param(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$", example = "146404426746167296")]
    channel: Parsed<Snowflake>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct TrackPath {
    /// The id of the Discord channel.
    #[param(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$", example = "146404426746167296")]
    channel: Parsed<Snowflake>,
    /// The login of the Twitch channel.
    #[param(value_type = String, pattern = "^[A-Za-z0-9_]{1,25}$", example = "maplearcade")]
    name: Parsed<StreamerName>,
}

/// A request was carried out.
#[derive(Debug, Serialize, ToSchema)]
struct Success {
    /// `success`
    message: &'static str,
}

const SUCCESS: Success = Success { message: "success" };

/// Declares a handler that tracks a channel.
macro_rules! track_path {
    ($(#[doc = $doc:literal])+ $path:literal => $name:ident) => {
        $(#[doc = $doc])+
        #[utoipa::path(
            tag = "tracking",
            params(TrackPath),
            request_body(
                content = GivenWebhook,
                example = json!({ "id": "1130882143562211418", "token": "aToken-thatDiscord_made" }),
            ),
            responses(
                (status = CREATED, description = "It is tracked from now on", body = Success, example = json!(SUCCESS)),
                (status = OK, description = "It was tracked already", body = Success, example = json!(SUCCESS)),
                BadBody,
                TrackRefusals,
                ServerErrors,
            ),
        )]
        #[post($path)]
        pub(in crate::api) async fn $name(
            caller: Caller,
            ctx: Data<Context>,
            _query: Query<Nothing>,
            path: Path<TrackPath>,
            body: Body<GivenWebhook>,
        ) -> Result<HttpResponse, Error> {
            track(&ctx, &caller.0, &path, body.0).await
        }
    };
}

track_path! {
    /// Track a channel
    ///
    /// Announces a Twitch channel in a Discord channel, over this webhook. Each Discord channel has one webhook: the
    /// first is verified and stored, another one is refused as long as that one exists. 200 if it is tracked already.
    "/v1/api/{channel}/{name}" => track_channel
}

track_path! {
    /// Track a channel (other path)
    ///
    /// The same as `POST /v1/api/{channel}/{name}`.
    "/v1/api/webhooks/{channel}/{name}" => track_channel_over_webhook
}

async fn track(ctx: &Context, bot: &BotGrant, path: &TrackPath, webhook: GivenWebhook) -> Result<HttpResponse, Error> {
    let webhook = webhook.into();
    let tracked = in_time(ctx.tracking.tracker.track(bot.bot_id, path.channel.0, &path.name.0, &webhook, None)).await?;
    let mut response = if tracked { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(SUCCESS))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct UntrackPath {
    /// The id of the Discord channel.
    #[param(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$", example = "146404426746167296")]
    channel: Parsed<Snowflake>,
    /// The login of the Twitch channel.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "maplearcade")]
    name: Name,
    /// The id of the channel's webhook.
    #[param(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$", example = "1130882143562211418")]
    webhook: Parsed<Snowflake>,
}

/// Stop tracking a channel
///
/// The Twitch channel is no longer announced in the Discord channel. Messages that were posted stay as they are.
#[utoipa::path(
    tag = "tracking",
    params(UntrackPath),
    responses(
        (status = OK, description = "It is no longer tracked", body = String, content_type = "text/plain", example = "success"),
        BadRequest,
        UntrackRefusals,
        ServerErrors,
    ),
)]
#[delete("/v1/api/webhooks/{channel}/{name}/{webhook}")]
pub(in crate::api) async fn untrack_channel(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<UntrackPath>,
) -> Result<&'static str, Error> {
    let UntrackPath { channel, name, webhook } = &*path;
    in_time(ctx.tracking.tracker.untrack(caller.0.bot_id, channel.0, name.as_str(), webhook.0)).await?;
    Ok("success")
}

/// What is tracked in a Discord channel.
// Not `Debug`, which would show the token.
#[derive(Serialize, ToSchema)]
struct TrackedChannels {
    /// The logins of the Twitch channels.
    names: Vec<String>,
    /// The webhook; `null` if it was deleted.
    webhook: Option<ShownWebhook>,
    /// Why nothing is posted: `gone` if the webhook was deleted, `moved` if it posts into another channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DestinationState, required = false)]
    status: Option<DestinationState>,
}

impl TrackedChannels {
    fn example() -> Self {
        Self { names: vec!["maplearcade".to_owned()], webhook: Some(ShownWebhook::example()), status: None }
    }
}

/// List the tracks of a Discord channel
///
/// What is tracked in a Discord channel, and its webhook.
#[utoipa::path(
    tag = "tracking",
    params(DiscordChannelPath),
    responses(
        (status = OK, description = "What is tracked there", body = TrackedChannels, example = json!(TrackedChannels::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/v1/api/webhooks/{channel}")]
pub(in crate::api) async fn get_tracked_channels(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<DiscordChannelPath>,
) -> Result<Json<TrackedChannels>, Error> {
    let tracked = in_time(ctx.tracking.tracker.tracked(caller.0.bot_id, path.channel.0)).await?;
    Ok(Json(TrackedChannels {
        names: tracked.logins,
        webhook: tracked.webhook.map(|(id, token)| ShownWebhook::new(id, &token)),
        status: Some(tracked.state).filter(|state| *state != DestinationState::Ok),
    }))
}
