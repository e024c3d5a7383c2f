//! `/consents`: links by which people elsewhere consent; and `/auth`, where these lead.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::web::{self, Data, Path};
use actix_web::{HttpRequest, HttpResponse, Resource, post};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use time::macros::datetime;
use utoipa::ToSchema;

use super::Context;
use super::body::Body;
use super::error::Error;
use super::query::{Name, Nothing, Query};
use super::responses::{BadBody, NotFound, ServerErrors, WithoutApplication};
use crate::credentials::application::Application;
use crate::credentials::consent::{Account, ConsentFailure};
use crate::credentials::consent_page;
use crate::outputs::reactions::links::{LinkError, Links, Request, scopes};

/// Scopes in one request, and characters of one.
const MAX_SCOPES: usize = 50;
const MAX_SCOPE: usize = 64;

/// Whose consent is needed, and to what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewConsent {
    /// The channel whose broadcaster is asked, by id or login; without it, set `bot`.
    #[schema(value_type = Option<String>, pattern = "^[!-~]{1,256}$")]
    channel: Option<Name>,
    /// `true` to ask the account of the bot; without a bot, the account that consents becomes it.
    #[serde(default)]
    bot: bool,
    /// Scopes such as `channel:manage:broadcast`, beside those that are needed anyway.
    #[serde(default)]
    #[schema(max_items = 50)]
    scopes: Vec<String>,
}

/// How an account is asked.
#[derive(Debug, Serialize, ToSchema)]
struct Consent {
    /// The address to send to the person: it works once, and shows what is asked for; `null` without `SHOWTIME_PUBLIC_URL`.
    url: Option<String>,
    /// The command that asks on the machine of the server instead.
    command: String,
    /// The login of the account; `null` if any may become the bot.
    account: Option<String>,
    /// All scopes that are asked for: those of the request, those that subscriptions and bots need, and those that are granted.
    scopes: Vec<String>,
    /// When the address ends; `null` if there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

impl Consent {
    fn example() -> Self {
        Self {
            url: Some("https://showtime.example.org/auth/9f86d081884c7d659a2feaa0c55ad015".into()),
            command: "init --channel maplearcade --scope channel:manage:broadcast".into(),
            account: Some("maplearcade".into()),
            scopes: vec!["channel:manage:broadcast".into(), "moderator:read:followers".into()],
            expires_at: Some(datetime!(2026-07-02 18:20:00 UTC)),
        }
    }
}

/// Ask for a consent
///
/// Makes a link for a person elsewhere, who consents at Twitch in a browser. It works once, for a day, and for the account that is
/// named: the token of another one is revoked. It needs `SHOWTIME_PUBLIC_URL`, and that address with `/auth` as a redirect URL
/// at Twitch; without it, the answer has the command that asks on the machine of the server.
#[utoipa::path(
    tag = "consents",
    request_body(content = NewConsent,
        example = json!({ "channel": "maplearcade", "scopes": ["channel:manage:broadcast"] })),
    responses(
        (status = CREATED, description = "The link", body = Consent, example = json!(Consent::example())),
        (status = OK, description = "There is no public address: the command", body = Consent),
        BadBody,
        NotFound,
        WithoutApplication,
        ServerErrors,
    ),
)]
#[post("/consents")]
pub(super) async fn request_consent(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<NewConsent>,
) -> Result<HttpResponse, Error> {
    let Body(NewConsent { channel, bot, scopes: further }) = body;
    check(&further)?;
    let account = match (channel, bot) {
        (Some(name), false) => {
            let id = ctx.served_channel(&name).await?.id;
            let account = ctx.read(async |conn| Account::broadcaster(conn, &id).await).await?;
            account.ok_or_else(|| Error::NotFound { what: "channel", name: name.into_string() })?
        }
        (None, true) => ctx.read(Account::bot).await?,
        _ => return Err(invalid("bot", "name either a channel or the bot")),
    };
    let application = ctx.application.as_ref().ok_or(Error::NoApplication)?;
    let all = ctx.read(async |conn| scopes(conn, &ctx.config, &account, &further).await).await?;
    let mut consent = Consent {
        url: None,
        command: format!("init {}", account.arguments(further.iter().map(String::as_str))),
        account: account.login().map(str::to_owned),
        scopes: all.into_iter().collect(),
        expires_at: None,
    };
    let Some(links) = links(&ctx, application) else { return Ok(HttpResponse::Ok().json(consent)) };
    let channel = match account {
        Account::Broadcaster { id, .. } => Some(id),
        Account::Bot(_) => None,
    };
    let (url, expires_at) = links.create(channel, further, ctx.clock.now()).await?;
    (consent.url, consent.expires_at) = (Some(url), Some(expires_at));
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(consent))
}

