//! Bans, timeouts, warnings, deleted messages and the shield mode
//! (<https://dev.twitch.tv/docs/api/reference/#ban-user>).

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::caller::{Moderator, moderator, not_found, required};
use super::ledger::Effect;
use super::rooms::Ban;
use super::{Performed, body};
use crate::mock::helix::{Query, Refusal, bad_request};
use crate::mock::state::{State, rfc3339};
use crate::mock::world::World;

/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// The longest timeout, in seconds: two weeks.
const MAX_TIMEOUT: i64 = 1_209_600;

/// A message that is older can't be deleted.
const MAX_AGE: Duration = Duration::hours(6);

const BANS: &str = "moderator:manage:banned_users";
const MESSAGES: &str = "moderator:manage:chat_messages";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/moderation/bans", web::post().to(ban))
        .route("/moderation/bans", web::delete().to(unban))
        .route("/moderation/chat", web::delete().to(delete))
        .route("/moderation/warnings", web::post().to(warn))
        .route("/moderation/shield_mode", web::put().to(shield));
}

/// Twitch wraps the body in `data`.
#[derive(Deserialize)]
struct Wrapped<T> {
    data: T,
}

#[derive(Deserialize)]
struct NewBan {
    user_id: String,
    duration: Option<i64>,
    #[serde(default)]
    reason: String,
}

