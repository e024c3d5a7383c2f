//! Chat messages (<https://dev.twitch.tv/docs/api/reference/#send-chat-message>), and the list of chatters.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::caller::{channel, check_app_sender, moderator, required, unauthorized, user};
use super::ledger::Effect;
use super::limits::{Bucket, Limit, LimitExceeded, Windows};
use super::rooms::{MAX_MESSAGE, Pin, RoomMessage, push};
use super::{Performed, body};
use crate::mock::helix::{Query, Refusal, bad_request, pagination, set_rate_limit};
use crate::mock::state::{State, Token};
use crate::mock::world::World;

const HALF_MINUTE: Duration = Duration::seconds(30);
const MESSAGES: Limit = Limit::new("20 messages in 30 s", 20, HALF_MINUTE);
const MODERATOR_MESSAGES: Limit = Limit::new("100 messages in 30 s", 100, HALF_MINUTE);

/// How long a message that is sent with `pin` stays pinned.
const PINNED: Duration = Duration::minutes(20);

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/chat/messages", web::post().to(send)).route("/chat/chatters", web::get().to(chatters));
}

/// Twitch also takes the ids as parameters of the query, as twurple gives them.
#[derive(Deserialize)]
struct NewMessage {
    #[serde(default)]
    broadcaster_id: String,
    #[serde(default)]
    sender_id: String,
    message: String,
    reply_parent_message_id: Option<String>,
    for_source_only: Option<bool>,
    #[serde(default)]
    pin: bool,
}

/// It has a rate limit of its own, which the headers of the answer tell.
async fn send(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let (world, query, mut bucket) = (world.into_inner(), Query::from_request(&request), None);
    let answer = world.perform(&request, "say", |world, state, token| {
        let mut new: NewMessage = body(&bytes)?;
        for (id, parameter) in [(&mut new.broadcaster_id, "broadcaster_id"), (&mut new.sender_id, "sender_id")] {
            if id.is_empty() {
                *id = required(&query, parameter)?.to_owned();
            }
        }
        channel(state, &new.broadcaster_id, "broadcaster_id")?;
        new.check(state, token)?;
        let is_privileged = state.rooms.is_privileged(&new.broadcaster_id, &new.sender_id);
        let now = world.config.clock.now();
        let (taken, rest) = take_message(&mut state.rooms.windows, &new.sender_id, is_privileged, now);
        bucket = Some(rest);
        taken?;
        new.send(world, state, now)
    });
    let mut answer = answer.await;
    if let Some(Bucket { limit, remaining, full_at }) = bucket {
        set_rate_limit(&mut answer, limit, remaining, full_at);
    }
    answer
}

/// Counts a message of this sender, also for the limit of the other role: what a moderator sends counts for both
/// (<https://dev.twitch.tv/docs/chat/#rate-limits>).
pub(super) fn take_message(
    windows: &mut Windows,
    sender_id: &str,
    is_privileged: bool,
    now: OffsetDateTime,
) -> (Result<(), LimitExceeded>, Bucket) {
    let (limit, other) = if is_privileged { (MODERATOR_MESSAGES, MESSAGES) } else { (MESSAGES, MODERATOR_MESSAGES) };
    let taken = windows.take(limit, sender_id, now);
    if taken.is_ok() {
        windows.count(other, sender_id, now);
    }
    (taken, windows.bucket(limit, sender_id, now))
}

impl NewMessage {
    fn reply_to(&self) -> Option<&str> {
        self.reply_parent_message_id.as_deref().filter(|id| !id.is_empty())
    }

    /// A user's token sends for that user. The application's needs the consent of the sender, and that of the broadcaster
    /// unless the sender moderates there.
    fn check(&self, state: &mut State, token: &Token) -> Result<(), Refusal> {
        let Self { broadcaster_id, sender_id, message, .. } = self;
        if token.user_id.is_none() {
            check_app_sender(state, broadcaster_id, sender_id, "user:write:chat")?;
        } else if user(token, "user:write:chat")? != sender_id {
            return Err(unauthorized("The ID in sender_id must match the user ID found in the request's OAuth token."));
        } else if self.for_source_only.is_some() {
            return Err(bad_request("for_source_only requires an app access token."));
        }
        if message.trim().is_empty() {
            return Err(bad_request("The message is empty."));
        }
        if message.chars().count() > MAX_MESSAGE {
            return Err((StatusCode::UNPROCESSABLE_ENTITY, "The message is too large.".to_owned()));
        }
        let Some(parent) = self.reply_to() else { return self.check_pin(token) };
        let is_gone = state.rooms.entry(broadcaster_id).message(parent).is_none();
        if is_gone || state.faults.draw_lost_parent() {
            return Err(bad_request("Message cannot be replied to"));
        }
        self.check_pin(token)
    }

    fn check_pin(&self, token: &Token) -> Result<(), Refusal> {
        let may_pin = token.scopes.contains("moderator:manage:chat_messages") && self.reply_to().is_none();
        if self.pin && !may_pin { Err(bad_request("The message can't be pinned.")) } else { Ok(()) }
    }

    fn send(self, world: &Arc<World>, state: &mut State, now: OffsetDateTime) -> Result<Performed, Refusal> {
        let Self { broadcaster_id, sender_id, message, .. } = &self;
        let mut what = json!({ "sender_id": sender_id, "text": message, "reply_to": self.reply_to() });
        if let Some(reason) = world.drop_reason(state, broadcaster_id, sender_id, message) {
            what["dropped"] = reason.code.clone().into();
            let data = json!({ "message_id": "", "is_sent": false, "drop_reason": reason });
            return Performed::data(Effect::new(broadcaster_id, what), data);
        }
        let message_id = world.write(state, broadcaster_id, sender_id, message, self.reply_to());
        if self.pin {
            let pin = Pin { message_id: message_id.clone(), ends_at: Some(now + PINNED) };
            state.rooms.entry(broadcaster_id).pinned = Some(pin);
        }
        what["message_id"] = message_id.as_str().into();
        let data = json!({ "message_id": message_id, "is_sent": true, "drop_reason": null });
        Performed::data(Effect::new(broadcaster_id, what), data)
    }
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
        self.keep(state, channel, user, &id, text, reply_to);
        id
    }

    /// Adds a message to the chat.
    pub(super) fn keep(
        &self,
        state: &mut State,
        channel: &str,
        user: &str,
        id: &str,
        text: &str,
        reply_to: Option<&str>,
    ) {
        let message = RoomMessage {
            id: id.to_owned(),
            user_id: user.to_owned(),
            text: text.to_owned(),
            reply_to: reply_to.map(str::to_owned),
            sent_at: self.config.clock.now(),
            is_deleted: false,
        };
        push(&mut state.rooms.entry(channel).messages, message);
    }
}

/// A text without emotes and mentions.
pub(super) fn plain_text(text: &str) -> Value {
    let fragment = json!({ "type": "text", "text": text, "cheermote": null, "emote": null, "mention": null });
    json!({ "text": text, "fragments": [fragment] })
}

pub(super) fn badges(state: &State, channel: &str, user: &str) -> Value {
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
