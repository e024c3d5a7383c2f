//! What the chats of the channels hold: roles, bans, messages, settings, clips.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::limits::Windows;

/// Limit of messages, clips and markers in a room each; the oldest go.
const MAX_IN_ROOM: usize = 1_000;

/// The longest message, in characters.
pub(super) const MAX_MESSAGE: usize = 500;

/// Limit of pairs of users who whispered; when it is reached, all are forgotten.
const MAX_WHISPERED: usize = 10_000;

/// A role in a chat, beside that of the broadcaster.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May moderate.
    Moderator,
    /// A "VIP".
    Vip,
}

/// A message in a chat.
#[derive(Clone, Debug, Serialize)]
pub struct RoomMessage {
    /// As in its event.
    pub id: String,
    /// The author's id.
    pub user_id: String,
    /// The text.
    pub text: String,
    /// The message that it replies to.
    pub reply_to: Option<String>,
    /// When it was sent.
    #[serde(with = "time::serde::rfc3339")]
    pub sent_at: OffsetDateTime,
    /// Whether it was deleted.
    pub is_deleted: bool,
}

/// A ban or a timeout.
#[derive(Clone, Debug, Serialize)]
pub struct Ban {
    /// The end of a timeout; `None` for a ban.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
    /// The moderator's reason.
    pub reason: String,
}

impl Ban {
    pub(super) fn is_on(&self, now: OffsetDateTime) -> bool {
        self.ends_at.is_none_or(|end| end > now)
    }
}

/// A pinned message.
#[derive(Clone, Debug, Serialize)]
pub struct Pin {
    /// The message's id.
    pub message_id: String,
    /// When it is unpinned; `None` is the end of the stream.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
}

/// A clip.
#[derive(Clone, Debug, Serialize)]
pub struct Clip {
    /// Letters.
    pub id: String,
    /// The user who made it.
    pub creator_id: String,
    /// Its title.
    pub title: String,
    /// In seconds.
    pub duration: f64,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// From when on Get Clips shows it.
    #[serde(with = "time::serde::rfc3339")]
    pub ready_at: OffsetDateTime,
}

/// Modes of a chat. Each span is present while its mode is on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChatSettings {
    pub(in crate::mock) emote_mode: bool,
    pub(in crate::mock) follower_mode: bool,
    /// Minutes.
    pub(in crate::mock) follower_mode_duration: Option<u32>,
    pub(in crate::mock) non_moderator_chat_delay: bool,
    /// Seconds.
    pub(in crate::mock) non_moderator_chat_delay_duration: Option<u32>,
    pub(in crate::mock) slow_mode: bool,
    /// Seconds.
    pub(in crate::mock) slow_mode_wait_time: Option<u32>,
    pub(in crate::mock) subscriber_mode: bool,
    pub(in crate::mock) unique_chat_mode: bool,
}

/// The chat of a channel, and what else belongs to the channel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Room {
    /// Ids of the moderators.
    pub moderators: BTreeSet<String>,
    /// Ids of the VIPs.
    pub vips: BTreeSet<String>,
    /// Bans and timeouts, by the user's id.
    pub bans: BTreeMap<String, Ban>,
    /// Oldest first.
    pub messages: VecDeque<RoomMessage>,
    /// The message that is pinned.
    pub pinned: Option<Pin>,
    /// Modes of the chat.
    pub settings: ChatSettings,
    /// Whether the shield mode is on.
    pub is_shielded: bool,
    /// Oldest first.
    pub clips: VecDeque<Clip>,
    /// Descriptions of the markers, oldest first.
    pub markers: VecDeque<String>,
}

impl Room {
    /// The message of this id, unless it was deleted.
    pub(super) fn message(&self, id: &str) -> Option<&RoomMessage> {
        self.messages.iter().find(|message| message.id == id && !message.is_deleted)
    }

    pub(super) fn delete(&mut self, id: &str) {
        self.delete_where(|message| message.id == id);
    }

    pub(super) fn delete_all_of(&mut self, user_id: &str) {
        self.delete_where(|message| message.user_id == user_id);
    }

    pub(super) fn delete_all(&mut self) {
        self.delete_where(|_| true);
    }

    /// A pinned message is no longer pinned then.
    fn delete_where(&mut self, is_wanted: impl Fn(&RoomMessage) -> bool) {
        for message in self.messages.iter_mut().filter(|message| is_wanted(message)) {
            message.is_deleted = true;
            self.pinned.take_if(|pin| pin.message_id == message.id);
        }
    }

    /// The ban or timeout of a user, while it is on.
    pub(super) fn ban(&self, user_id: &str, now: OffsetDateTime) -> Option<&Ban> {
        self.bans.get(user_id).filter(|ban| ban.is_on(now))
    }

    /// The pinned message, until its time is over.
    pub(super) fn pin(&self, now: OffsetDateTime) -> Option<&Pin> {
        self.pinned.as_ref().filter(|pin| pin.ends_at.is_none_or(|end| end > now))
    }
}

/// Keeps the last thousand.
pub(super) fn push<T>(items: &mut VecDeque<T>, item: T) {
    if items.len() >= MAX_IN_ROOM {
        items.pop_front();
    }
    items.push_back(item);
}

/// The rooms by the channel's id, and how much was done in them lately.
#[derive(Debug, Default)]
pub(in crate::mock) struct Rooms {
    rooms: BTreeMap<String, Room>,
    pub(super) windows: Windows,
    /// Sender and recipient of whispers.
    whispered: BTreeSet<(String, String)>,
}

impl Rooms {
    pub(in crate::mock) fn get(&self, channel: &str) -> Option<&Room> {
        self.rooms.get(channel)
    }

    pub(in crate::mock) fn entry(&mut self, channel: &str) -> &mut Room {
        self.rooms.entry(channel.to_owned()).or_default()
    }

    /// Whether this user has whispered to that one.
    pub(super) fn has_whispered(&self, from: &str, to: &str) -> bool {
        self.whispered.contains(&(from.to_owned(), to.to_owned()))
    }

    pub(super) fn add_whisper(&mut self, from: &str, to: &str) {
        if self.whispered.len() >= MAX_WHISPERED {
            self.whispered.clear();
        }
        self.whispered.insert((from.to_owned(), to.to_owned()));
    }

    /// Whether the user is a moderator of the channel, or its broadcaster.
    pub(in crate::mock) fn is_moderator(&self, channel: &str, user_id: &str) -> bool {
        channel == user_id || self.rooms.get(channel).is_some_and(|room| room.moderators.contains(user_id))
    }

    /// Whether the user may write faster than others.
    pub(super) fn is_privileged(&self, channel: &str, user_id: &str) -> bool {
        self.is_moderator(channel, user_id) || self.rooms.get(channel).is_some_and(|room| room.vips.contains(user_id))
    }
}
