//! EventSub subscriptions: which are allowed, their costs and limits
//! (<https://dev.twitch.tv/docs/eventsub/manage-subscriptions/>).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::{Host, Url};
use uuid::Uuid;

use super::config::MockConfig;
use super::helix::{Query, Refusal, bad_request, pagination};
use super::state::{Held, Route, State, Token, rfc3339};
use super::websocket;
use super::world::World;
use crate::twitch::catalogue::{self, Availability, SubscriptionType};
use crate::twitch::eventsub::outgoing::{Subscription, Transport};
use crate::twitch::signature::WebhookSecret;
use crate::twitch::subscription_status::SubscriptionStatus;

/// Limit of subscriptions with the same type and condition.
const MAX_ALIKE: usize = 3;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/eventsub/subscriptions")
            .route(web::get().to(list))
            .route(web::post().to(create))
            .route(web::delete().to(delete)),
    );
}

#[derive(Deserialize)]
struct CreateRequest {
    #[serde(rename = "type")]
    kind: String,
    version: String,
    condition: Map<String, Value>,
    transport: TransportRequest,
    #[serde(default)]
    is_batching_enabled: bool,
}

#[derive(Deserialize)]
struct TransportRequest {
    method: String,
    callback: Option<String>,
    secret: Option<String>,
    session_id: Option<String>,
}

async fn create(world: web::Data<World>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let world = world.into_inner();
    world.answer(&request, |state, token| {
        if state.faults.draw_subscribe_failure() {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "no subscription can be created now".to_owned()));
        }
        let wanted = serde_json::from_slice(&body).map_err(|error| bad_request(format!("invalid request: {error}")))?;
        let held = admit(&world.config, state, token, wanted, world.config.clock.now())?;
        let shown = held.shown.clone();
        state.subscriptions.push(held);
        if shown.transport.session_id().is_none() {
            world.challenge(&shown.id);
        }
        Ok(HttpResponse::Accepted().json(listing(&world.config, state, token, &[&shown])))
    })
}

async fn list(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        let query = Query::from_request(&request);
        let filters = ["status", "type", "user_id", "subscription_id"];
        let filters: Vec<_> = filters.into_iter().filter_map(|name| Some((name, query.one(name)?))).collect();
        if filters.len() > 1 {
            return Err(bad_request("only one of status, type, user_id and subscription_id can be given"));
        }
        let matches = |shown: &Subscription| {
            filters.iter().all(|(name, value)| match *name {
                "status" => shown.status.as_ref() == *value,
                "type" => shown.kind == *value,
                "user_id" => shown.names(value),
                _ => shown.id == *value,
            })
        };
        let found: Vec<_> = state.seen_by(token).map(|held| &held.shown).filter(|shown| matches(shown)).collect();
        let from = query.position()?.min(found.len());
        let to = (from + world.config.page_size).min(found.len());
        let mut answer = listing(&world.config, state, token, &found[from..to]);
        answer["total"] = found.len().into();
        answer["pagination"] = pagination(to, found.len());
        Ok(HttpResponse::Ok().json(answer))
    })
}

async fn delete(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        if state.faults.draw_unsubscribe_failure() {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "no subscription can be deleted now".to_owned()));
        }
        let query = Query::from_request(&request);
        let id = query.one("id").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| bad_request("The ID query parameter is required"))?;
        let place = state.subscriptions.iter().position(|held| held.shown.id == id && held.is_seen_by(token));
        let place = place.ok_or_else(|| (StatusCode::NOT_FOUND, "subscription not found".to_owned()))?;
        state.subscriptions.remove(place);
        Ok(HttpResponse::NoContent().finish())
    })
}

fn listing(config: &MockConfig, state: &State, token: &Token, data: &[&Subscription]) -> Value {
    json!({
        "data": data,
        "total": state.seen_by(token).count(),
        "total_cost": state.total_cost(token),
        "max_total_cost": if token.user_id.is_some() { websocket::MAX_COST } else { config.max_total_cost },
    })
}

