//! `/bots`: the Discord bots that may track channels. What they do themselves is in [`tracking`](super::tracking).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, HttpResponseBuilder, delete, get, post};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::body::Body;
use super::error::Error;
use super::page::Page;
use super::query::{Name, Nothing, Query};
use super::responses::{BadBody, BadRequest, BotExists, NotFound, ServerErrors};
use crate::store::tracking::bots as store;
use crate::tracking::bots::{self as service, BotError};

impl From<BotError> for Error {
    fn from(error: BotError) -> Self {
        match error {
            BotError::Name(reason) => Self::InvalidField { name: "name".to_owned(), reason: reason.to_owned() },
            BotError::Exists(name) => Self::BotExists(name),
            BotError::Unknown(name) => Self::NotFound { what: "bot", name },
            BotError::Hash => Self::Broken(error.to_string()),
            BotError::Database(error) => error.into(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct BotPath {
    /// The bot's name.
    #[param(value_type = String, pattern = "^[!-~]{1,64}$", example = "tatsu")]
    name: Name,
}

/// A bot to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBot {
    /// Its name, which it shows with its secret: not a number, and no hyphen first.
    #[schema(pattern = "^(?![0-9]+$)(?!-)[!-~]{1,64}$")]
    name: String,
}

/// What a bot shows for a token.
// Not `Debug`, which would show it.
#[derive(Serialize, ToSchema)]
struct BotSecret {
    /// Its name.
    name: String,
    /// Its secret, which is only shown here.
    secret: String,
}

impl BotSecret {
    fn example() -> Self {
        Self { name: "tatsu".into(), secret: "stb_dGhpcyBpcyBhbiBleGFtcGxlIGFuZCBubyBzZWNyZXQh".into() }
    }
}

fn shown_once(mut response: HttpResponseBuilder, name: String, secret: &SecretString) -> HttpResponse {
    let body = BotSecret { name, secret: secret.expose_secret().to_owned() };
    response.insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// A bot, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bot {
    /// Its name.
    name: String,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// Since when it gets no tokens; `null` if it gets some.
    #[serde(with = "time::serde::rfc3339::option")]
    disabled_at: Option<OffsetDateTime>,
    /// How many Discord channels it has.
    channels: i64,
    /// How many Twitch channels it tracks in them.
    tracks: i64,
}

impl Bot {
    fn example() -> Self {
        let created_at = datetime!(2026-07-01 18:00:00 UTC);
        Self { name: "tatsu".into(), created_at, disabled_at: None, channels: 2_450, tracks: 6_120 }
    }
}

impl From<store::Bot> for Bot {
    fn from(bot: store::Bot) -> Self {
        let store::Bot { name, created_at, disabled_at, destinations, tracks, .. } = bot;
        Self { name, created_at, disabled_at, channels: destinations, tracks }
    }
}

/// List the bots
///
/// All Discord bots that may track channels, by name, without their secrets.
#[utoipa::path(
    tag = "bots",
    responses(
        (status = OK, description = "The bots", body = Page<Bot>, example = json!(Page::whole(vec![Bot::example()]))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/bots")]
pub(super) async fn list_bots(ctx: Data<Context>, _query: Query<Nothing>) -> Result<Json<Page<Bot>>, Error> {
    let bots = ctx.query(async |db| store::all(db).await).await?;
    Ok(Json(Page::whole(bots.into_iter().map(Bot::from).collect())))
}

/// Add a bot
///
/// Only this answer shows its secret, with which it gets tokens from `POST /v1/token`.
#[utoipa::path(
    tag = "bots",
    request_body(content = NewBot, example = json!({ "name": "tatsu" })),
    responses(
        (status = CREATED, description = "The secret", body = BotSecret, example = json!(BotSecret::example())),
        BadBody,
        BotExists,
        ServerErrors,
    ),
)]
#[post("/bots")]
pub(super) async fn add_bot(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<NewBot>,
) -> Result<HttpResponse, Error> {
    let Body(NewBot { name }) = body;
    let secret = ctx.query(async |db| service::add(db, &name, ctx.clock.now()).await).await?;
    Ok(shown_once(HttpResponse::Created(), name, &secret))
}

/// Rotate a bot's secret
///
/// The old secret and the bot's tokens are refused within seconds, on every server.
#[utoipa::path(
    tag = "bots",
    params(BotPath),
    responses(
        (status = OK, description = "The new secret", body = BotSecret, example = json!(BotSecret::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/bots/{name}/rotate")]
pub(super) async fn rotate_bot(
    ctx: Data<Context>,
    path: Path<BotPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    let name = path.into_inner().name.into_string();
    let secret = ctx.query(async |db| service::rotate(db, &name).await).await?;
    Ok(shown_once(HttpResponse::Ok(), name, &secret))
}

/// Disable a bot
///
/// It gets no more tokens, and those that it has are refused within seconds. Its tracks stay, and nothing is posted for it.
#[utoipa::path(
    tag = "bots",
    params(BotPath),
    responses((status = NO_CONTENT, description = "It is disabled"), BadRequest, NotFound, ServerErrors),
)]
#[post("/bots/{name}/disable")]
pub(super) async fn disable_bot(
    ctx: Data<Context>,
    path: Path<BotPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    ctx.query(async |db| service::switch(db, path.name.as_str(), Some(ctx.clock.now())).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Enable a bot
///
/// It gets tokens again, with the secret that it has.
#[utoipa::path(
    tag = "bots",
    params(BotPath),
    responses((status = NO_CONTENT, description = "It is enabled"), BadRequest, NotFound, ServerErrors),
)]
#[post("/bots/{name}/enable")]
pub(super) async fn enable_bot(
    ctx: Data<Context>,
    path: Path<BotPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    ctx.query(async |db| service::switch(db, path.name.as_str(), None).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Remove a bot
///
/// Its tracks are removed as well.
#[utoipa::path(
    tag = "bots",
    params(BotPath),
    responses((status = NO_CONTENT, description = "It is removed"), BadRequest, NotFound, ServerErrors),
)]
#[delete("/bots/{name}")]
pub(super) async fn remove_bot(
    ctx: Data<Context>,
    path: Path<BotPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    ctx.query(async |db| service::remove(db, path.name.as_str()).await).await?;
    Ok(HttpResponse::NoContent().finish())
}
