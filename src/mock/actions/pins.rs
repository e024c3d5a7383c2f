//! Pinned messages (`/chat/pins`).

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::Performed;
use super::caller::{moderator, not_found, required};
use super::ledger::Effect;
use super::rooms::Pin;
use crate::mock::helix::{Query, Refusal, bad_request};
use crate::mock::world::World;

const SCOPE: &str = "moderator:manage:chat_messages";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/chat/pins", web::get().to(pinned))
        .route("/chat/pins", web::put().to(pin))
        .route("/chat/pins", web::patch().to(change))
        .route("/chat/pins", web::delete().to(unpin));
}

async fn pinned(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        let moderator = moderator(state, &Query::from_request(&request), token, SCOPE)?;
        let pin = state.rooms.entry(&moderator.channel).pin(world.config.clock.now());
        let data: Vec<Value> = pin.map(|pin| json!(pin)).into_iter().collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data })))
    })
}

/// When a pin of `duration_seconds` ends.
fn end(query: &Query, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, Refusal> {
    let Some(seconds) = query.one("duration_seconds") else { return Ok(None) };
    let seconds = seconds.parse().ok().filter(|seconds| (30..=1800).contains(seconds));
    let seconds = seconds.ok_or_else(|| bad_request("The parameter \"duration_seconds\" must be from 30 to 1800."))?;
    Ok(Some(now + Duration::seconds(seconds)))
}

async fn pin(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "pin", |world, state, token| {
            let moderator = moderator(state, &query, token, SCOPE)?;
            let id = required(&query, "message_id")?;
            let ends_at = end(&query, world.config.clock.now())?;
            let room = state.rooms.entry(&moderator.channel);
            room.message(id).ok_or_else(|| not_found("The message was not found."))?;
            room.pinned = Some(Pin { message_id: id.to_owned(), ends_at });
            Performed::no_content(Effect::new(&moderator.channel, json!({ "message_id": id })))
        })
        .await
}

/// Changes how long the message stays pinned.
async fn change(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "pin", |world, state, token| {
            let moderator = moderator(state, &query, token, SCOPE)?;
            let id = required(&query, "message_id")?;
            let ends_at = end(&query, world.config.clock.now())?;
            let pinned = state.rooms.entry(&moderator.channel).pinned.as_mut().filter(|pin| pin.message_id == id);
            pinned.ok_or_else(|| not_found("The message is not pinned."))?.ends_at = ends_at;
            Performed::no_content(Effect::new(&moderator.channel, json!({ "message_id": id })))
        })
        .await
}

async fn unpin(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "unpin", |world, state, token| {
            let moderator = moderator(state, &query, token, SCOPE)?;
            let room = state.rooms.entry(&moderator.channel);
            let id = room.pin(world.config.clock.now()).map(|pin| pin.message_id.clone());
            room.pinned = None;
            let id = id.ok_or_else(|| not_found("No message is pinned."))?;
            Performed::no_content(Effect::new(&moderator.channel, json!({ "message_id": id })))
        })
        .await
}
