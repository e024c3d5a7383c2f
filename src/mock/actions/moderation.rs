//! Deleted messages, warnings and the shield mode (<https://dev.twitch.tv/docs/api/reference/#delete-chat-messages>).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::caller::{Moderator, check_target, moderator, not_found};
use super::events::{moderator_fields, of_user};
use super::ledger::Effect;
use super::rooms::RoomMessage;
use super::{MAX_REASON, Performed, Wrapped, body};
use crate::mock::helix::{Query, Refusal, bad_request};
use crate::mock::state::{State, rfc3339};
use crate::mock::world::World;

/// A message that is older can't be deleted.
const MAX_AGE: Duration = Duration::hours(6);

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/moderation/chat", web::delete().to(delete))
        .route("/moderation/warnings", web::post().to(warn))
        .route("/moderation/shield_mode", web::put().to(shield));
}

/// Without a message, all are deleted.
async fn delete(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    let action = if query.one("message_id").is_some() { "delete" } else { "clear" };
    world
        .into_inner()
        .perform(&request, action, |world, state, token| {
            let moderator = moderator(state, &query, token, "moderator:manage:chat_messages")?;
            let Some(id) = query.one("message_id") else {
                state.rooms.entry(&moderator.channel).delete_all();
                world.happen(state, ("channel.chat.clear", None), &moderator.channel, None, &[]);
                world.happen_moderation(state, &moderator, "clear", Value::Null);
                return Performed::no_content(Effect::new(&moderator.channel, Value::Null));
            };
            let RoomMessage { user_id, text, .. } =
                deletable(state, &moderator, id, world.config.clock.now() - MAX_AGE)?;
            state.rooms.entry(&moderator.channel).delete(id);
            let (kind, fields) = (("channel.chat.message_delete", None), [("message_id", id.into())]);
            world.happen(state, kind, &moderator.channel, Some(&user_id), &fields);
            let details = of_user(state, &user_id, &[("message_id", id.into()), ("message_body", text.into())]);
            world.happen_moderation(state, &moderator, "delete", details);
            Performed::no_content(Effect::new(&moderator.channel, json!({ "message_id": id, "user_id": user_id })))
        })
        .await
}

/// The message of this id, if this moderator may delete it: it is not older than that, and not of the broadcaster or of another
/// moderator.
fn deletable(state: &State, moderator: &Moderator, id: &str, oldest: OffsetDateTime) -> Result<RoomMessage, Refusal> {
    let found = state.rooms.get(&moderator.channel).and_then(|room| room.message(id));
    let message = found.filter(|message| message.sent_at > oldest);
    let message = message.ok_or_else(|| not_found("The message in message_id was not found."))?;
    if message.user_id != moderator.id || moderator.id == moderator.channel {
        check_target(state, moderator, &message.user_id)
            .map_err(|_| bad_request("You cannot delete the broadcaster's or another moderator's message."))?;
    }
    Ok(message.clone())
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
            fields.extend(moderator_fields(state, &moderator.id));
            world.happen(state, ("channel.warning.send", None), &moderator.channel, Some(&user_id), &fields);
            let details = [("reason", reason.as_str().into()), ("chat_rules_cited", Value::Null)];
            world.happen_moderation(state, &moderator, "warn", of_user(state, &user_id, &details));
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
                let fields = moderator_fields(state, &moderator.id);
                world.happen(state, (kind, None), &moderator.channel, None, &fields);
            }
            let account = state.accounts.get(&moderator.id);
            let data = json!({
                "is_active": is_active,
                "moderator_id": moderator.id,
                "moderator_login": account.map(|account| &account.login),
                "moderator_name": account.map(|account| &account.display_name),
                "last_activated_at": rfc3339(world.config.clock.now()),
            });
            Performed::data(Effect::new(&moderator.channel, json!({ "is_active": is_active })), data)
        })
        .await
}
