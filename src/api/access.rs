//! Authorization of requests. Every request passes [`guard`]; a path that [`need`] does not name as public requires a
//! token, so that a new route is closed until it is opened here.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use actix_cors::Cors;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use actix_web::middleware::{Condition, Next};
use actix_web::{Error as ActixError, HttpMessage as _, ResponseError as _, web};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Response};

use super::Context;
use super::error::Error;
use super::request_id::X_REQUEST_ID;
use super::responses::described;
use crate::access::Denial;
use crate::access::grant::Scope;

/// The name of the security scheme in the specification.
const SCHEME: &str = "token";

/// The name of that of bots.
const BOT_SCHEME: &str = "bot";

/// The header for a token when a browser opens a WebSocket, for which it can set no other.
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The prefix of the token there.
const PROTOCOL_PREFIX: &str = "bearer.";

/// The request headers that pages of other origins may send.
const CORS_HEADERS: [&str; 3] = ["Authorization", "Last-Event-ID", "Cache-Control"];

/// How long a browser may cache the answer to a preflight request, in seconds.
const CORS_MAX_AGE: usize = 3_600;

/// The paths whose reading requires an `admin` token, too.
const ADMIN: [&str; 7] = ["/actions", "/bots", "/counters", "/rule-set", "/rules", "/sinks", "/tokens"];

/// The paths of Discord bots.
const BOTS: [&str; 2] = ["/v1", "/v2"];

/// The access that a request requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// None.
    Nothing,
    /// None; with a token that may read, the answer has more.
    Optional,
    /// A token of this scope.
    Token(Scope),
    /// The token of a Discord bot.
    Bot,
}

/// The one list of public paths. Paths are compared undecoded: one with percent signs is not public.
fn need(method: &Method, path: &str) -> Need {
    let is_reading = [Method::GET, Method::HEAD].contains(method);
    match path {
        // Twitch signs its messages. All other methods are refused, in words that show that the callback can be reached.
        "/callback" => Need::Nothing,
        "/livez" | "/readyz" | "/openapi.json" if is_reading => Need::Nothing,
        // Discord bots show their secret there for a token, and that token on all other paths of theirs.
        "/v1/token" => Need::Nothing,
        _ if BOTS.iter().any(|place| is_within(path, place)) => Need::Bot,
        "/status" if is_reading => Need::Optional,
        // Pages: they hold no data, and call the API with a token of their own.
        "/" | "/docs" | "/history" | "/favicon.ico" if is_reading => Need::Nothing,
        // For people who consent elsewhere: the link is a secret of its own, and Twitch sends the browser back with another.
        "/auth" if is_reading => Need::Nothing,
        _ if path.starts_with("/auth/") && (is_reading || *method == Method::POST) => Need::Nothing,
        _ if is_reading && ["/docs/", "/overlay/", "/assets/"].iter().any(|dir| path.starts_with(dir)) => Need::Nothing,
        "/live/alerts" | "/live/chat" | "/tokens/current" if is_reading => Need::Token(Scope::Overlay),
        // Sums, and the pictures of a chat, such as an overlay shows.
        _ if is_reading && is_for_overlays(path) => Need::Token(Scope::Overlay),
        _ if is_reading && path.starts_with("/overlays/settings/") => Need::Token(Scope::Overlay),
        // They show where events are sent, what was done on Twitch by which account, and the rules.
        _ if ADMIN.iter().any(|place| is_within(path, place)) => Need::Token(Scope::Admin),
        // It may be one of them, since a route is found by the decoded path.
        _ if path.split('/').nth(1).is_some_and(|first| first.contains('%')) => Need::Token(Scope::Admin),
        _ if is_reading => Need::Token(Scope::Read),
        _ => Need::Token(Scope::Admin),
    }
}

/// Whether a path is this one, or below it.
fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether it is `/channels/{channel}/series`, `/channels/{channel}/chat/pictures` or `/channels/{channel}/chat/emotes`.
fn is_for_overlays(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(parts[..], ["", "channels", _, "series"] | ["", "channels", _, "chat", "pictures" | "emotes"])
}

/// Lets a request through, with the [`Grant`](crate::access::grant::Grant) of its token among its
/// extensions, or answers it.
pub(super) async fn guard<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, ActixError> {
    let admitted = match need(req.method(), req.path()) {
        Need::Nothing => Ok(()),
        // Boxed: the future of a database query is large, and messages from Twitch should not carry it along.
        need => Box::pin(admit(&req, need)).await,
    };
    match admitted {
        Ok(()) => Ok(next.call(req).await?.map_into_left_body()),
        // Not as an error, which would pass by the headers that CORS adds.
        Err(error) => Ok(req.into_response(error.error_response()).map_into_right_body()),
    }
}

