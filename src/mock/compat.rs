//! The addresses of [twitch-cli](https://dev.twitch.tv/docs/cli/)'s mock servers, for clients that are set up for it:
//! `/eventsub/subscriptions` requires no token, `/mock/…` is Helix without a token, `/auth/…` the login server.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::header::AUTHORIZATION;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::actions;
use super::helix::{self, Query, Refusal, bad_request, error_answer};
use super::oauth;
use super::pictures;
use super::state::{Held, Route, State, Token, rfc3339};
use super::websocket;
use super::world::World;
use crate::twitch::catalogue::{self, Availability};
use crate::twitch::eventsub::outgoing::Subscription;
use crate::twitch::subscription_status::SubscriptionStatus;

/// Subscriptions that a session may have.
const MAX_OF_SESSION: usize = 100;

/// The limits that answers tell: calls, and what subscriptions cost.
const CALLS: u32 = 800;
const MAX_COST: u32 = 10;

/// How the addresses begin that [`is_action`] knows.
const ACTIONS: [&str; 11] = [
    "authorization/",
    "bits/",
    "channels/commercial",
    "channels/vips",
    "chat/",
    "clips",
    "games",
    "moderation/",
    "search/",
    "streams/markers",
    "whispers",
];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    for path in ["/eventsub/subscriptions", "/mock/eventsub/subscriptions"] {
        cfg.service(
            web::resource(path)
                .route(web::get().to(list))
                .route(web::post().to(create))
                .route(web::delete().to(delete))
                .route(web::method(Method::OPTIONS).to(options)),
        );
    }
    cfg.service(web::scope("/mock").guard(fn_guard(is_action)).configure(actions::routes).configure(pictures::routes));
    cfg.route("/mock/users", web::get().to(helix::users))
        .route("/mock/streams", web::get().to(helix::streams))
        .route("/mock/channels", web::get().to(helix::channels))
        .route("/auth/authorize", web::get().to(oauth::authorize))
        .route("/auth/authorize", web::post().to(authorize))
        .route("/auth/token", web::post().to(oauth::token))
        .route("/auth/validate", web::get().to(oauth::validate))
        .route("/auth/revoke", web::post().to(oauth::revoke));
}

/// Whether it is one of the calls of Helix that change something, or look up what for. Others under `/mock` are of the control API.
fn is_action(context: &GuardContext<'_>) -> bool {
    let head = context.head();
    let call = head.uri.path().strip_prefix("/mock/").unwrap_or_default();
    ACTIONS.iter().any(|prefix| call.starts_with(prefix)) || (call == "channels" && head.method == Method::PATCH)
}

/// What is to be subscribed to. What is missing is empty.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    r#type: String,
    version: String,
    condition: BTreeMap<String, String>,
    transport: WantedTransport,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WantedTransport {
    method: String,
    session_id: String,
}

async fn create(world: web::Data<World>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let mut state = world.state();
    match admit(&world, &mut state, &request, &body) {
        Ok(shown) => answer(&world, StatusCode::ACCEPTED).json(json!({
            "data": [shown],
            "total": 0,
            "max_total_cost": MAX_COST,
            "total_cost": 0,
        })),
        Err(refusal) => refuse(&world, &refusal),
    }
}

