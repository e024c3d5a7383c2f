//! Chat messages and announcements (<https://dev.twitch.tv/docs/api/reference/#send-chat-message>), and the list of chatters.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::caller::{channel, forbidden, moderator, unauthorized, user};
use super::ledger::Effect;
use super::limits::Limit;
use super::rooms::{MAX_MESSAGE, RoomMessage, push};
use super::{Performed, body, cut};
use crate::mock::helix::{Query, Refusal, bad_request, pagination};
use crate::mock::state::{State, Token};
use crate::mock::world::World;

/// A text that the same user repeats within this time is not sent.
const DUPLICATE: Duration = Duration::seconds(30);

const HALF_MINUTE: Duration = Duration::seconds(30);
const MESSAGES: Limit = Limit::new("20 messages in 30 s", 20, HALF_MINUTE);
const MODERATOR_MESSAGES: Limit = Limit::new("100 messages in 30 s", 100, HALF_MINUTE);
const CHANNEL_MESSAGES: Limit = Limit::new("1 message per second in a channel", 1, Duration::SECOND);
const ANNOUNCEMENTS: Limit = Limit::new("1 announcement in 2 s", 1, Duration::seconds(2));

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/chat/messages", web::post().to(send))
        .route("/chat/announcements", web::post().to(announce))
        .route("/chat/chatters", web::get().to(chatters));
}

#[derive(Deserialize)]
struct NewMessage {
    broadcaster_id: String,
    sender_id: String,
    message: String,
    reply_parent_message_id: Option<String>,
    for_source_only: Option<bool>,
    #[serde(default)]
    pin: bool,
}

async fn send(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let world = world.into_inner();
    world
        .perform(&request, "say", |world, state, token| {
            let new: NewMessage = body(&bytes)?;
            channel(state, &new.broadcaster_id, "broadcaster_id")?;
            check_sender(state, token, &new)?;
            check_text(&new)?;
            if new.reply_to().is_some_and(|id| state.rooms.entry(&new.broadcaster_id).message(id).is_none()) {
                return Err(bad_request("Message cannot be replied to"));
            }
            let now = world.config.clock.now();
            let limit = if state.rooms.is_privileged(&new.broadcaster_id, &new.sender_id) {
                MODERATOR_MESSAGES
            } else {
                MESSAGES
            };
            state.rooms.windows.take(limit, &new.sender_id, now)?;
            let what =
                json!({ "sender_id": new.sender_id, "text": new.message, "reply_to": new.reply_parent_message_id });
            if let Some((code, message)) = drop_reason(state, &new, now) {
                let reason = json!({ "code": code, "message": message });
                let effect = Effect::new(&new.broadcaster_id, json!({ "dropped": code, "message": what }));
                return Performed::data(effect, json!({ "message_id": "", "is_sent": false, "drop_reason": reason }));
            }
            let message_id = world.write(state, &new.broadcaster_id, &new.sender_id, &new.message, new.reply_to());
            if new.pin {
                state.rooms.entry(&new.broadcaster_id).pinned = Some(message_id.clone());
            }
            let mut what = what;
            what["message_id"] = message_id.as_str().into();
            let effect = Effect::new(&new.broadcaster_id, what);
            Performed::data(effect, json!({ "message_id": message_id, "is_sent": true, "drop_reason": null }))
        })
        .await
}

impl NewMessage {
    fn reply_to(&self) -> Option<&str> {
        self.reply_parent_message_id.as_deref().filter(|id| !id.is_empty())
    }
}

/// A user's token sends for that user. The application's needs the consent of the sender, and that of the broadcaster
/// unless the sender moderates there.
fn check_sender(state: &State, token: &Token, new: &NewMessage) -> Result<(), Refusal> {
    let NewMessage { broadcaster_id, sender_id, .. } = new;
    if token.user_id.is_some() {
        if user(token, "user:write:chat")? != sender_id {
            return Err(unauthorized("The ID in sender_id must match the user ID found in the request's OAuth token."));
        }
        if new.for_source_only.is_some() {
            return Err(bad_request("for_source_only requires an app access token."));
        }
    } else {
        let has = |user: &str, scope: &str| state.consents.get(user).is_some_and(|scopes| scopes.contains(scope));
        for scope in ["user:write:chat", "user:bot"] {
            if !has(sender_id, scope) {
                return Err(forbidden(format!("The sender must have authorized the app with the {scope} scope.")));
            }
        }
        if !state.rooms.is_moderator(broadcaster_id, sender_id) && !has(broadcaster_id, "channel:bot") {
            return Err(forbidden(
                "The sender must be a moderator, or the broadcaster must have authorized the app with the channel:bot scope.",
            ));
        }
    }
    if new.pin && !(token.scopes.contains("moderator:manage:chat_messages") && new.reply_to().is_none()) {
        return Err(bad_request("The message can't be pinned."));
    }
    Ok(())
}

fn check_text(new: &NewMessage) -> Result<(), Refusal> {
    if new.message.trim().is_empty() {
        return Err(bad_request("The message is empty."));
    }
    if new.message.chars().count() > MAX_MESSAGE {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "The message is too large.".to_owned()));
    }
    Ok(())
}

