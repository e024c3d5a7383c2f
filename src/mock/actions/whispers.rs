//! Whispers (<https://dev.twitch.tv/docs/api/reference/#send-whisper>).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use time::Duration;

use super::caller::{named_user, not_found, required};
use super::ledger::Effect;
use super::limits::Limit;
use super::{Performed, body, cut};
use crate::mock::helix::{Query, bad_request};
use crate::mock::world::World;

/// The longest whisper to a user who was never whispered to, in characters.
const MAX_FIRST: usize = 500;

/// The longest other whisper, in characters.
const MAX_MESSAGE: usize = 10_000;

const PER_SECOND: Limit = Limit::new("3 whispers per second", 3, Duration::SECOND);
const PER_MINUTE: Limit = Limit::new("100 whispers per minute", 100, Duration::MINUTE);
const NEW_PER_DAY: Limit = Limit::new("40 new recipients per day", 40, Duration::DAY);

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/whispers", web::post().to(whisper));
}

#[derive(Deserialize)]
struct Whisper {
    message: String,
}

async fn whisper(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "whisper", |world, state, token| {
            let from = named_user(&query, token, "from_user_id", "user:manage:whispers")?;
            let to = required(&query, "to_user_id")?.to_owned();
            let Whisper { message } = body(&bytes)?;
            if message.is_empty() || to == from {
                return Err(bad_request("The message must not be empty, and the user must be another one."));
            }
            if !state.accounts.contains_key(&to) {
                return Err(not_found("The ID in to_user_id was not found."));
            }
            let now = world.config.clock.now();
            let is_first = !state.rooms.has_whispered(&from, &to);
            let limits = [(PER_SECOND, from.as_str()), (PER_MINUTE, &from), (NEW_PER_DAY, &from)];
            state.rooms.windows.take_all(if is_first { &limits } else { &limits[..2] }, now)?;
            // Twitch answers 204 also if it does not deliver.
            if state.faults.draw_dropped_message() {
                return Performed::no_content(Effect::new(&from, json!({ "to_user_id": to, "dropped": true })));
            }
            state.rooms.add_whisper(&from, &to);
            let message = if is_first { cut(&message, MAX_FIRST) } else { cut(&message, MAX_MESSAGE) };
            let fields = [("whisper", json!({ "text": message }))];
            world.happen(state, ("user.whisper.message", None), &to, Some(&from), &fields);
            Performed::no_content(Effect::new(&from, json!({ "to_user_id": to, "text": message })))
        })
        .await
}