fn links<'a>(ctx: &'a Context, application: &'a Application) -> Option<Links<'a>> {
    let public_url = ctx.config.public_url.as_ref()?;
    Some(Links { pool: &ctx.pool, config: &ctx.config, application, public_url })
}

fn check(scopes: &[String]) -> Result<(), Error> {
    let is_scope = |scope: &String| {
        (1..=MAX_SCOPE).contains(&scope.len()) && scope.bytes().all(|b| b.is_ascii_lowercase() || b"_:".contains(&b))
    };
    match scopes.iter().all(is_scope) && scopes.len() <= MAX_SCOPES {
        true => Ok(()),
        false => Err(invalid("scopes", "must be at most 50, such as channel:manage:broadcast")),
    }
}

fn invalid(name: &str, reason: &str) -> Error {
    Error::InvalidField { name: name.to_owned(), reason: reason.to_owned() }
}

/// Mounts the pages for the person who consents. They are public: a link is a secret of its own.
pub(super) fn pages(cfg: &mut web::ServiceConfig) {
    cfg.service(Resource::new("/auth").route(web::get().to(come_back)));
    cfg.service(Resource::new("/auth/{id}").route(web::get().to(show)).route(web::post().to(begin)));
}

/// Says what is asked for. It changes nothing, since programs that preview links open it as well.
async fn show(ctx: Data<Context>, id: Path<String>) -> HttpResponse {
    let Some(links) = ctx.application.as_ref().and_then(|application| links(&ctx, application)) else {
        return fail(&LinkError::Unknown);
    };
    match links.request(&id, ctx.clock.now()).await {
        Ok(Request { account, scopes, expires_at }) => {
            let account = account.login().unwrap_or("the account of the bot").to_owned();
            let scopes: Vec<_> = scopes.into_iter().collect();
            let until = expires_at.format(&Rfc2822).unwrap_or_default();
            page(StatusCode::OK, consent_page::request(&account, &scopes, &until))
        }
        Err(error) => fail(&error),
    }
}

/// Sends the browser to Twitch.
async fn begin(ctx: Data<Context>, id: Path<String>) -> HttpResponse {
    let Some(links) = ctx.application.as_ref().and_then(|application| links(&ctx, application)) else {
        return fail(&LinkError::Unknown);
    };
    match links.begin(&id, ctx.clock.now()).await {
        Ok(url) => HttpResponse::SeeOther()
            .insert_header((LOCATION, url.as_str()))
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish(),
        Err(error) => fail(&error),
    }
}

/// Takes the browser back from Twitch.
async fn come_back(ctx: Data<Context>, request: HttpRequest) -> HttpResponse {
    let Some(links) = ctx.application.as_ref().and_then(|application| links(&ctx, application)) else {
        return fail(&LinkError::Unknown);
    };
    match links.answer(request.query_string(), ctx.clock.now()).await {
        Ok(()) => {
            page(StatusCode::OK, consent_page::outcome("Thank you", "Consent was given. This page can be closed."))
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &LinkError) -> HttpResponse {
    let (status, text) = match error {
        LinkError::Unknown => (StatusCode::NOT_FOUND, error.to_string()),
        LinkError::Used | LinkError::Expired => (StatusCode::GONE, error.to_string()),
        LinkError::ForeignState => (StatusCode::BAD_REQUEST, error.to_string()),
        LinkError::Denied(_) => (StatusCode::FORBIDDEN, error.to_string()),
        LinkError::Failed(failure @ ConsentFailure::OtherAccount { .. }) => {
            (StatusCode::FORBIDDEN, format!("Consent was not given: {failure}. Open the link again."))
        }
        LinkError::Failed(ConsentFailure::Served { login }) => {
            let text = format!(
                "{login} is a channel of this server, and can't be the bot. Open the link again with another account."
            );
            (StatusCode::FORBIDDEN, text)
        }
        LinkError::Failed(failure) => {
            tracing::warn!(error = %failure, "a consent by a link is not kept");
            let text = "Twitch's answer could not be turned into a consent. Open the link again later.";
            (StatusCode::BAD_GATEWAY, text.to_owned())
        }
        LinkError::Database(error) => {
            tracing::warn!(%error, "a link for a consent can't be looked up");
            (StatusCode::SERVICE_UNAVAILABLE, "This server can't look the link up now. Open it again later.".to_owned())
        }
    };
    page(status, consent_page::outcome("No consent", &text))
}

/// The form leads to Twitch, by redirects of its own.
fn page(status: StatusCode, html: String) -> HttpResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self' https: http://localhost:* \
        http://127.0.0.1:*; frame-ancestors 'none'";
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .body(html)
}