/// Checks a request in twitch-cli's order.
fn admit(world: &World, state: &mut State, request: &HttpRequest, body: &[u8]) -> Result<Subscription, Refusal> {
    if state.faults.draw_subscribe_failure() {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "no subscription can be created now".to_owned()));
    }
    let wanted: Wanted = serde_json::from_slice(body).map_err(|_| bad_request("error validating json"))?;
    require_client_id(request)?;
    let is_websocket = wanted.transport.method.eq_ignore_ascii_case("websocket");
    let session_id = wanted.transport.session_id;
    let fields = [
        ("method", is_websocket),
        ("session_id", !session_id.is_empty()),
        ("type", !wanted.r#type.is_empty()),
        ("version", !wanted.version.is_empty()),
    ];
    if let Some((field, _)) = fields.iter().find(|(_, is_valid)| !is_valid) {
        return Err(bad_request(format!("The value specified in the '{field}' field is not valid")));
    }
    let kind = catalogue::find(&wanted.r#type, Some(&wanted.version));
    if kind.is_some_and(|kind| kind.status == Availability::Deprecated) {
        return Err((StatusCode::GONE, "This subscription type is not available.".to_owned()));
    }
    kind.filter(|kind| kind.transports.iter().any(|transport| transport == "websocket"))
        .ok_or_else(|| bad_request("The combination of values in the type and version fields is not valid"))?;
    let transport = websocket::transport(state, &session_id).ok_or_else(|| bad_request("non-existent session_id"))?;
    let shown = Subscription {
        id: Uuid::new_v4().to_string(),
        status: SubscriptionStatus::Enabled,
        kind: wanted.r#type,
        version: wanted.version,
        condition: wanted.condition.into_iter().map(|(field, value)| (field, value.into())).collect(),
        transport,
        created_at: rfc3339(world.config.clock.now()),
        cost: 0,
    };
    must_fit(state, &shown, &session_id)?;
    websocket::use_session(state, &session_id);
    let user_id = user_of(world, state, request).unwrap_or_default();
    state.subscriptions.push(Held { shown: shown.clone(), route: Route::Websocket { user_id } });
    Ok(shown)
}

fn must_fit(state: &State, new: &Subscription, session_id: &str) -> Result<(), Refusal> {
    let shown = state.subscriptions.iter().map(|held| &held.shown);
    let alive = shown.filter(|old| old.status.is_alive() && old.transport.session_id() == Some(session_id));
    let alive: Vec<_> = alive.collect();
    let key = |shown: &Subscription| (shown.kind.clone(), shown.version.clone(), shown.condition.clone());
    if alive.iter().any(|old| key(old) == key(new)) {
        let text =
            "Subscription by the specified type and version combination for the specified Client ID already exists";
        return Err((StatusCode::CONFLICT, text.to_owned()));
    }
    if alive.len() >= MAX_OF_SESSION {
        let text = format!("You may only create {MAX_OF_SESSION} subscriptions within a single WebSocket connection");
        return Err(bad_request(text));
    }
    Ok(())
}

/// The user of the token, if there is one.
fn user_of(world: &World, state: &State, request: &HttpRequest) -> Option<String> {
    let text = request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let token = state.access_tokens.get(text).filter(|token| token.is_alive(world.config.clock.now()))?;
    token.user_id.clone()
}

async fn list(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    if let Err(refusal) = require_client_id(&request) {
        return refuse(&world, &refusal);
    }
    let state = world.state();
    let shown = state.subscriptions.iter().map(|held| &held.shown);
    let data: Vec<_> = shown.filter(|shown| shown.transport.session_id().is_some()).collect();
    answer(&world, StatusCode::OK).json(json!({
        "total": data.len(),
        "total_cost": 0,
        "max_total_cost": MAX_COST,
        "pagination": {},
        "data": data,
    }))
}

async fn delete(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    if let Err(refusal) = require_client_id(&request) {
        return refuse(&world, &refusal);
    }
    let query = Query::from_request(&request);
    let Some(id) = query.one("id").filter(|id| !id.is_empty()) else {
        return refuse(&world, &bad_request("The id query parameter is required"));
    };
    let mut state = world.state();
    let is_it = |held: &Held| held.shown.id == id && held.shown.transport.session_id().is_some();
    let Some(place) = state.subscriptions.iter().position(is_it) else {
        return answer(&world, StatusCode::NOT_FOUND).finish();
    };
    state.subscriptions.remove(place);
    answer(&world, StatusCode::NO_CONTENT).finish()
}

async fn options() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Access-Control-Allow-Headers", "*"))
        .insert_header(("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"))
        .insert_header(("Access-Control-Allow-Origin", "*"))
        .insert_header(("Access-Control-Max-Age", "600"))
        .finish()
}

fn require_client_id(request: &HttpRequest) -> Result<(), Refusal> {
    let unauthorized = || (StatusCode::UNAUTHORIZED, "Client-Id header required".to_owned());
    request.headers().get("Client-Id").map(|_| ()).ok_or_else(unauthorized)
}

/// Twitch-cli says 401 in the body of an answer that is 400.
fn refuse(world: &World, (status, message): &Refusal) -> HttpResponse {
    let sent = if *status == StatusCode::UNAUTHORIZED { StatusCode::BAD_REQUEST } else { *status };
    let error = status.canonical_reason().unwrap_or("Error");
    answer(world, sent).json(json!({ "error": error, "message": message, "status": status.as_u16() }))
}

/// An answer with the headers of all of them. twurple makes no second call without those of the rate limit.
fn answer(world: &World, status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    let reset = world.config.clock.now().unix_timestamp() + 1;
    for (name, value) in [("limit", i64::from(CALLS)), ("remaining", i64::from(CALLS) - 1), ("reset", reset)] {
        answer.insert_header((format!("ratelimit-{name}"), value));
    }
    answer.insert_header(("Access-Control-Allow-Origin", "*")).content_type("application/json; charset=utf-8");
    answer
}

/// Grants a user's token at once (`grant_type=user_token`, with `user_id` and `scope`).
async fn authorize(world: web::Data<World>, request: HttpRequest, form: web::Bytes) -> HttpResponse {
    let fields = oauth::fields(&request, &form);
    let mut state = world.state();
    match grant(&world, &mut state, &fields) {
        Ok(answer) => HttpResponse::Ok().json(answer),
        Err((status, message)) => error_answer(status, &message),
    }
}

fn grant(world: &World, state: &mut State, fields: &oauth::Fields) -> Result<Value, Refusal> {
    oauth::check_client(world, fields)?;
    let get = |name: &str| fields.get(name).map_or("", String::as_str);
    if get("grant_type") != "user_token" {
        return Err(bad_request("invalid grant type"));
    }
    let user_id = get("user_id").to_owned();
    if !state.accounts.contains_key(&user_id) {
        return Err((StatusCode::BAD_REQUEST, format!("there is no user {user_id}")));
    }
    let scopes: BTreeSet<_> = get("scope").split_whitespace().map(str::to_owned).collect();
    state.consents.entry(user_id.clone()).or_default().extend(scopes.iter().cloned());
    state.make_free(&user_id);
    let token = Token { user_id: Some(user_id), scopes, expires_at: None };
    let refresh_token = state.new_refresh_token(token.clone());
    Ok(oauth::user_token(world, state, token, &refresh_token))
}