async fn admit(req: &ServiceRequest, need: Need) -> Result<(), Error> {
    let ctx = req.app_data::<web::Data<Context>>().ok_or(Error::TokenMissing)?;
    if need == Need::Bot {
        let token = token(req.headers())?.ok_or(Error::BotTokenMissing)?;
        let grant = ctx.tracking.authority.admit(token).await?;
        req.extensions_mut().insert(grant);
        return Ok(());
    }
    let Some(token) = token(req.headers())? else {
        return if need == Need::Optional { Ok(()) } else { Err(Error::TokenMissing) };
    };
    let peer = req.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    match (ctx.access.admit(token, peer).await, need) {
        (Ok(grant), Need::Token(needed)) if grant.scope() < needed => {
            Err(Error::ScopeTooSmall { held: grant.scope(), needed })
        }
        (Ok(grant), Need::Optional) if grant.scope() < Scope::Read => Ok(()),
        (Ok(grant), _) => {
            req.extensions_mut().insert(grant);
            Ok(())
        }
        // The status matters most when the database is away.
        (Err(Denial::Unavailable(_)), Need::Optional) => Ok(()),
        (Err(denial), _) => Err(denial.into()),
    }
}

/// The token of a request, from its `Authorization` header, or from a browser's WebSocket.
fn token(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut given = headers.get_all(AUTHORIZATION);
    match (given.next(), given.next()) {
        (Some(value), None) => {
            let (scheme, token) =
                value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(Error::TokenUnreadable)?;
            if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(Error::TokenUnreadable) }
        }
        (Some(_), Some(_)) => Err(Error::TokenUnreadable),
        (None, _) => Ok(token_of_websocket(headers)),
    }
}

fn token_of_websocket(headers: &HeaderMap) -> Option<&str> {
    let upgrade = headers.get(UPGRADE)?.to_str().ok()?;
    let protocols = headers.get_all(PROTOCOL).filter_map(|value| value.to_str().ok());
    let mut protocols = protocols.flat_map(|value| value.split(',')).map(str::trim);
    protocols
        .find_map(|protocol| protocol.strip_prefix(PROTOCOL_PREFIX))
        .filter(|_| upgrade.eq_ignore_ascii_case("websocket"))
}

/// Lets pages of these origins read, if there are any, and do nothing else: because of the token, a browser sends a
/// preflight request first, and the answer allows only GET and HEAD.
pub(super) fn cors(origins: &[String]) -> Condition<Cors> {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::HEAD])
        .allowed_headers(CORS_HEADERS)
        .expose_headers([RETRY_AFTER, WWW_AUTHENTICATE, X_REQUEST_ID])
        .max_age(CORS_MAX_AGE);
    let cors = match origins {
        [all] if all == "*" => cors.allow_any_origin().send_wildcard(),
        origins => origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin)),
    };
    Condition::new(!origins.is_empty(), cors)
}

/// The refusals of an operation that requires a token.
fn refusals(need: Need) -> Vec<(String, RefOr<Response>)> {
    if need == Need::Bot {
        return vec![
            described("There is no token, or one that is not valid.", &Error::BotTokenMissing),
            described(
                "The token can't be looked up; try again after `Retry-After` seconds.",
                &Error::Unavailable(None),
            ),
        ];
    }
    let mut refusals = vec![
        described("There is no token, or an unknown one.", &Error::TokenMissing),
        described(
            "Too many wrong tokens came from the same address; wait for `Retry-After` seconds.",
            &Error::TooManyFailures(Duration::from_secs(1)),
        ),
        described("The token can't be looked up; try again after `Retry-After` seconds.", &Error::Unavailable(None)),
    ];
    if let Need::Token(needed) = need
        && needed > Scope::Overlay
    {
        let error = Error::ScopeTooSmall { held: Scope::Overlay, needed };
        refusals.push(described("The token's scope is too small.", &error));
    }
    refusals
}