async fn ban(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "ban", |world, state, token| {
            let moderator = moderator(state, &query, token, BANS)?;
            let Wrapped { data: new } = body::<Wrapped<NewBan>>(&bytes)?;
            let now = world.config.clock.now();
            let ends_at = check_ban(state, &moderator, &new, now)?;
            let ban = Ban { ends_at, reason: new.reason.clone() };
            state.rooms.entry(&moderator.channel).bans.insert(new.user_id.clone(), ban);
            world.notify_ban(state, &moderator, &new, ends_at);
            let ends = ends_at.map(rfc3339);
            let what = json!({ "user_id": new.user_id, "duration": new.duration, "reason": new.reason });
            let data = json!({
                "broadcaster_id": moderator.channel,
                "moderator_id": moderator.id,
                "user_id": new.user_id,
                "created_at": rfc3339(now),
                "end_time": ends,
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

/// The broadcaster and moderators can't be moderated by another moderator.
fn check_target(state: &State, moderator: &Moderator, user_id: &str) -> Result<(), Refusal> {
    if !state.accounts.contains_key(user_id) {
        return Err(bad_request("The ID in the user_id field is not valid."));
    }
    let is_protected = state.rooms.is_moderator(&moderator.channel, user_id) && moderator.id != moderator.channel;
    if user_id == moderator.channel || is_protected {
        return Err(bad_request("The user specified in the user_id field may not be banned."));
    }
    Ok(())
}

impl World {
    fn notify_ban(
        self: &Arc<Self>,
        state: &mut State,
        moderator: &Moderator,
        new: &NewBan,
        ends_at: Option<OffsetDateTime>,
    ) {
        let mut fields = vec![
            ("reason", new.reason.as_str().into()),
            ("is_permanent", ends_at.is_none().into()),
            ("ends_at", ends_at.map(rfc3339).into()),
        ];
        fields.extend(moderator_fields(state, moderator));
        self.happen(state, ("channel.ban", None), &moderator.channel, Some(&new.user_id), &fields);
    }
}

/// The fields of an event that name the moderator.
fn moderator_fields(state: &State, moderator: &Moderator) -> Vec<(&'static str, Value)> {
    let Some(account) = state.accounts.get(&moderator.id) else { return Vec::new() };
    vec![
        ("moderator_user_id", account.id.as_str().into()),
        ("moderator_user_login", account.login.as_str().into()),
        ("moderator_user_name", account.display_name.as_str().into()),
    ]
}

async fn unban(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "unban", |world, state, token| {
            let moderator = moderator(state, &query, token, BANS)?;
            let user_id = required(&query, "user_id")?;
            let now = world.config.clock.now();
            let room = state.rooms.entry(&moderator.channel);
            if !room.is_banned(user_id, now) {
                return Err(bad_request("The user in the user_id query parameter is not banned."));
            }
            room.bans.remove(user_id);
            let fields = moderator_fields(state, &moderator);
            world.happen(state, ("channel.unban", None), &moderator.channel, Some(user_id), &fields);
            Performed::no_content(Effect::on_user(&moderator.channel, user_id))
        })
        .await
}

/// Without a message, all are deleted.
async fn delete(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    let action = if query.one("message_id").is_some() { "delete" } else { "clear" };
    world
        .into_inner()
        .perform(&request, action, |world, state, token| {
            let moderator = moderator(state, &query, token, MESSAGES)?;
            let Some(id) = query.one("message_id") else {
                state.rooms.entry(&moderator.channel).messages.iter_mut().for_each(|message| message.is_deleted = true);
                world.happen(state, ("channel.chat.clear", None), &moderator.channel, None, &[]);
                return Performed::no_content(Effect::new(&moderator.channel, Value::Null));
            };
            let now = world.config.clock.now();
            let room = state.rooms.entry(&moderator.channel);
            let found = room.message(id).filter(|message| message.sent_at + MAX_AGE > now).cloned();
            let message = found.ok_or_else(|| not_found("The message in message_id was not found."))?;
            check_target(state, &moderator, &message.user_id)
                .map_err(|_| bad_request("You cannot delete the broadcaster's or another moderator's message."))?;
            state.rooms.entry(&moderator.channel).delete(id);
            let (kind, fields) = (("channel.chat.message_delete", None), [("message_id", id.into())]);
            world.happen(state, kind, &moderator.channel, Some(&message.user_id), &fields);
            Performed::no_content(Effect::new(&moderator.channel, json!({ "message_id": id })))
        })
        .await
}

#[derive(Deserialize)]
struct Warning {
    user_id: String,
    reason: String,
}

async fn warn(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "warn", |world, state, token| {
            let moderator = moderator(state, &query, token, "moderator:manage:warnings")?;
            let Wrapped { data: Warning { user_id, reason } } = body(&bytes)?;
            check_target(state, &moderator, &user_id)?;
            if reason.is_empty() || reason.chars().count() > MAX_REASON {
                return Err(bad_request("The text in the reason field must have 1 to 500 characters."));
            }
            let mut fields = vec![("reason", reason.as_str().into())];
            fields.extend(moderator_fields(state, &moderator));
            world.happen(state, ("channel.warning.send", None), &moderator.channel, Some(&user_id), &fields);
            let data = json!({
                "broadcaster_id": moderator.channel,
                "user_id": user_id,
                "moderator_id": moderator.id,
                "reason": reason,
            });
            let what = json!({ "user_id": user_id, "reason": reason });
            Performed::data(Effect::new(&moderator.channel, what), data)
        })
        .await
}

#[derive(Deserialize)]
struct Shield {
    is_active: bool,
}

async fn shield(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "shield", |world, state, token| {
            let moderator = moderator(state, &query, token, "moderator:manage:shield_mode")?;
            let Shield { is_active } = body(&bytes)?;
            let is_shielded = &mut state.rooms.entry(&moderator.channel).is_shielded;
            if *is_shielded != is_active {
                *is_shielded = is_active;
                let kind = if is_active { "channel.shield_mode.begin" } else { "channel.shield_mode.end" };
                let fields = moderator_fields(state, &moderator);
                world.happen(state, (kind, None), &moderator.channel, None, &fields);
            }
            let data = json!({
                "is_active": is_active,
                "moderator_id": moderator.id,
                "last_activated_at": rfc3339(world.config.clock.now()),
            });
            Performed::data(Effect::new(&moderator.channel, json!({ "is_active": is_active })), data)
        })
        .await
}
