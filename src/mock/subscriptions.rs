//! Helix' EventSub subscriptions over webhooks: what may be subscribed to, what it costs, the
//! limits (helix.md "EventSub subscriptions", webhook.md §6 to §8).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::{Host, Url};
use uuid::Uuid;

use super::helix::{Query, Refused, bad_request, pagination};
use super::state::{Held, State, Token};
use super::{MockConfig, World};
use crate::twitch::catalogue::{self, Availability, SubscriptionType};
use crate::twitch::eventsub::outgoing::{Subscription, Transport};
use crate::twitch::signature::WebhookSecret;

/// How many subscriptions may have the same type and condition.
const MAX_ALIKE: usize = 3;

/// Delivers.
pub(super) const ENABLED: &str = "enabled";

/// The challenge is under way.
pub(super) const PENDING: &str = "webhook_callback_verification_pending";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/eventsub/subscriptions")
            .route(web::get().to(list))
            .route(web::post().to(create))
            .route(web::delete().to(delete)),
    );
}

#[derive(Deserialize)]
struct Wish {
    #[serde(rename = "type")]
    kind: String,
    version: String,
    condition: Map<String, Value>,
    transport: TransportWish,
    #[serde(default)]
    is_batching_enabled: bool,
}

#[derive(Deserialize)]
struct TransportWish {
    method: String,
    callback: Option<String>,
    secret: Option<String>,
}

async fn create(world: web::Data<World>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let world = world.into_inner();
    world.answer(&request, |state, token| {
        must_be_app(token)?;
        let wish = serde_json::from_slice(&body).map_err(|error| bad_request(format!("invalid request: {error}")))?;
        let held = admit(&world.config, state, wish, world.config.clock.now())?;
        let shown = held.shown.clone();
        state.subscriptions.push(held);
        world.challenge(&shown.id);
        Ok(HttpResponse::Accepted().json(listing(&world.config, state, &[&shown])))
    })
}

async fn list(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        must_be_app(token)?;
        let query = Query::of(&request);
        let filters = ["status", "type", "user_id", "subscription_id"];
        let filters: Vec<_> = filters.into_iter().filter_map(|name| Some((name, query.one(name)?))).collect();
        if filters.len() > 1 {
            return Err(bad_request("only one of status, type, user_id and subscription_id can be given"));
        }
        let is_wanted = |shown: &Subscription| {
            filters.iter().all(|(name, value)| match *name {
                "status" => shown.status == *value,
                "type" => shown.kind == *value,
                "user_id" => shown.names(value),
                _ => shown.id == *value,
            })
        };
        let wanted: Vec<_> =
            state.subscriptions.iter().map(|held| &held.shown).filter(|shown| is_wanted(shown)).collect();
        let from = query.position()?.min(wanted.len());
        let to = (from + world.config.page_size).min(wanted.len());
        let mut answer = listing(&world.config, state, &wanted[from..to]);
        answer["total"] = wanted.len().into();
        answer["pagination"] = pagination(to, wanted.len());
        Ok(HttpResponse::Ok().json(answer))
    })
}

async fn delete(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        must_be_app(token)?;
        let query = Query::of(&request);
        let id = query.one("id").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| bad_request("The ID query parameter is required"))?;
        let place = state.subscriptions.iter().position(|held| held.shown.id == id);
        let place = place.ok_or_else(|| (StatusCode::NOT_FOUND, "subscription not found".to_owned()))?;
        state.subscriptions.remove(place);
        Ok(HttpResponse::NoContent().finish())
    })
}

fn must_be_app(token: &Token) -> Result<(), Refused> {
    match token.user_id {
        None => Ok(()),
        Some(_) => Err((StatusCode::UNAUTHORIZED, "webhook subscriptions require an app access token".to_owned())),
    }
}

fn listing(config: &MockConfig, state: &State, data: &[&Subscription]) -> Value {
    json!({
        "data": data,
        "total": state.subscriptions.len(),
        "total_cost": state.total_cost(),
        "max_total_cost": config.max_total_cost,
    })
}

/// Checks a wish against every rule, in the order in which Twitch seems to.
fn admit(config: &MockConfig, state: &mut State, wish: Wish, now: time::OffsetDateTime) -> Result<Held, Refused> {
    let kind = catalogue::find(&wish.kind, Some(&wish.version))
        .filter(|kind| kind.status != Availability::Deprecated)
        .ok_or_else(|| bad_request("invalid subscription type and version"))?;
    if wish.transport.method != "webhook" {
        return Err(bad_request("unsupported transport method: mock-twitch delivers over webhooks only"));
    }
    if kind.is_batched() != wish.is_batching_enabled {
        return Err(bad_request("is_batching_enabled must be true for drop.entitlement.grant, and for nothing else"));
    }
    let callback = callback(config, wish.transport.callback.as_deref())?;
    let secret = WebhookSecret::new(wish.transport.secret.as_deref().unwrap_or_default())
        .map_err(|error| bad_request(format!("the secret {error}")))?;
    let condition = condition(config, state, kind, &wish.condition)?;
    must_be_granted(state, kind, &condition)?;
    let transport = Transport { method: "webhook".to_owned(), callback: callback.to_string() };
    let mut shown = Subscription {
        id: Uuid::new_v4().to_string(),
        status: PENDING.to_owned(),
        kind: wish.kind,
        version: wish.version,
        condition,
        transport,
        created_at: super::scenario::rfc3339(now),
        cost: 0,
    };
    shown.cost = state.cost_of(kind, &shown);
    must_fit(config, state, &shown)?;
    let sender = state.sender(&callback).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error))?;
    Ok(Held { shown, secret, sender, losses: 0 })
}