/// Checks a request against every rule, in what seems to be Twitch's order.
fn admit(
    config: &MockConfig,
    state: &mut State,
    token: &Token,
    wanted: CreateRequest,
    now: time::OffsetDateTime,
) -> Result<Held, Refusal> {
    let kind = catalogue::find(&wanted.kind, Some(&wanted.version))
        .ok_or_else(|| bad_request("invalid subscription type and version"))?;
    if kind.status == Availability::Deprecated {
        return Err(withdrawn(kind));
    }
    let requires_user = match wanted.transport.method.as_str() {
        "webhook" => false,
        "websocket" => true,
        _ => return Err(bad_request("unsupported transport method: mock-twitch has webhook and websocket")),
    };
    if requires_user != token.user_id.is_some() {
        let kind = if requires_user { "a user" } else { "an app" };
        let text = format!("{} subscriptions require {kind} access token", wanted.transport.method);
        return Err((StatusCode::UNAUTHORIZED, text));
    }
    if kind.is_batched() != wanted.is_batching_enabled {
        return Err(bad_request("is_batching_enabled must be true for drop.entitlement.grant, and for nothing else"));
    }
    let condition = condition(config, state, kind, &wanted.condition)?;
    let mut shown = Subscription {
        id: Uuid::new_v4().to_string(),
        status: SubscriptionStatus::Enabled,
        kind: wanted.kind,
        version: wanted.version,
        condition,
        transport: Transport::websocket(wanted.transport.session_id.as_deref().unwrap_or_default()),
        created_at: rfc3339(now),
        cost: 0,
    };
    shown.cost = state.cost_of(kind, &shown);
    let route = match &token.user_id {
        Some(user_id) => {
            must_be_granted(state, kind, &shown.condition, token)?;
            let session_id = wanted.transport.session_id.unwrap_or_default();
            websocket::admit(state, kind, &mut shown, &session_id, user_id)?;
            Route::Websocket { user_id: user_id.clone() }
        }
        None => {
            let callback = callback(config, wanted.transport.callback.as_deref())?;
            let secret = WebhookSecret::new(wanted.transport.secret.as_deref().unwrap_or_default())
                .map_err(|error| bad_request(format!("the secret {error}")))?;
            must_be_granted(state, kind, &shown.condition, token)?;
            shown.status = SubscriptionStatus::WebhookCallbackVerificationPending;
            shown.transport = Transport::Webhook { callback: callback.to_string() };
            must_fit(config, state, token, &shown)?;
            let client = state.client(&callback).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error))?;
            Route::Webhook { secret, client, losses: 0 }
        }
    };
    Ok(Held { shown, route })
}

/// The answer to a request for a version that is gone, which Twitch gives in two ways: as its
/// [command-line tool](https://github.com/twitchdev/twitch-cli) does, and another for the Hype Train.
fn withdrawn(kind: &SubscriptionType) -> Refusal {
    if kind.name.starts_with("channel.hype_train.") {
        return bad_request("cannot use deprecated subscription type and version");
    }
    (StatusCode::GONE, "This subscription type is not available.".to_owned())
}

/// Parses a callback: https on port 443, or any port and scheme on this machine if the settings allow that.
fn callback(config: &MockConfig, text: Option<&str>) -> Result<Url, Refusal> {
    let text = text.filter(|text| !text.is_empty()).ok_or_else(|| bad_request("callback is required"))?;
    let url = Url::parse(text).map_err(|error| bad_request(format!("invalid callback: {error}")))?;
    let is_local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let is_allowed_as_local = config.allow_local_http && is_local && matches!(url.scheme(), "http" | "https");
    let is_public = url.scheme() == "https" && url.port().is_none() && !url.host_str().unwrap_or_default().is_empty();
    if url.fragment().is_some() || !(is_allowed_as_local || is_public) {
        return Err(bad_request("invalid callback: must be https on port 443, without a fragment"));
    }
    Ok(url)
}

/// Checks a condition: it has the fields of the type, and names users that exist.
fn condition(
    config: &MockConfig,
    state: &State,
    kind: &SubscriptionType,
    wanted: &Map<String, Value>,
) -> Result<Map<String, Value>, Refusal> {
    let mut condition = Map::new();
    for field in &kind.condition {
        let name = field.field.as_str();
        let value = wanted.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
        match value {
            None if field.required => return Err(bad_request(format!("invalid condition: {name} is required"))),
            None => continue,
            Some(id) if name.ends_with("user_id") && !state.accounts.contains_key(id) => {
                return Err(bad_request(format!("invalid condition: no user {id}")));
            }
            Some(id) if name == "client_id" && id != config.client_id => {
                return Err(bad_request("invalid condition: client_id is not the token's"));
            }
            Some(id) => condition.insert(name.to_owned(), id.into()),
        };
    }
    if condition.is_empty() || (kind.name == "channel.raid" && condition.len() != 1) {
        return Err(bad_request("invalid condition: exactly one of its fields is required"));
    }
    Ok(condition)
}

