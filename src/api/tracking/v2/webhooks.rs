//! `/v2/channels/{channel}/webhook`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, post, put};
use serde::Serialize;
use utoipa::ToSchema;

use super::channels::{BotChannel, BotChannelPath};
use crate::api::Context;
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::query::{Nothing, Query};
use crate::api::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::api::tracking::in_time;
use crate::api::tracking::responses::{CheckRefusals, WebhookRefusals};
use crate::api::tracking::webhook::GivenWebhook;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::destinations::DestinationState;
use crate::tracking::channels::Checked;

/// What Discord says of a webhook.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookCheck {
    /// `ok` if it posts into its channel, `moved` if it posts into another one, `gone` if it was deleted.
    state: DestinationState,
    /// Where it posts to, if it was moved.
    #[schema(value_type = Option<String>)]
    moved_to: Option<Snowflake>,
}

impl From<Checked> for WebhookCheck {
    fn from(checked: Checked) -> Self {
        let (state, moved_to) = match checked {
            Checked::Ok => (DestinationState::Ok, None),
            Checked::Moved(to) => (DestinationState::Moved, Some(to)),
            Checked::Gone => (DestinationState::Gone, None),
        };
        Self { state, moved_to }
    }
}

/// Set the webhook of a channel
///
/// Adds the Discord channel, or replaces its webhook: its tracks continue. First the server asks Discord whether the webhook posts
/// into this channel.
#[utoipa::path(
    tag = "tracking",
    params(BotChannelPath),
    request_body(content = GivenWebhook, example = json!({ "id": "1130882143562211418", "token": "aToken-thatDiscord_made" })),
    responses(
        (status = OK, description = "The channel", body = BotChannel, example = json!(BotChannel::example())),
        BadBody,
        WebhookRefusals,
        NotFound,
        ServerErrors,
    ),
)]
#[put("/v2/channels/{channel}/webhook")]
pub(in crate::api) async fn set_webhook(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotChannelPath>,
    body: Body<GivenWebhook>,
) -> Result<Json<BotChannel>, Error> {
    let (channel, key) = (path.channel.0, body.0.into());
    Ok(Json(in_time(ctx.tracking.tracker.replace_webhook(caller.0.bot_id, channel, &key)).await?.into()))
}

/// Report that a webhook was deleted
///
/// For a bot that knows it. The tracks of the channel are kept until it has another webhook, or dropped, as the bot's settings say.
#[utoipa::path(
    tag = "tracking",
    params(BotChannelPath),
    responses((status = NO_CONTENT, description = "Nothing is posted there any more"), BadRequest, NotFound, ServerErrors),
)]
#[delete("/v2/channels/{channel}/webhook")]
pub(in crate::api) async fn report_webhook_gone(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotChannelPath>,
) -> Result<HttpResponse, Error> {
    in_time(ctx.tracking.tracker.report_webhook_gone(caller.0.bot_id, path.channel.0)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Check a webhook
///
/// For a bot that got Discord's event `WEBHOOKS_UPDATE`, which does not say what has changed: Discord is asked, unless the webhook is
/// known to be deleted.
#[utoipa::path(
    tag = "tracking",
    params(BotChannelPath),
    responses(
        (status = OK, description = "What Discord says", body = WebhookCheck, example = json!(WebhookCheck::from(Checked::Ok))),
        BadRequest,
        NotFound,
        CheckRefusals,
        ServerErrors,
    ),
)]
#[post("/v2/channels/{channel}/webhook/check")]
pub(in crate::api) async fn check_webhook(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotChannelPath>,
) -> Result<Json<WebhookCheck>, Error> {
    Ok(Json(in_time(ctx.tracking.tracker.check_webhook(caller.0.bot_id, path.channel.0)).await?.into()))
}
