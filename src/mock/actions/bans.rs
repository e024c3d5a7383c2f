//! Bans and timeouts (<https://dev.twitch.tv/docs/api/reference/#ban-user>).

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::caller::{Moderator, check_target, moderator, required};
use super::events::{moderator_fields, of_user};
use super::ledger::Effect;
use super::rooms::Ban;
use super::{MAX_REASON, Performed, Wrapped, body};
use crate::mock::helix::{Query, Refusal, bad_request};
use crate::mock::state::{State, rfc3339};
use crate::mock::world::World;

/// The longest timeout, in seconds: two weeks.
const MAX_TIMEOUT: i64 = 1_209_600;

const SCOPE: &str = "moderator:manage:banned_users";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/moderation/bans", web::post().to(ban)).route("/moderation/bans", web::delete().to(unban));
}

#[derive(Deserialize)]
struct NewBan {
    user_id: String,
    /// Of a timeout, in seconds.
    duration: Option<i64>,
    #[serde(default)]
    reason: String,
}

async fn ban(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "ban", |world, state, token| {
            let moderator = moderator(state, &query, token, SCOPE)?;
            let Wrapped { data: new } = body::<Wrapped<NewBan>>(&bytes)?;
            let now = world.config.clock.now();
            let ends_at = check_ban(state, &moderator, &new, now)?;
            let room = state.rooms.entry(&moderator.channel);
            room.bans.insert(new.user_id.clone(), Ban { ends_at, reason: new.reason.clone() });
            room.delete_all_of(&new.user_id);
            world.notify_ban(state, &moderator, &new, ends_at);
            let what = json!({ "user_id": new.user_id, "duration": new.duration, "reason": new.reason });
            let data = json!({
                "broadcaster_id": moderator.channel,
                "moderator_id": moderator.id,
                "user_id": new.user_id,
                "created_at": rfc3339(now),
                "end_time": ends_at.map(rfc3339),
            });
            Performed::data(Effect::new(&moderator.channel, what), data)
        })
        .await
}

/// Returns the end of a timeout.
fn check_ban(
    state: &mut State,
    moderator: &Moderator,
    new: &NewBan,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, Refusal> {
    check_target(state, moderator, &new.user_id)?;
    if new.reason.chars().count() > MAX_REASON {
        return Err(bad_request("The text in the reason field is too long."));
    }
    if new.duration.is_some_and(|duration| !(1..=MAX_TIMEOUT).contains(&duration)) {
        return Err(bad_request("The value in the duration field is out of range."));
    }
    let old = state.rooms.entry(&moderator.channel).bans.get(&new.user_id);
    if old.is_some_and(|ban| ban.ends_at.is_none()) {
        return Err(bad_request("The user specified in the user_id field is already banned."));
    }
    Ok(new.duration.map(|seconds| now + Duration::seconds(seconds)))
}

impl World {
    /// A ban also deletes what the user wrote: that is one event, not one for each message.
    fn notify_ban(
        self: &Arc<Self>,
        state: &mut State,
        moderator: &Moderator,
        new: &NewBan,
        ends_at: Option<OffsetDateTime>,
    ) {
        let (channel, user) = (&moderator.channel, Some(new.user_id.as_str()));
        let reason: Value = new.reason.as_str().into();
        let ends: Value = ends_at.map(rfc3339).into();
        let mut fields =
            vec![("reason", reason.clone()), ("is_permanent", ends_at.is_none().into()), ("ends_at", ends.clone())];
        fields.extend(moderator_fields(state, &moderator.id));
        self.happen(state, ("channel.ban", None), channel, user, &fields);
        self.happen(state, ("channel.chat.clear_user_messages", None), channel, user, &[]);
        let (action, details) = match ends_at {
            None => ("ban", of_user(state, &new.user_id, &[("reason", reason)])),
            Some(_) => ("timeout", of_user(state, &new.user_id, &[("reason", reason), ("expires_at", ends)])),
        };
        self.happen_moderation(state, moderator, action, details);
    }
}

async fn unban(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "unban", |world, state, token| {
            let moderator = moderator(state, &query, token, SCOPE)?;
            let user_id = required(&query, "user_id")?;
            let now = world.config.clock.now();
            let room = state.rooms.entry(&moderator.channel);
            let ban = room.bans.remove(user_id).filter(|ban| ban.is_on(now));
            let ban = ban.ok_or_else(|| bad_request("The user in the user_id query parameter is not banned."))?;
            let fields = moderator_fields(state, &moderator.id);
            world.happen(state, ("channel.unban", None), &moderator.channel, Some(user_id), &fields);
            let action = if ban.ends_at.is_none() { "unban" } else { "untimeout" };
            world.happen_moderation(state, &moderator, action, of_user(state, user_id, &[]));
            Performed::no_content(Effect::on_user(&moderator.channel, user_id))
        })
        .await
}
