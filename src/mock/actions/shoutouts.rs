//! Shoutouts (<https://dev.twitch.tv/docs/api/reference/#send-a-shoutout>).

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use time::Duration;

use super::Performed;
use super::caller::{channel, is_live, moderator_of, required};
use super::events::moderator_fields;
use super::ledger::Effect;
use super::limits::Limit;
use crate::mock::helix::{Query, bad_request};
use crate::mock::state::rfc3339;
use crate::mock::world::World;

const PAUSE: Duration = Duration::minutes(2);
const TARGET_PAUSE: Duration = Duration::HOUR;
const SHOUTOUTS: Limit = Limit::new("1 shoutout in 2 minutes", 1, PAUSE);
const SAME_TARGET: Limit = Limit::new("1 shoutout to the same broadcaster in 60 minutes", 1, TARGET_PAUSE);

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/chat/shoutouts", web::post().to(shoutout));
}

async fn shoutout(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "shoutout", |world, state, token| {
            let scope = "moderator:manage:shoutouts";
            let moderator = moderator_of("from_broadcaster_id", state, &query, token, scope)?;
            let target = channel(state, required(&query, "to_broadcaster_id")?, "to_broadcaster_id")?;
            if target == moderator.channel {
                return Err(bad_request("The broadcaster may not give themselves a Shoutout."));
            }
            if !is_live(state, &moderator.channel) {
                return Err(bad_request("The broadcaster is not streaming live or does not have one or more viewers."));
            }
            let now = world.config.clock.now();
            let pair = format!("{} {target}", moderator.channel);
            state.rooms.windows.take_all(&[(SAME_TARGET, &pair), (SHOUTOUTS, &moderator.channel)], now)?;
            let mut fields = moderator_fields(state, &moderator.id);
            fields.push(("cooldown_ends_at", rfc3339(now + PAUSE).into()));
            fields.push(("target_cooldown_ends_at", rfc3339(now + TARGET_PAUSE).into()));
            let kind = ("channel.shoutout.create", None);
            world.happen(state, kind, &moderator.channel, Some(&target), &fields);
            world.happen(state, ("channel.shoutout.receive", None), &target, Some(&moderator.channel), &[]);
            Performed::no_content(Effect::new(&moderator.channel, json!({ "to_broadcaster_id": target })))
        })
        .await
}