/// Checks that the user in the condition has granted the scopes of the type to the application. `channel:bot` is
/// [granted by the broadcaster](https://dev.twitch.tv/docs/eventsub/eventsub-subscription-types/#channelchatmessage). With a
/// user's token that user must be the one in the condition, the scopes are those of the token, and no bot is needed.
fn must_be_granted(
    state: &State,
    kind: &SubscriptionType,
    condition: &Map<String, Value>,
    token: &Token,
) -> Result<(), Refusal> {
    let granter = kind.scope_granted_by.as_deref().and_then(|field| condition.get(field)).and_then(Value::as_str);
    let granted = |scope: &String| {
        if let Some(user_id) = &token.user_id {
            let is_for_apps = matches!(scope.as_str(), "channel:bot" | "user:bot");
            let is_granted = granter.is_none_or(|granter| granter == user_id) && token.scopes.contains(scope);
            return is_for_apps || is_granted;
        }
        let field = if scope == "channel:bot" { Some("broadcaster_user_id") } else { kind.scope_granted_by.as_deref() };
        let granter = field.and_then(|field| condition.get(field)).and_then(Value::as_str);
        granter.and_then(|id| state.consents.get(id)).is_some_and(|granted| granted.contains(scope))
    };
    if kind.scopes.iter().all(|alternatives| alternatives.iter().any(granted)) {
        return Ok(());
    }
    Err((StatusCode::FORBIDDEN, "subscription missing proper authorization".to_owned()))
}

/// Checks limits and duplicates. Ended subscriptions don't count: a new one can be created beside them.
fn must_fit(config: &MockConfig, state: &State, app: &Token, new: &Subscription) -> Result<(), Refusal> {
    let alive = state.seen_by(app).map(|held| &held.shown).filter(|shown| shown.status.is_alive());
    let alike: Vec<_> = alive.filter(|old| (&old.kind, &old.condition) == (&new.kind, &new.condition)).collect();
    if alike.iter().any(|old| old.transport == new.transport && old.version == new.version) {
        return Err((StatusCode::CONFLICT, "subscription already exists".to_owned()));
    }
    let exceeded = |what: &str| Err((StatusCode::TOO_MANY_REQUESTS, format!("maximum {what} exceeded")));
    if alike.len() >= MAX_ALIKE {
        return exceeded("subscriptions with type and condition");
    }
    if state.total_cost(app) + new.cost > config.max_total_cost || state.subscriptions.len() >= super::state::MAX_HELD {
        return exceeded("total cost");
    }
    Ok(())
}

impl Subscription {
    /// Whether its condition names this user.
    pub(super) fn names(&self, user_id: &str) -> bool {
        self.condition.iter().any(|(field, value)| field.ends_with("user_id") && value == user_id)
    }
}

impl Held {
    /// Whether Helix shows it: with the application's token all over webhooks, with a user's token those that the user
    /// created.
    fn is_seen_by(&self, token: &Token) -> bool {
        self.user_id() == token.user_id.as_deref()
    }
}

impl State {
    fn seen_by<'a>(&'a self, token: &'a Token) -> impl Iterator<Item = &'a Held> {
        self.subscriptions.iter().filter(|held| held.is_seen_by(token))
    }

    /// The subscriptions that a user created over WebSockets.
    pub(super) fn of_user<'a>(&'a self, user_id: &'a str) -> impl Iterator<Item = &'a Held> {
        self.subscriptions.iter().filter(move |held| held.user_id() == Some(user_id))
    }

    fn total_cost(&self, token: &Token) -> u32 {
        self.seen_by(token)
            .map(|held| &held.shown)
            .filter(|shown| shown.status.is_alive())
            .map(|shown| shown.cost)
            .sum()
    }

    /// The cost of a subscription: 0 if its type requires consent, or if all users that it names have consented to any scope
    /// (<https://dev.twitch.tv/docs/eventsub/manage-subscriptions/#subscription-limits>).
    fn cost_of(&self, kind: &SubscriptionType, shown: &Subscription) -> u32 {
        let is_stranger = |id: &Value| id.as_str().is_some_and(|id| !self.consents.contains_key(id));
        let mut named = shown.condition.iter().filter(|(field, _)| field.ends_with("user_id"));
        u32::from(kind.scopes.is_empty() && named.any(|(_, id)| is_stranger(id)))
    }

    /// Sets the cost of all subscriptions about a user to 0, after the user has consented.
    pub(super) fn make_free(&mut self, user_id: &str) {
        for held in self.subscriptions.iter_mut().filter(|held| held.shown.names(user_id)) {
            held.shown.cost = 0;
        }
    }
}

impl World {
    /// Ends a subscription with this status and notifies its callback.
    pub(super) fn end(self: &Arc<Self>, state: &mut State, id: &str, status: SubscriptionStatus) {
        let Some(held) = state.subscription_mut(id).filter(|held| held.shown.status.is_alive()) else { return };
        held.shown.status = status;
        let shown = held.shown.clone();
        self.revocation(state, &shown);
    }
}
