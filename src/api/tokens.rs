//! `/tokens`: access tokens for overlays and programs.

use actix_web::web::{Data, Json, Path, ReqData};
use actix_web::{HttpResponse, delete, get, post};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::body::Body;
use super::error::Error;
use super::page::Page;
use super::query::{Name, Nothing, Query};
use super::responses::{BadBody, BadRequest, NotFound, ServerErrors, TokenExists};
use crate::access::grant::{Grant, Scope};
use crate::access::{TokenHash, check_name, generate};
use crate::store::access_tokens;

/// The scopes of tokens that a client may create. An `admin` token is made on the server's machine alone, so that a stolen
/// one can't make others that outlive it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum NewScope {
    Overlay,
    Read,
}

impl From<NewScope> for Scope {
    fn from(scope: NewScope) -> Self {
        match scope {
            NewScope::Overlay => Self::Overlay,
            NewScope::Read => Self::Read,
        }
    }
}

/// The name of a token, by which it is listed and revoked.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct TokenName(String);

impl TryFrom<String> for TokenName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        check_name(&name).map(|()| Self(name))
    }
}

/// A token to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// The name by which it is listed and revoked: not a number, and no hyphen first.
    #[schema(value_type = String, pattern = "^(?![0-9]+$)(?!-)[!-~]{1,64}$")]
    name: TokenName,
    /// What it permits.
    scope: NewScope,
}

/// A token that was created.
// Not `Debug`, which would show it.
#[derive(Serialize, ToSchema)]
struct CreatedToken {
    /// Its name.
    name: String,
    /// What it permits.
    scope: NewScope,
    /// The token itself, which is only shown here.
    token: String,
}

impl CreatedToken {
    fn example() -> Self {
        let token = "showtime_dGhpcyBpcyBhbiBleGFtcGxlIGFuZCBubyByZWFsIHRva2Vu".into();
        Self { name: "overlay-1".into(), scope: NewScope::Overlay, token }
    }
}

/// Create a token
///
/// For an overlay or a program. Only this answer shows it. Tokens with the scope `admin` are created by the command
/// `token create` only.
#[utoipa::path(
    tag = "tokens",
    request_body(content = NewToken, example = json!({ "name": "overlay-1", "scope": "overlay" })),
    responses(
        (status = CREATED, description = "The token", body = CreatedToken, example = json!(CreatedToken::example())),
        BadBody,
        TokenExists,
        ServerErrors,
    ),
)]
#[post("/tokens")]
pub(super) async fn create_token(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<NewToken>,
) -> Result<HttpResponse, Error> {
    let Body(NewToken { name: TokenName(name), scope }) = body;
    let token = generate();
    let (hash, now) = (TokenHash::from(&token), ctx.clock.now());
    let is_new =
        ctx.query(async |db| access_tokens::insert(db, &name, scope.into(), hash.as_bytes(), now).await).await?;
    if !is_new {
        return Err(Error::TokenExists(name));
    }
    let created = CreatedToken { name, scope, token: token.expose_secret().to_owned() };
    Ok(HttpResponse::Created().json(created))
}

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessToken {
    /// Its name.
    name: String,
    /// `overlay`, `read` or `admin`.
    #[schema(value_type = String)]
    scope: &'static str,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last used, to the minute or so; `null` if it never was.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
}

impl AccessToken {
    fn example() -> Self {
        let at = datetime!(2026-07-01 18:00:00 UTC);
        Self { name: "overlay-1".into(), scope: "overlay", created_at: at, last_used_at: Some(at) }
    }
}

impl From<access_tokens::Row> for AccessToken {
    fn from(row: access_tokens::Row) -> Self {
        let access_tokens::Row { name, scope, created_at, last_used_at, .. } = row;
        Self { name, scope: scope.as_str(), created_at, last_used_at }
    }
}

/// List the tokens
///
/// All of them, oldest first, without their text.
#[utoipa::path(
    tag = "tokens",
    responses(
        (status = OK, description = "The tokens", body = Page<AccessToken>,
            example = json!(Page::whole(vec![AccessToken::example()]))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/tokens")]
pub(super) async fn list_tokens(ctx: Data<Context>, _query: Query<Nothing>) -> Result<Json<Page<AccessToken>>, Error> {
    let rows = ctx.query(async |db| access_tokens::all(db).await).await?;
    Ok(Json(Page::whole(rows.into_iter().map(AccessToken::from).collect())))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct TokenPath {
    /// The token's name.
    #[param(value_type = String, pattern = "^[!-~]{1,64}$", example = "overlay-1")]
    name: Name,
}

/// Revoke a token
///
/// Its feeds end within seconds, and it is refused on every server. Tokens with the scope `admin` are revoked by the
/// command `token revoke` only, so that a stolen one can't lock the others out.
#[utoipa::path(
    tag = "tokens",
    params(TokenPath),
    responses((status = NO_CONTENT, description = "It is revoked"), BadRequest, NotFound, ServerErrors),
)]
#[delete("/tokens/{name}")]
pub(super) async fn revoke_token(
    ctx: Data<Context>,
    path: Path<TokenPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    let name = path.name.as_str();
    if !ctx.query(async |db| access_tokens::delete_unless_admin(db, name).await).await? {
        return Err(Error::NotFound { what: "token without the scope admin", name: name.to_owned() });
    }
    Ok(HttpResponse::NoContent().finish())
}

/// What the token of a request permits.
#[derive(Debug, Serialize, ToSchema)]
struct CurrentToken {
    /// `overlay`, `read` or `admin`.
    #[schema(value_type = String)]
    scope: &'static str,
}

/// Get the scope of this token
///
/// The scope of the token of the request.
#[utoipa::path(
    tag = "tokens",
    responses(
        (status = OK, description = "Its scope", body = CurrentToken, example = json!(CurrentToken { scope: "overlay" })),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/tokens/current")]
pub(super) async fn current_token(grant: ReqData<Grant>, _query: Query<Nothing>) -> Json<CurrentToken> {
    Json(CurrentToken { scope: grant.scope().as_str() })
}