/// Describes the access that each operation requires.
pub(super) fn describe(spec: &mut OpenApi) {
    let description = "A token of this server: the first is in the file `token` of its data directory; `token create` \
        makes more. The scope `overlay` allows following alerts and chat, and reading series, the images of chats and saved overlay \
        settings; `read` allows all reading except that of tokens, bots, sinks, rules, counters and actions; `admin` allows \
        everything. A Twitch user access token is accepted too, with the scope `admin`, if it belongs to the broadcaster of a \
        served channel and to this server's application.";
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
    spec.components.get_or_insert_default().add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    let description = "A token that `POST /v1/token` made for a Discord bot.";
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(description));
    spec.components.get_or_insert_default().add_security_scheme(BOT_SCHEME, SecurityScheme::Http(scheme.build()));
    for (path, item) in &mut spec.paths.paths {
        for (method, operation) in operations(item) {
            let token = |scope: Scope| SecurityRequirement::new(SCHEME, [scope.as_str()]);
            let need = need(&method, path);
            operation.security = match need {
                Need::Nothing => continue,
                Need::Optional => Some(vec![SecurityRequirement::default(), token(Scope::Read)]),
                Need::Token(scope) => Some(vec![token(scope)]),
                Need::Bot => Some(vec![SecurityRequirement::new(BOT_SCHEME, [] as [&str; 0])]),
            };
            for (status, refusal) in refusals(need) {
                operation.responses.responses.entry(status).or_insert(refusal);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn paths_that_are_not_named_require_a_token() {
        let public = ["/", "/docs", "/docs/index.html", "/overlay/alerts", "/assets/a.js", "/livez", "/openapi.json"];
        for path in public {
            assert_eq!(need(&Method::GET, path), Need::Nothing, "{path}");
            assert_eq!(need(&Method::POST, path), Need::Token(Scope::Admin), "{path}");
        }
        for path in ["/auth", "/auth/abc"] {
            assert_eq!(need(&Method::GET, path), Need::Nothing, "{path}");
        }
        assert_eq!(need(&Method::POST, "/auth/abc"), Need::Nothing);
        assert_eq!(need(&Method::POST, "/auth"), Need::Token(Scope::Admin));
        for path in ["/events", "/live/events", "/metrics", "/nothing", "/docsx", "//", ""] {
            assert_eq!(need(&Method::GET, path), Need::Token(Scope::Read), "{path}");
        }
        for path in ["/sinks", "/sinks/amqp", "/rules/a%20rule", "/%63allback", "/%6civez", "/%73inks"] {
            assert_eq!(need(&Method::GET, path), Need::Token(Scope::Admin), "{path}");
        }
        for path in ["/live/alerts", "/live/chat", "/overlays/settings/main", "/channels/1/chat/pictures"] {
            assert_eq!(need(&Method::GET, path), Need::Token(Scope::Overlay), "{path}");
        }
        for path in ["/v1", "/v1/tokens", "/v1/api", "/v1/api/webhooks/1", "/v2/channels"] {
            assert_eq!(need(&Method::GET, path), Need::Bot, "{path}");
        }
        assert_eq!(need(&Method::POST, "/v1/token"), Need::Nothing);
        assert_eq!(need(&Method::POST, "/v1x"), Need::Token(Scope::Admin));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            assert_eq!(need(&method, "/events/1/replay"), Need::Token(Scope::Admin), "{method}");
        }
    }

    #[test]
    fn token_is_read_from_its_two_headers_alone() {
        let find = |headers: &[(&'static str, &'static str)]| {
            let request = headers.iter().fold(TestRequest::default(), |request, header| request.append_header(*header));
            let request = request.to_http_request();
            token(request.headers()).map(|token| token.map(str::to_owned)).map_err(|error| error.to_string())
        };
        let found = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(find(&[]), Ok(None));
        assert_eq!(find(&[("Authorization", "Bearer abc")]), found("abc"));
        assert_eq!(find(&[("authorization", "bearer abc")]), found("abc"));
        let protocols = ("Sec-WebSocket-Protocol", "showtime, bearer.abc");
        assert_eq!(find(&[("Upgrade", "websocket"), protocols]), found("abc"));
        assert_eq!(find(&[protocols]), Ok(None));
        assert_eq!(find(&[("Authorization", "Bearer x"), ("Upgrade", "websocket"), protocols]), found("x"));
        for wrong in ["Basic abc", "abc", "", "Bearer"] {
            assert!(find(&[("Authorization", wrong)]).is_err(), "{wrong}");
        }
        assert!(find(&[("Authorization", "Bearer a"), ("Authorization", "Bearer b")]).is_err());
    }
}
