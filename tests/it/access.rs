//! Access tokens and sign-in: which operations they allow, and how others are refused.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use showtime::access::grant::Scope;
use showtime::access::{TOKEN_TTL, TWITCH_TOKEN_TTL, TokenHash, generate};
use showtime::api;
use showtime::store::access_tokens;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use time::OffsetDateTime;

use crate::support::bots::is_for_bots;
use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{self, at, subscription, text, with_person};
use crate::support::postgres::fresh_database;
use crate::support::server::{Answer, Server, TOKEN, answer};
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, serve_channel};
use crate::support::until_some;

/// Operations without a token.
const PUBLIC: [&str; 7] = [
    "POST /callback",
    "GET /livez",
    "GET /readyz",
    "GET /status",
    "GET /openapi.json",
    "GET /overlay/media/{name}",
    "POST /v1/token",
];

fn client() -> Client {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(30));
    client.build().unwrap()
}

/// A request with this token, or none.
fn request(server: &Server, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
    let request = client().request(method, server.url(path));
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// The operations that read what only an administrator may see.
const READ_BY_ADMINS: [&str; 12] = [
    "GET /actions",
    "GET /actions/{id}",
    "GET /bots",
    "GET /counters",
    "GET /rule-set",
    "GET /rules",
    "GET /rules/{name}",
    "GET /rules/{name}/history",
    "GET /sinks",
    "GET /sinks/{name}",
    "GET /sinks/{name}/deliveries",
    "GET /tokens",
];

/// Operations for tokens with the scope `overlay`.
const OVERLAY: [&str; 7] = [
    "GET /channels/{channel}/chat/emotes",
    "GET /channels/{channel}/chat/pictures",
    "GET /channels/{channel}/series",
    "GET /live/alerts",
    "GET /live/chat",
    "GET /overlays/settings/{name}",
    "GET /tokens/current",
];

pub(crate) async fn get(server: &Server, path: &str, token: Option<&str>) -> Answer {
    answer(request(server, Method::GET, path, token)).await
}

/// A new token in the server's database.
pub(crate) async fn new_token(server: &Server, name: &str, scope: Scope) -> SecretString {
    let token = generate();
    let mut connection = server.pool.acquire().await.unwrap();
    let hash = TokenHash::from(&token);
    let now = server.clock.now();
    assert!(access_tokens::insert(&mut connection, name, scope, hash.as_bytes(), now).await.unwrap());
    token
}

#[track_caller]
fn challenge(answer: &Answer) -> &str {
    answer.headers["www-authenticate"].to_str().unwrap()
}

#[tokio::test]
async fn operations_are_public_by_name_or_require_a_token_of_their_scope() {
    let server = Server::start().await;
    let read = new_token(&server, "reader", Scope::Read).await;
    let overlay = new_token(&server, "overlay", Scope::Overlay).await;
    let spec = serde_json::to_value(api::spec()).unwrap();
    let (mut public, mut for_overlays) = (0, 0);
    for (path, item) in spec["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{} {path}", method.to_uppercase());
            let path = path.replace("{channel}", "1").replace("{id}", "1");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            // Feeds have no end, so only what is refused is read.
            let send = async |token: Option<&str>| {
                let response = request(&server, method.clone(), &path, token).send().await.unwrap();
                let is_refused = matches!(response.status().as_u16(), 401 | 403);
                let (status, headers) = (response.status(), response.headers().clone());
                let text = if is_refused { response.text().await.unwrap() } else { String::new() };
                Answer { status, headers, text }
            };
            let is_let_in = |answer: &Answer| !answer.text.contains("token-") && !answer.text.contains("scope-too");
            let scopes: Vec<_> = operation["security"].as_array().into_iter().flatten().collect();
            if PUBLIC.contains(&name.as_str()) {
                public += 1;
                assert!(is_let_in(&send(None).await), "{name}");
                assert!(scopes.is_empty() || name == "GET /status", "{name}");
                continue;
            }
            let refused = send(None).await;
            refused.problem(401, "token-missing");
            assert_eq!(challenge(&refused), r#"Bearer realm="showtime""#, "{name}");
            if is_for_bots(&path) {
                send(Some(TOKEN)).await.problem(401, "token-invalid");
                assert_eq!(scopes, [&serde_json::json!({ "bot": [] })], "{name}");
                continue;
            }
            let is_reading = method == Method::GET && !READ_BY_ADMINS.contains(&name.as_str());
            match send(Some(read.expose_secret())).await {
                answer if is_reading => assert!(is_let_in(&answer), "{name}"),
                answer => {
                    answer.problem(403, "scope-too-small");
                    assert!(challenge(&answer).ends_with(r#"error="insufficient_scope", scope="admin""#), "{name}");
                }
            }
            assert!(is_let_in(&send(Some(TOKEN)).await), "{name}");
            let is_for_overlays = OVERLAY.contains(&name.as_str());
            let scope = match is_reading {
                true if is_for_overlays => "overlay",
                true => "read",
                false => "admin",
            };
            match send(Some(overlay.expose_secret())).await {
                answer if is_for_overlays => {
                    for_overlays += 1;
                    assert!(is_let_in(&answer), "{name}");
                }
                answer => {
                    answer.problem(403, "scope-too-small");
                    assert!(challenge(&answer).ends_with(&format!(r#"scope="{scope}""#)), "{name}");
                }
            }
            assert_eq!(scopes, [&serde_json::json!({ "token": [scope] })], "{name}");
            let told = |status: &str| operation["responses"].get(status).is_some();
            assert!(told("401") && told("429") && told("503"), "{name} does not say how it refuses");
            assert!(is_for_overlays || told("403"), "{name} does not say 403");
        }
    }
    assert_eq!((public, for_overlays), (PUBLIC.len(), OVERLAY.len()));
    for path in ["/nothing", "/%6civez", "/%63hannels", "/live/nothing", "/%63allback", "/docsx"] {
        get(&server, path, None).await.problem(401, "token-missing");
    }
    for path in ["/", "/docs", "/docs/"] {
        assert!(get(&server, path, None).await.status.as_u16() < 400, "{path}");
    }
}

#[tokio::test]
async fn encoded_path_requires_the_scope_of_its_route() {
    let server = Server::start().await;
    let reader = new_token(&server, "reader", Scope::Read).await;
    for path in ["/sinks", "/%73inks", "/ru%6Ces", "/%61ctions?limit=1"] {
        let answer = get(&server, path, Some(reader.expose_secret())).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
    assert_eq!(get(&server, "/channels/%74witchdev", Some(reader.expose_secret())).await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn token_is_valid_until_seconds_after_its_revocation() {
    let server = Server::start().await;
    let token = generate();
    get(&server, "/channels", Some(token.expose_secret())).await.problem(401, "token-invalid");
    let token = new_token(&server, "obs", Scope::Read).await;
    for _ in 0..3 {
        assert_eq!(get(&server, "/channels", Some(token.expose_secret())).await.status, 200);
    }
    let revoked = access_tokens::delete(&mut server.pool.acquire().await.unwrap(), "obs").await.unwrap();
    assert_eq!(revoked.as_deref(), Some("obs"));
    server.clock.advance(time::Duration::hours(-1));
    server.clock.advance(TOKEN_TTL.try_into().unwrap());
    let refused = get(&server, "/channels", Some(token.expose_secret())).await;
    refused.problem(401, "token-invalid");
    assert!(challenge(&refused).ends_with(r#"error="invalid_token""#), "{refused:?}");
    assert!(!refused.text.contains(token.expose_secret()));
}

#[tokio::test]
async fn feed_ends_seconds_after_its_token_is_revoked_also_if_the_clock_is_set_back() {
    let server = Server::start().await;
    let token = new_token(&server, "obs", Scope::Read).await;
    let token = token.expose_secret();
    let mut sse = Sse::open_with(&server, "/live/alerts", &[("authorization", format!("Bearer {token}"))]).await;
    let mut socket = Socket::open_with(&server, "/live/alerts", token).await;
    access_tokens::delete(&mut server.pool.acquire().await.unwrap(), "obs").await.unwrap();
    // Heartbeats and caches are measured in spans, whatever the wall clock shows.
    server.clock.advance(time::Duration::hours(-1));
    server.clock.advance(TOKEN_TTL.try_into().unwrap());
    assert_eq!(sse.next().await, None);
    assert_eq!(sse.comments, ["the token was revoked"]);
    let reason = socket.next().await.unwrap_err().expect("a reason");
    assert_eq!((u16::from(reason.code), reason.reason.as_str()), (1008, "the token was revoked"));
}

#[tokio::test]
async fn database_has_no_token_in_plain_text_but_its_last_use() {
    let server = Server::start().await;
    let token = new_token(&server, "obs", Scope::Read).await;
    let used = async || {
        let rows = access_tokens::all(&mut server.pool.acquire().await.unwrap()).await.unwrap();
        rows.into_iter().find(|row| row.name == "obs").unwrap().last_used_at
    };
    let used_since = async |time: OffsetDateTime| {
        until_some("its use is noted", async || used().await.filter(|at| *at >= time)).await
    };
    assert_eq!(used().await, None);
    let before = server.clock.now();
    assert_eq!(get(&server, "/channels", Some(token.expose_secret())).await.status, 200);
    let first = used_since(before).await;
    server.clock.advance(time::Duration::minutes(2));
    assert_eq!(get(&server, "/channels", Some(token.expose_secret())).await.status, 200);
    used_since(first + time::Duration::minutes(2)).await;

    let dump: Vec<String> =
        sqlx::query_scalar("select t::text from access_token t").fetch_all(&server.pool).await.unwrap();
    assert!(dump.len() >= 2 && dump.iter().all(|row| !row.contains("showtime_")), "{dump:?}");
}

#[tokio::test]
async fn address_with_many_wrong_tokens_gets_429_except_for_valid_ones() {
    let server = Server::start().await;
    let good = new_token(&server, "good", Scope::Read).await;
    let refused = async || {
        for count in 0..200 {
            let answer = get(&server, "/channels", Some(generate().expose_secret())).await;
            match answer.status.as_u16() {
                401 => {}
                _ => return (count, answer),
            }
        }
        panic!("no request got a 429");
    };
    let (count, answer) = refused().await;
    assert!(count >= 60, "{count}");
    answer.problem(429, "too-many-failures");
    assert_eq!(answer.headers["retry-after"], "1");
    for token in [TOKEN, good.expose_secret()] {
        assert_eq!(get(&server, "/channels", Some(token)).await.status, 200);
    }
    assert_eq!(get(&server, "/livez", None).await.status, 200);
    get(&server, "/channels", None).await.problem(401, "token-missing");
    server.clock.advance(time::Duration::minutes(2));
    get(&server, "/channels", Some(generate().expose_secret())).await.problem(401, "token-invalid");
}

/// As from a program that goes on with its revoked token, behind the proxy of all others.
#[tokio::test]
async fn same_wrong_token_counts_once() {
    let server = Server::start().await;
    let wrong = generate();
    for _ in 0..200 {
        get(&server, "/channels", Some(wrong.expose_secret())).await.problem(401, "token-invalid");
    }
    get(&server, "/channels", Some(generate().expose_secret())).await.problem(401, "token-invalid");
    // It is looked up again after a while.
    let mut connection = server.pool.acquire().await.unwrap();
    let hash = TokenHash::from(&wrong);
    access_tokens::insert(&mut connection, "late", Scope::Read, hash.as_bytes(), server.clock.now()).await.unwrap();
    server.clock.advance(TOKEN_TTL.try_into().unwrap());
    assert_eq!(get(&server, "/channels", Some(wrong.expose_secret())).await.status, 200);
}

#[tokio::test]
async fn token_is_read_from_headers_alone() {
    let server = Server::start().await;
    let path = format!("/channels?token={TOKEN}");
    get(&server, &path, None).await.problem(401, "token-missing");
    get(&server, &path, Some(TOKEN)).await.problem(400, "unknown-parameter");
    for wrong in ["Basic YTpi", TOKEN] {
        let request = client().get(server.url("/channels")).header(AUTHORIZATION, wrong);
        answer(request).await.problem(401, "token-invalid");
    }
    let browser = |protocols: &str| {
        let request = client().get(server.url("/channels")).header("Upgrade", "websocket");
        answer(request.header("Sec-WebSocket-Protocol", protocols))
    };
    assert_eq!(browser(&format!("showtime, bearer.{TOKEN}")).await.status, 200);
    browser("showtime, bearer.wrong").await.problem(401, "token-invalid");
    browser("showtime").await.problem(401, "token-missing");
}

#[tokio::test]
async fn status_without_a_token_is_a_summary() {
    let server = Server::start().await;
    let summary = get(&server, "/status", None).await.json();
    let keys: Vec<_> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["is_ready", "message", "verdict"]);
    let event = with_person("broadcaster_user_", messages::CHANNEL, json!({}));
    let revoked = subscription("channel.cheer", &event).with_status("authorization_revoked");
    let revocation = Outgoing::revocation(Stamp::new(text(at(0))), &revoked);
    assert_eq!(server.deliver(&revocation).await.status, 204);
    assert!(server.json("/status").await["message"].as_str().unwrap().contains("channel.cheer"));
    let named = get(&server, "/status", None).await;
    assert!(!named.text.contains("channel.cheer") && !named.text.contains("subscription"), "{}", named.text);
    let read = new_token(&server, "reader", Scope::Read).await;
    let status = get(&server, "/status", Some(read.expose_secret())).await.json();
    assert!(status["checks"].is_array() && status["tokens"].is_array(), "{status}");
    assert_eq!(status["verdict"], summary["verdict"]);
    let overlay = new_token(&server, "overlay", Scope::Overlay).await;
    assert_eq!(get(&server, "/status", Some(overlay.expose_secret())).await.json(), summary);
    get(&server, "/status", Some("wrong")).await.problem(401, "token-invalid");
}

/// A server of this Twitch's application, which serves `channel_name`.
async fn serve(twitch: &Twitch, channel_name: &str) -> Server {
    serve_on(fresh_database().await, twitch, channel_name).await
}

async fn serve_on(database: PgConnectOptions, twitch: &Twitch, channel_name: &str) -> Server {
    Server::with(database, |config| {
        twitch.configure(config);
        config.twitch.channel_name = Some(channel_name.to_owned());
    })
    .await
}

#[tokio::test]
async fn broadcaster_of_a_served_channel_signs_in_with_twitch() {
    let twitch = Twitch::start().await;
    let server = serve(&twitch, CHANNEL).await;
    let token = twitch.consent(&["bits:read"]).await.access_token;
    let token = token.expose_secret();
    assert_eq!(get(&server, "/channels", Some(token)).await.status, 200);
    // With an admin token, since the method is refused, not the caller.
    let answer = answer(request(&server, Method::POST, "/channels", Some(token))).await;
    answer.problem(405, "method-not-allowed");
    get(&server, "/channels", Some("thirtylettersthatareunknownxxx")).await.problem(401, "token-invalid");
    let app = twitch.oauth.app_token().await.unwrap().access_token;
    get(&server, "/channels", Some(app.expose_secret())).await.problem(401, "token-invalid");

    twitch.oauth.revoke(&SecretString::from(token)).await.unwrap();
    server.clock.advance(TWITCH_TOKEN_TTL.try_into().unwrap());
    get(&server, "/channels", Some(token)).await.problem(401, "token-invalid");
}

#[tokio::test]
async fn wrong_tokens_of_others_do_not_lock_out_a_broadcaster_behind_the_same_address() {
    let twitch = Twitch::start().await;
    let server = serve(&twitch, CHANNEL).await;
    let token = twitch.consent(&["bits:read"]).await.access_token;
    assert_eq!(get(&server, "/channels", Some(token.expose_secret())).await.status, 200);
    server.clock.advance(TWITCH_TOKEN_TTL.try_into().unwrap());
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 200 {
        let wrong = format!("thirtylettersthatareunknown{:03}", statuses.len());
        statuses.push(get(&server, "/channels", Some(&wrong)).await.status.as_u16());
    }
    assert_eq!(statuses.last(), Some(&429));
    assert_eq!(get(&server, "/channels", Some(token.expose_secret())).await.status, 200);
}

/// The broadcaster of the configured channel was renamed, and another account took the login.
#[tokio::test]
async fn account_that_took_the_configured_login_is_refused() {
    let twitch = Twitch::start().await;
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    let statement = "insert into served_channel values ('611090', $1, $1, now())";
    sqlx::query(statement).bind(CHANNEL).execute(&mut connection).await.unwrap();
    let server = serve_on(database, &twitch, CHANNEL).await;
    let token = twitch.consent(&["bits:read"]).await.access_token;
    get(&server, "/channels", Some(token.expose_secret())).await.problem(401, "token-invalid");
}

#[tokio::test]
async fn broadcaster_of_another_channel_is_refused() {
    let twitch = Twitch::start().await;
    let server = serve(&twitch, "another_channel").await;
    let token = twitch.consent(&["bits:read"]).await.access_token;
    get(&server, "/channels", Some(token.expose_secret())).await.problem(401, "token-invalid");
    serve_channel(&server.pool, CHANNEL_ID, CHANNEL).await;
    assert_eq!(get(&server, "/channels", Some(token.expose_secret())).await.status, 200);

    let without_application = Server::start().await;
    let answer = get(&without_application, "/channels", Some(token.expose_secret())).await;
    answer.problem(401, "token-invalid");
}

/// A browser's preflight request for a page of this origin that sends a token.
async fn preflight(server: &Server, origin: &str, method: &str) -> HeaderMap {
    let request = client().request(Method::OPTIONS, server.url("/channels"));
    let request = request.header("Origin", origin).header("Access-Control-Request-Method", method);
    request.header("Access-Control-Request-Headers", "authorization").send().await.unwrap().headers().clone()
}

async fn allowed_origin(server: &Server, origin: &str, token: Option<&str>) -> Option<HeaderValue> {
    let request = request(server, Method::GET, "/channels", token).header("Origin", origin);
    answer(request).await.headers.get("access-control-allow-origin").cloned()
}

#[tokio::test]
async fn pages_of_other_origins_may_read_if_the_settings_say_so_and_never_more() {
    let (page, other) = ("https://overlay.example", "https://evil.example");
    let server = Server::with(fresh_database().await, |config| config.cors_origins = vec![page.to_owned()]).await;
    let headers = preflight(&server, page, "GET").await;
    assert_eq!(headers["access-control-allow-origin"], page);
    let methods = headers["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("GET") && !methods.contains("POST"), "{methods}");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    assert!(allowed.contains("authorization") && allowed.contains("last-event-id"), "{allowed}");
    for (origin, method) in [(page, "POST"), (other, "GET")] {
        let headers = preflight(&server, origin, method).await;
        assert!(headers.get("access-control-allow-methods").is_none(), "{origin} {method} {headers:?}");
    }
    // A page must be able to read why it was refused, too.
    for token in [Some(TOKEN), None] {
        assert_eq!(allowed_origin(&server, page, token).await.unwrap(), page);
        assert_eq!(allowed_origin(&server, other, token).await, None);
    }

    let all = Server::with(fresh_database().await, |config| config.cors_origins = vec!["*".to_owned()]).await;
    assert_eq!(allowed_origin(&all, other, Some(TOKEN)).await.unwrap(), "*");
    let none = Server::start().await;
    assert_eq!(allowed_origin(&none, page, Some(TOKEN)).await, None);
    assert!(preflight(&none, page, "GET").await.get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn specification_describes_the_token() {
    let spec = serde_json::to_value(api::spec()).unwrap();
    let scheme = &spec["components"]["securitySchemes"]["token"];
    assert_eq!((&scheme["type"], &scheme["scheme"]), (&Value::from("http"), &Value::from("bearer")), "{scheme}");
}
