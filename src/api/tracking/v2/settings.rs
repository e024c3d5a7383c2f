//! `/v2/settings`.

use actix_web::web::{Data, Json};
use actix_web::{get, put};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Context;
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::query::{Nothing, Query};
use crate::api::responses::{BadBody, BadRequest, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::store::tracking::bots::{self, OnWebhookGone};

/// What holds for all that a bot tracks.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BotSettings {
    /// What becomes of a channel of Discord when its webhook was deleted: with `keep`, which is the default, its tracks wait for
    /// another webhook; with `drop` it is dropped with all that is tracked there.
    #[serde(default)]
    on_webhook_gone: OnWebhookGone,
}

impl BotSettings {
    fn example() -> Self {
        Self { on_webhook_gone: OnWebhookGone::Keep }
    }
}

/// Get the settings of a bot
///
/// They hold for all that it tracks.
#[utoipa::path(
    tag = "tracking",
    responses(
        (status = OK, description = "The settings", body = BotSettings, example = json!(BotSettings::example())),
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
    let then = ctx.read(async |db| bots::on_webhook_gone(db, caller.0.bot_id).await).await?;
    Ok(Json(BotSettings { on_webhook_gone: then.ok_or(Error::BotTokenUnknown)? }))
}

/// Set the settings of a bot
///
/// All of them: what is left out takes its default.
#[utoipa::path(
    tag = "tracking",
    request_body(content = BotSettings, example = json!(BotSettings::example())),
    responses(
        (status = OK, description = "The settings", body = BotSettings, example = json!(BotSettings::example())),
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
    ctx.read(async |db| bots::set_on_webhook_gone(db, caller.0.bot_id, settings.on_webhook_gone).await).await?;
    Ok(Json(settings))
}