/// https on its own port (webhook.md §6), or on this machine whatever it likes if that is allowed.
fn callback(config: &MockConfig, text: Option<&str>) -> Result<Url, Refused> {
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

/// The fields that the type has, which must name users that exist.
fn condition(
    config: &MockConfig,
    state: &State,
    kind: &SubscriptionType,
    wished: &Map<String, Value>,
) -> Result<Map<String, Value>, Refused> {
    let mut condition = Map::new();
    for field in &kind.condition {
        let name = field.field.as_str();
        let value = wished.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
        match value {
            None if field.required => return Err(bad_request(format!("invalid condition: {name} is required"))),
            None => continue,
            Some(id) if name.ends_with("user_id") && !state.accounts.contains_key(id) => {
                return Err(bad_request(format!("invalid condition: there is no user {id}")));
            }
            Some(id) if name == "client_id" && id != config.client_id => {
                return Err(bad_request("invalid condition: client_id is not that of the token"));
            }
            Some(id) => condition.insert(name.to_owned(), id.into()),
        };
    }
    if condition.is_empty() || (kind.name == "channel.raid" && condition.len() != 1) {
        return Err(bad_request("invalid condition: exactly one of its fields is required"));
    }
    Ok(condition)
}

/// An app token may subscribe to what the user in the condition has granted to the application.
fn must_be_granted(state: &State, kind: &SubscriptionType, condition: &Map<String, Value>) -> Result<(), Refused> {
    let granter = kind.scope_granted_by.as_ref().and_then(|field| condition.get(field)).and_then(Value::as_str);
    let granted = granter.and_then(|id| state.consents.get(id));
    let has = |scope: &String| granted.is_some_and(|granted| granted.contains(scope));
    if kind.scopes.iter().all(|alternatives| alternatives.iter().any(has)) {
        return Ok(());
    }
    Err((StatusCode::FORBIDDEN, "subscription missing proper authorization".to_owned()))
}

/// Only living subscriptions stand in the way: a dead one can be made anew beside its remains.
fn must_fit(config: &MockConfig, state: &State, new: &Subscription) -> Result<(), Refused> {
    let living = state.subscriptions.iter().map(|held| &held.shown).filter(|shown| shown.is_alive());
    let alike: Vec<_> = living.filter(|old| (&old.kind, &old.condition) == (&new.kind, &new.condition)).collect();
    if alike.iter().any(|old| old.transport.callback == new.transport.callback && old.version == new.version) {
        return Err((StatusCode::CONFLICT, "subscription already exists".to_owned()));
    }
    let over = |what: &str| Err((StatusCode::TOO_MANY_REQUESTS, format!("maximum {what} exceeded")));
    if alike.len() >= MAX_ALIKE {
        return over("subscriptions with type and condition");
    }
    if state.total_cost() + new.cost > config.max_total_cost || state.subscriptions.len() >= super::state::MAX_HELD {
        return over("total cost");
    }
    Ok(())
}

impl Subscription {
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.status.as_str(), ENABLED | PENDING)
    }

    /// Whether its condition is about this user.
    pub(super) fn names(&self, user_id: &str) -> bool {
        self.condition.iter().any(|(field, value)| field.ends_with("user_id") && value == user_id)
    }
}

impl State {
    fn total_cost(&self) -> u32 {
        self.subscriptions.iter().map(|held| &held.shown).filter(|shown| shown.is_alive()).map(|shown| shown.cost).sum()
    }

    /// Nothing if somebody's consent is needed, nobody is named, or all who are have consented to
    /// something, whatever it was (webhook.md §8).
    fn cost_of(&self, kind: &SubscriptionType, shown: &Subscription) -> u32 {
        let is_stranger = |id: &Value| id.as_str().is_some_and(|id| !self.consents.contains_key(id));
        let mut named = shown.condition.iter().filter(|(field, _)| field.ends_with("user_id"));
        u32::from(kind.scopes.is_empty() && named.any(|(_, id)| is_stranger(id)))
    }

    /// Once somebody has consented, what is about them costs nothing.
    pub(super) fn make_free(&mut self, user_id: &str) {
        for held in self.subscriptions.iter_mut().filter(|held| held.shown.names(user_id)) {
            held.shown.cost = 0;
        }
    }
}

impl World {
    /// Ends a subscription with this status, and tells its callback.
    pub(super) fn end(self: &Arc<Self>, state: &mut State, id: &str, status: &str) {
        let Some(held) = state.subscription_mut(id).filter(|held| held.shown.is_alive()) else { return };
        status.clone_into(&mut held.shown.status);
        let shown = held.shown.clone();
        self.revocation(state, &shown);
    }
}