/// Why a message that was taken is not sent.
fn drop_reason(state: &mut State, new: &NewMessage, now: OffsetDateTime) -> Option<(&'static str, &'static str)> {
    let NewMessage { broadcaster_id, sender_id, message, .. } = new;
    if state.faults.draw_dropped_message() {
        return Some(("msg_rejected", "Your message is being checked by mods and has not been sent."));
    }
    let is_privileged = state.rooms.is_privileged(broadcaster_id, sender_id);
    let room = state.rooms.entry(broadcaster_id);
    if room.is_banned(sender_id, now) {
        return Some(("user_timed_out", "You are banned or timed out in this channel."));
    }
    let is_same =
        |old: &&RoomMessage| old.user_id == *sender_id && old.text == *message && old.sent_at + DUPLICATE > now;
    if !is_privileged && room.messages.iter().rev().any(|old| is_same(&old)) {
        return Some(("msg_duplicate", "Your message is identical to the one you sent within the last 30 seconds."));
    }
    let key = format!("{broadcaster_id} {sender_id}");
    if !is_privileged && state.rooms.windows.take(CHANNEL_MESSAGES, &key, now).is_err() {
        return Some(("msg_ratelimit", "Your message was not sent because you are sending messages too quickly."));
    }
    None
}

impl World {
    /// Adds a message to the chat, and notifies the subscribers.
    pub(super) fn write(
        self: &Arc<Self>,
        state: &mut State,
        channel: &str,
        user: &str,
        text: &str,
        reply_to: Option<&str>,
    ) -> String {
        let id = Uuid::new_v4().to_string();
        let parent = reply_to.and_then(|parent| state.rooms.entry(channel).message(parent)).cloned();
        let fields = [
            ("message_id", id.as_str().into()),
            ("message", plain_text(text)),
            ("badges", badges(state, channel, user)),
            ("reply", parent.map_or(Value::Null, |parent| reply(state, &parent))),
        ];
        self.happen(state, ("channel.chat.message", None), channel, Some(user), &fields);
        let message = RoomMessage {
            id: id.clone(),
            user_id: user.to_owned(),
            text: text.to_owned(),
            reply_to: reply_to.map(str::to_owned),
            sent_at: self.config.clock.now(),
            is_deleted: false,
        };
        push(&mut state.rooms.entry(channel).messages, message);
        id
    }
}

/// A text without emotes and mentions.
fn plain_text(text: &str) -> Value {
    let fragment = json!({ "type": "text", "text": text, "cheermote": null, "emote": null, "mention": null });
    json!({ "text": text, "fragments": [fragment] })
}

fn badges(state: &State, channel: &str, user: &str) -> Value {
    let badge = |set: &str| json!([{ "set_id": set, "id": "1", "info": "" }]);
    let is_vip = || state.rooms.get(channel).is_some_and(|room| room.vips.contains(user));
    match () {
        () if channel == user => badge("broadcaster"),
        () if state.rooms.is_moderator(channel, user) => badge("moderator"),
        () if is_vip() => badge("vip"),
        () => json!([]),
    }
}

fn reply(state: &State, parent: &RoomMessage) -> Value {
    let (login, name) = state
        .accounts
        .get(&parent.user_id)
        .map_or(("", ""), |account| (account.login.as_str(), account.display_name.as_str()));
    json!({
        "parent_message_id": parent.id,
        "parent_message_body": parent.text,
        "parent_user_id": parent.user_id,
        "parent_user_name": name,
        "parent_user_login": login,
        "thread_message_id": parent.id,
        "thread_user_id": parent.user_id,
        "thread_user_name": name,
        "thread_user_login": login,
    })
}

#[derive(Deserialize)]
struct Announcement {
    message: String,
    #[serde(default = "primary")]
    color: String,
}

fn primary() -> String {
    "primary".to_owned()
}

/// <https://dev.twitch.tv/docs/api/reference/#send-chat-announcement>
async fn announce(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "announce", |world, state, token| {
            let moderator = moderator(state, &query, token, "moderator:manage:announcements")?;
            let Announcement { message, color } = body(&bytes)?;
            if message.is_empty() {
                return Err(bad_request("The message is empty."));
            }
            if !["blue", "green", "orange", "purple", "primary"].contains(&color.as_str()) {
                return Err(bad_request("The color is not valid."));
            }
            state.rooms.windows.take(ANNOUNCEMENTS, &moderator.channel, world.config.clock.now())?;
            let message = cut(&message, MAX_MESSAGE);
            let fields =
                [("message", plain_text(&message)), ("announcement", json!({ "color": color.to_uppercase() }))];
            let kind = ("channel.chat.notification", Some("announcement"));
            world.happen(state, kind, &moderator.channel, Some(&moderator.id), &fields);
            let what = json!({ "sender_id": moderator.id, "text": message, "color": color });
            Performed::no_content(Effect::new(&moderator.channel, what))
        })
        .await
}

/// [Get Chatters](https://dev.twitch.tv/docs/api/reference/#get-chatters): the users who wrote in the chat.
async fn chatters(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        let query = Query::from_request(&request);
        let moderator = moderator(state, &query, token, "moderator:read:chatters")?;
        let mut ids: Vec<_> =
            state.rooms.entry(&moderator.channel).messages.iter().map(|it| it.user_id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let from = query.position()?.min(ids.len());
        let to = (from + query.first(100, 1_000)?).min(ids.len());
        let shown = ids[from..to].iter().filter_map(|id| state.accounts.get(id));
        let data: Vec<_> =
            shown.map(|it| json!({ "user_id": it.id, "user_login": it.login, "user_name": it.display_name })).collect();
        let page = pagination(to, ids.len());
        Ok(HttpResponse::Ok().json(json!({ "data": data, "pagination": page, "total": ids.len() })))
    })
}
