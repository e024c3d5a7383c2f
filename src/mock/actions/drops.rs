//! Messages that are taken and not sent. Twitch does not document the codes
//! (<https://dev.twitch.tv/docs/api/reference/#send-chat-message>); those of modes are
//! [IRC's](https://dev.twitch.tv/docs/chat/irc/#notice-reference).

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::limits::Limit;
use super::rooms::{ChatSettings, Room, RoomMessage};
use crate::mock::state::State;
use crate::mock::world::World;

/// A text that the same user repeats within this time is not sent.
const DUPLICATE: Duration = Duration::seconds(30);

const PER_CHANNEL: Limit = Limit::new("1 message per second in a channel", 1, Duration::SECOND);

/// The emotes that exist here.
const EMOTES: [&str; 4] = ["Kappa", "LUL", "HeyGuys", "PogChamp"];

/// Why a message is not sent.
#[derive(Debug, Serialize)]
pub(super) struct DropReason {
    pub(super) code: String,
    pub(super) message: &'static str,
}

impl DropReason {
    fn new(code: &str, message: &'static str) -> Self {
        Self { code: code.to_owned(), message }
    }
}

impl World {
    /// Why what an application sends for a user is not sent.
    pub(super) fn drop_reason(&self, state: &mut State, channel: &str, user: &str, text: &str) -> Option<DropReason> {
        if state.faults.draw_dropped_message() {
            let code = state.faults.settings().drop_code.as_deref().unwrap_or("msg_rejected");
            return Some(DropReason::new(code, "Your message is being checked by mods and has not been sent."));
        }
        if let Some(reason) = self.chat_refuses(state, channel, user, text) {
            return Some(reason);
        }
        let now = self.config.clock.now();
        let is_limited = !state.rooms.is_privileged(channel, user)
            && state.rooms.windows.take(PER_CHANNEL, &format!("{channel} {user}"), now).is_err();
        let message = "Your message was not sent because you are sending messages too quickly.";
        is_limited.then(|| DropReason::new("msg_ratelimit", message))
    }

    /// Why this user can't write this in the chat now.
    pub(super) fn chat_refuses(&self, state: &mut State, channel: &str, user: &str, text: &str) -> Option<DropReason> {
        let now = self.config.clock.now();
        let follows_since = state.followers(channel).iter().find(|it| it.user_id == user).map(|it| it.followed_at);
        let is_privileged = state.rooms.is_privileged(channel, user);
        let room = state.rooms.entry(channel);
        if let Some(ban) = room.ban(user, now) {
            return Some(match ban.ends_at {
                Some(_) => DropReason::new("user_timed_out", "You are timed out from talking in the room."),
                None => DropReason::new("user_banned", "You are permanently banned from talking in the room."),
            });
        }
        if is_privileged { None } else { mode_refuses(room, user, text, follows_since, now) }
    }
}

/// Broadcaster, moderators and VIPs are exempt from these.
fn mode_refuses(
    room: &Room,
    user: &str,
    text: &str,
    follows_since: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Option<DropReason> {
    let ChatSettings { follower_mode_duration, slow_mode_wait_time, emote_mode, .. } = room.settings;
    let follows = |minutes: u32| follows_since.is_some_and(|since| since + Duration::minutes(minutes.into()) <= now);
    let own = || room.messages.iter().rev().filter(|message| message.user_id == user);
    let wrote_within = |span: Duration| own().any(|message| message.sent_at + span > now);
    let is_repeated = |message: &RoomMessage| message.text == text;
    let refusals = [
        (
            follower_mode_duration.is_some_and(|minutes| !follows(minutes)),
            ("msg_followersonly", "This room is in followers-only mode. Follow the channel to join the community!"),
        ),
        (room.settings.subscriber_mode, ("msg_subsonly", "This room is in subscribers only mode.")),
        (
            emote_mode && !text.split_whitespace().all(|word| EMOTES.contains(&word)),
            ("msg_emoteonly", "This room is in emote-only mode."),
        ),
        (
            slow_mode_wait_time.is_some_and(|seconds| wrote_within(Duration::seconds(seconds.into()))),
            ("msg_slowmode", "This room is in slow mode and you are sending messages too quickly."),
        ),
        (
            room.settings.unique_chat_mode && room.messages.iter().any(is_repeated),
            ("msg_r9k", "This room is in unique-chat mode and the message you attempted to send is not unique."),
        ),
        (
            own().any(|message| is_repeated(message) && message.sent_at + DUPLICATE > now),
            ("msg_duplicate", "Your message is identical to one that you sent less than 30 seconds ago."),
        ),
    ];
    refusals.into_iter().find(|(refuses, _)| *refuses).map(|(_, (code, message))| DropReason::new(code, message))
}
