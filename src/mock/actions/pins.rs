//! Pinned messages (`/chat/pins`).

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::Performed;
use super::caller::{moderator, not_found, required};
use super::ledger::Effect;
use crate::mock::helix::{Query, bad_request};
use crate::mock::world::World;

const SCOPE: &str = "moderator:manage:chat_messages";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/chat/pins", web::get().to(pinned))
        .route("/chat/pins", web::put().to(pin))
        .route("/chat/pins", web::delete().to(unpin));
}

async fn pinned(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        let moderator = moderator(state, &Query::from_request(&request), token, SCOPE)?;
        let pinned = state.rooms.entry(&moderator.channel).pinned.clone();
        let data: Vec<Value> = pinned.into_iter().map(|id| json!({ "message_id": id })).collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data })))
    })
}

async fn pin(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "pin", |_, state, token| {
            let moderator = moderator(state, &query, token, SCOPE)?;
            let id = required(&query, "message_id")?;
            let seconds = query.one("duration_seconds").map(str::parse::<u32>).transpose();
            if !seconds.is_ok_and(|seconds| seconds.is_none_or(|seconds| (30..=1800).contains(&seconds))) {
                return Err(bad_request("The parameter \"duration_seconds\" must be from 30 to 1800."));
            }
            let room = state.rooms.entry(&moderator.channel);
            if room.message(id).is_none() {
                return Err(not_found("The message was not found."));
            }
            room.pinned = Some(id.to_owned());
            Performed::no_content(Effect::new(&moderator.channel, json!({ "message_id": id })))
        })
        .await
}

async fn unpin(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "unpin", |_, state, token| {
            let moderator = moderator(state, &query, token, SCOPE)?;
            let pinned = state.rooms.entry(&moderator.channel).pinned.take();
            let id = pinned.ok_or_else(|| not_found("No message is pinned."))?;
            Performed::no_content(Effect::new(&moderator.channel, json!({ "message_id": id })))
        })
        .await
}
