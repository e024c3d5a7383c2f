//! `/consents`: links by which people elsewhere consent.

use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use super::Context;
use super::body::Body;
use super::consent_pages::links;
use super::error::Error;
use super::page::Page;
use super::query::{Name, Nothing, Query};
use super::responses::{BadBody, BadRequest, NotFound, ServerErrors, WithoutApplication};
use crate::credentials::consent::Account;
use crate::outputs::reactions::consent::{self, scopes_to_ask};
use crate::store::actions;

/// Limits of the scopes in one request, and of the characters of one.
const MAX: (usize, usize) = (50, 64);

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
    /// Scopes such as `channel:manage:broadcast`, in addition to those that are needed anyway.
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
    /// All scopes that are asked for: of the request, of subscriptions and bots, and those that are granted.
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

/// A consent that is missing. Its `channel`, `bot` and `scopes` are what `POST /consents` takes.
#[derive(Debug, Serialize, ToSchema)]
struct MissingConsent {
    /// The login of the broadcaster; `null` for the bot.
    channel: Option<String>,
    /// Whether it is the bot's.
    bot: bool,
    /// The login of the account; `null` if there is no bot.
    account: Option<String>,
    /// The scopes that are missing.
    scopes: Vec<String>,
    /// The steps of actions that need them, such as `title`.
    steps: Vec<String>,
}

impl MissingConsent {
    fn new(missing: consent::MissingConsent) -> Self {
        let account = missing.account.login().map(str::to_owned);
        let bot = matches!(missing.account, Account::Bot(_));
        Self {
            channel: account.clone().filter(|_| !bot),
            bot,
            account,
            scopes: missing.scopes.into_iter().map(str::to_owned).collect(),
            steps: missing.steps.into_iter().collect(),
        }
    }

    fn example() -> Self {
        Self {
            channel: Some("maplearcade".into()),
            bot: false,
            account: Some("maplearcade".into()),
            scopes: vec!["channel:manage:broadcast".into()],
            steps: vec!["title".into()],
        }
    }
}

/// List missing consents
///
/// What the actions of the last week needed and no account has consented to, by account. There is one page.
#[utoipa::path(
    tag = "consents",
    responses(
        (status = OK, description = "The consents that are missing", body = Page<MissingConsent>,
            example = json!(Page::whole(vec![MissingConsent::example()]))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/consents")]
pub(super) async fn list_missing_consents(
    ctx: Data<Context>,
    _query: Query<Nothing>,
) -> Result<Json<Page<MissingConsent>>, Error> {
    let wanted = ctx.query(async |conn| actions::wanted(conn).await).await?;
    let missing = consent::missing_of(&wanted);
    Ok(Json(Page::whole(missing.into_iter().map(MissingConsent::new).collect())))
}

/// Request a consent
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
        (status = OK, description = "There is no public address: the command", body = Consent,
            example = json!(Consent { url: None, expires_at: None, ..Consent::example() })),
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
    let NewConsent { channel, bot, scopes: further } = body.0;
    check(&further)?;
    let account = match (channel, bot) {
        (Some(name), false) => {
            let id = ctx.served_channel(&name).await?.id;
            let account = ctx.query(async |conn| Account::broadcaster(conn, &id).await).await?;
            account.ok_or_else(|| Error::NotFound { what: "channel", name: name.into_string() })?
        }
        (None, true) => ctx.query(Account::bot).await?,
        _ => return Err(invalid("bot", "name either a channel or the bot")),
    };
    let application = ctx.application.as_ref().ok_or(Error::NoApplication)?;
    let all = ctx.query(async |conn| scopes_to_ask(conn, &ctx.config, &account, &further).await).await?;
    let mut consent = Consent {
        url: None,
        command: format!("init {}", account.arguments(further.iter().map(String::as_str))),
        account: account.login().map(str::to_owned),
        scopes: all.into_iter().collect(),
        expires_at: None,
    };
    let Some(links) = links(&ctx, application) else { return Ok(HttpResponse::Ok().json(consent)) };
    let channel = if let Account::Broadcaster { id, .. } = account { Some(id) } else { None };
    let (url, expires_at) = links.create(channel, further, ctx.clock.now()).await?;
    (consent.url, consent.expires_at) = (Some(url), Some(expires_at));
    Ok(HttpResponse::Created().json(consent))
}

fn check(scopes: &[String]) -> Result<(), Error> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || b"_:".contains(&byte);
    let is_scope = |scope: &String| (1..=MAX.1).contains(&scope.len()) && scope.bytes().all(is_allowed);
    if scopes.len() <= MAX.0 && scopes.iter().all(is_scope) {
        return Ok(());
    }
    Err(invalid("scopes", "must be at most 50, such as channel:manage:broadcast"))
}

fn invalid(name: &str, reason: &str) -> Error {
    Error::InvalidField { name: name.to_owned(), reason: reason.to_owned() }
}
