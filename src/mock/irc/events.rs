//! Lines about what happens in a chat. They are made from the events of EventSub, so that both agree.

use serde_json::Value;
use time::OffsetDateTime;

use super::connections::Client;
use super::line::{Line, Need};
use crate::mock::state::State;
use crate::mock::world::World;

pub(super) type Tags = Vec<(&'static str, String)>;

impl World {
    /// Sends an event of a chat to the connections in it. The author of a message gets no line about it.
    pub(in crate::mock) fn send_to_irc(&self, state: &mut State, kind: &str, event: &Value) {
        let channel_id = text(&event["broadcaster_user_id"]);
        let now = self.config.clock.now();
        let Some(line) = line(state, kind, event, now) else { return };
        let author = (kind == "channel.chat.message").then(|| text(&event["chatter_user_id"]));
        let is_author =
            |client: &Client| client.user.as_ref().is_some_and(|user| user.id.is_some() && user.id == author);
        state.irc.broadcast(&channel_id, &line, |client| !is_author(client));
        if kind == "channel.chat.clear_user_messages" {
            self.part_banned(state, &channel_id, &text(&event["target_user_id"]));
        }
    }

    /// A user who is banned leaves the chat; one who has a timeout stays.
    fn part_banned(&self, state: &mut State, channel_id: &str, user_id: &str) {
        let ban = state.rooms.get(channel_id).and_then(|room| room.bans.get(user_id));
        if ban.is_none_or(|ban| ban.ends_at.is_some()) {
            return;
        }
        let is_banned = |client: &Client| client.user.as_ref().is_some_and(|user| user.id.as_deref() == Some(user_id));
        let numbers: Vec<_> =
            state.irc.iter().filter(|(_, client)| is_banned(client)).map(|(number, _)| number).collect();
        for number in numbers {
            self.part(state, number, channel_id);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The line about an event; `None` if IRC has none for its type.
fn line(state: &State, kind: &str, event: &Value, now: OffsetDateTime) -> Option<Line> {
    let (channel_id, channel) = (text(&event["broadcaster_user_id"]), text(&event["broadcaster_user_login"]));
    let sent = ("tmi-sent-ts", millis(now));
    let room = ("room-id", channel_id.clone());
    let target = text(&event["target_user_login"]);
    Some(match kind {
        "channel.chat.message" => {
            let login = text(&event["chatter_user_login"]);
            let said = text(&event["message"]["text"]);
            Line::new(format!(":{} PRIVMSG #{channel} :{said}", mask(&login))).with_tags(message_tags(event, now))
        }
        "channel.chat.notification" => {
            let mut tags = message_tags(event, now);
            let color = text(&event["announcement"]["color"]);
            tags.extend([("msg-id", text(&event["notice_type"])), ("system-msg", text(&event["system_message"]))]);
            tags.extend([("login", text(&event["chatter_user_login"])), ("msg-param-color", color)]);
            let said = text(&event["message"]["text"]);
            let text = format!(":tmi.twitch.tv USERNOTICE #{channel} :{said}");
            Line::needing(Need::Commands, text).with_tags(tags)
        }
        "channel.chat.message_delete" => {
            let id = text(&event["message_id"]);
            let messages = state.rooms.get(&channel_id).map(|room| &room.messages);
            let deleted = messages.and_then(|all| all.iter().find(|it| it.id == id));
            let said = deleted.map_or("", |message| message.text.as_str());
            let text = format!(":tmi.twitch.tv CLEARMSG #{channel} :{said}");
            let tags = vec![("login", target), room, ("target-msg-id", id), sent];
            Line::needing(Need::Commands, text).with_tags(tags)
        }
        "channel.chat.clear_user_messages" => {
            let id = text(&event["target_user_id"]);
            let ban = state.rooms.get(&channel_id).and_then(|room| room.bans.get(&id));
            let ends_at = ban.and_then(|ban| ban.ends_at);
            let mut tags = vec![room, ("target-user-id", id), sent];
            tags.extend(ends_at.map(|end| ("ban-duration", (end - now).whole_seconds().to_string())));
            Line::needing(Need::Commands, format!(":tmi.twitch.tv CLEARCHAT #{channel} :{target}")).with_tags(tags)
        }
        "channel.chat.clear" => {
            Line::needing(Need::Commands, format!(":tmi.twitch.tv CLEARCHAT #{channel}")).with_tags(vec![room, sent])
        }
        "channel.chat_settings.update" => room_state(state, &channel_id, &channel),
        _ => return None,
    })
}

/// The modes of a chat.
pub(super) fn room_state(state: &State, channel_id: &str, login: &str) -> Line {
    let settings = state.rooms.get(channel_id).map(|room| room.settings.clone()).unwrap_or_default();
    let number = |span: Option<u32>, off: &str| span.map_or_else(|| off.to_owned(), |span| span.to_string());
    let tags = vec![
        ("emote-only", flag(settings.emote_mode)),
        ("followers-only", number(settings.follower_mode_duration, "-1")),
        ("r9k", flag(settings.unique_chat_mode)),
        ("room-id", channel_id.to_owned()),
        ("slow", number(settings.slow_mode_wait_time, "0")),
        ("subs-only", flag(settings.subscriber_mode)),
    ];
    Line::needing(Need::Commands, format!(":tmi.twitch.tv ROOMSTATE #{login}")).with_tags(tags)
}

/// The tags of a message, by its event.
fn message_tags(event: &Value, now: OffsetDateTime) -> Tags {
    let badges: Vec<_> = event["badges"].as_array().into_iter().flatten().collect();
    let has = |set: &str| badges.iter().any(|badge| badge["set_id"] == set);
    let shown: Vec<_> = badges.iter().map(|it| format!("{}/{}", text(&it["set_id"]), text(&it["id"]))).collect();
    let with_info = badges.iter().filter(|badge| badge["info"].as_str().is_some_and(|info| !info.is_empty()));
    let info: Vec<_> = with_info.map(|it| format!("{}/{}", text(&it["set_id"]), text(&it["info"]))).collect();
    let mut tags = vec![
        ("badge-info", info.join(",")),
        ("badges", shown.join(",")),
        ("color", text(&event["color"])),
        ("display-name", text(&event["chatter_user_name"])),
        ("emotes", emotes(&event["message"]["fragments"])),
        ("first-msg", flag(false)),
        ("id", text(&event["message_id"])),
        ("mod", flag(has("moderator"))),
        ("returning-chatter", flag(false)),
        ("room-id", text(&event["broadcaster_user_id"])),
        ("subscriber", flag(has("subscriber"))),
        ("tmi-sent-ts", millis(now)),
        ("turbo", flag(false)),
        ("user-id", text(&event["chatter_user_id"])),
        ("user-type", if has("moderator") { "mod".to_owned() } else { String::new() }),
    ];
    tags.extend(has("vip").then(|| ("vip", flag(true))));
    let reply = &event["reply"];
    if reply.is_object() {
        tags.extend([
            ("reply-parent-msg-id", text(&reply["parent_message_id"])),
            ("reply-parent-user-id", text(&reply["parent_user_id"])),
            ("reply-parent-user-login", text(&reply["parent_user_login"])),
            ("reply-parent-display-name", text(&reply["parent_user_name"])),
            ("reply-parent-msg-body", text(&reply["parent_message_body"])),
            ("reply-thread-parent-msg-id", text(&reply["thread_message_id"])),
            ("reply-thread-parent-user-login", text(&reply["thread_user_login"])),
        ]);
    }
    tags
}

/// The emotes of a text by their places, which count characters.
fn emotes(fragments: &Value) -> String {
    let mut at = 0;
    let mut found = Vec::new();
    for fragment in fragments.as_array().into_iter().flatten() {
        let length = text(&fragment["text"]).chars().count();
        if let Some(id) = fragment["emote"]["id"].as_str() {
            found.push(format!("{id}:{at}-{}", at + length.saturating_sub(1)));
        }
        at += length;
    }
    found.join("/")
}

pub(super) fn flag(is_on: bool) -> String {
    u8::from(is_on).to_string()
}

/// How IRC names a user.
pub(super) fn mask(login: &str) -> String {
    format!("{login}!{login}@{login}.tmi.twitch.tv")
}

fn millis(at: OffsetDateTime) -> String {
    (at.unix_timestamp_nanos() / 1_000_000).to_string()
}
