//! `POST /v1/token`: a bot shows its secret, and gets a token.

use std::fmt;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, post, web};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::api::Context;
use crate::api::body::parse;
use crate::api::error::Error;
use crate::api::query::{Nothing, Query};
use crate::api::responses::{BadBody, ServerErrors, WrongSecret};
use crate::sources::body::{BodyError, read_body};
use crate::tracking::authority::AuthError;

/// A request for a token.
#[derive(Debug, Deserialize, ToSchema)]
struct TokenRequest {
    /// The name of the bot.
    name: String,
    /// The shard that this process of the bot serves.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 0, maximum = 65535)]
    shard: Shard,
    /// The secret that `server bot add` printed.
    #[schema(value_type = String)]
    secret: SecretString,
}

/// A number, also as text, which it always is in a form.
#[derive(Clone, Copy, Debug, Default)]
struct Shard(u16);

impl<'de> Deserialize<'de> for Shard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Shard;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Shard, E> {
                u16::try_from(number).map(Shard).map_err(E::custom)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Shard, E> {
                text.parse().map(Shard).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Number)
    }
}

/// The body of a request: JSON, or a form.
struct JsonOrForm(TokenRequest);

impl FromRequest for JsonOrForm {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = req.content_type().to_ascii_lowercase();
        let said = req.headers().get(CONTENT_TYPE).map(|said| String::from_utf8_lossy(said.as_bytes()).into_owned());
        let body = web::Payload::from_request(req, payload);
        async move {
            let is_form = kind == "application/x-www-form-urlencoded";
            if kind != "application/json" && !is_form {
                return Err(Error::UnsupportedMediaType(said));
            }
            let body = read_body(body.await.map_err(BodyError::Incomplete)?, None).await?;
            if is_form {
                let form = serde_urlencoded::from_bytes(&body);
                return form.map(Self).map_err(|error| Error::InvalidBody(error.to_string()));
            }
            parse(&body).map(Self)
        }
        .boxed_local()
    }
}

/// A token of a bot.
// Not `Debug`, which would show it.
#[derive(Serialize, ToSchema)]
struct BotToken {
    /// The token, a JSON Web Token that expires after `SHOWTIME_BOT_TOKEN_TTL`.
    token: String,
}

impl BotToken {
    fn example() -> Self {
        Self { token: "eyJhbGciOiJIUzI1NiIs….eyJpc3MiOiJzaG93dGlt….dBjftJeZ4CVP-mB92K27uhbU…".to_owned() }
    }
}

/// Get a token for a bot
///
/// Each process of a Discord bot shows the bot's secret, and gets a token for all other paths below `/v1` and `/v2`. JSON or
/// a form.
#[utoipa::path(
    tag = "tracking",
    request_body(
        content((TokenRequest = "application/json"), (TokenRequest = "application/x-www-form-urlencoded")),
        example = json!({ "name": "tatsu", "shard": 0, "secret": "stb_dGhpcyBpcyBhbiBleGFtcGxlIGFuZCBubyBzZWNyZXQ" }),
    ),
    responses(
        (status = OK, description = "The token", body = BotToken, example = json!(BotToken::example())),
        BadBody,
        WrongSecret,
        ServerErrors,
    ),
)]
#[post("/v1/token")]
pub(in crate::api) async fn issue_bot_token(
    req: HttpRequest,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: JsonOrForm,
) -> Result<HttpResponse, Error> {
    let JsonOrForm(TokenRequest { name, shard: Shard(shard), secret }) = body;
    let token = match ctx.tracking.authority.issue(&name, shard.into(), secret).await {
        Err(AuthError::WrongSecret) => {
            let counted = req.peer_addr().map_or(Ok(()), |peer| ctx.access.count_failure(peer.ip()));
            return Err(counted.map_or_else(Error::TooManyFailures, |()| Error::BotSecretWrong));
        }
        issued => issued?,
    };
    let token = BotToken { token: token.expose_secret().to_owned() };
    Ok(HttpResponse::Ok().json(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_is_a_number_or_its_text() {
        let shard = |text: &str| serde_json::from_str::<Shard>(text).ok().map(|shard| shard.0);
        assert_eq!(shard("7"), Some(7));
        assert_eq!(shard(r#""7""#), Some(7));
        for wrong in ["-1", "1.5", "65536", r#""x""#, "[]"] {
            assert_eq!(shard(wrong), None, "{wrong}");
        }
        let form: TokenRequest = serde_urlencoded::from_str("name=tatsu&shard=3&secret=s").unwrap();
        assert_eq!((form.name.as_str(), form.shard.0), ("tatsu", 3));
    }
}
