//! What happened: calls with their answers, and changes of messages with their pings.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use time::OffsetDateTime;

use super::faults::DiscordFault;
use super::mentions::Mentions;
use super::message::DiscordMessage;
use super::snowflake::Snowflake;

/// Limit of calls and of changes; the oldest go.
const MAX_ENTRIES: usize = 100_000;

/// A call of the API. The token is not part of it.
#[derive(Clone, Debug, Serialize)]
pub struct DiscordCall {
    /// When it was answered.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What was called, such as `execute`.
    pub call: &'static str,
    /// The webhook, if it was a call of one.
    pub webhook_id: Option<Snowflake>,
    /// The status of the answer, as it was before a fault took it away.
    pub status: u16,
    /// Discord's code, if it was an error that has one.
    pub code: Option<u64>,
    /// The fault that it met.
    pub fault: Option<DiscordFault>,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was posted.
    Created,
    /// It was edited.
    Edited,
    /// It was deleted.
    Deleted,
    /// It was published to followers.
    Published,
}

/// A change of a message.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What happened.
    pub kind: ChangeKind,
    /// The message.
    pub message_id: Snowflake,
    /// Where it is.
    pub channel_id: Snowflake,
    /// The webhook that wrote it.
    pub webhook_id: Snowflake,
    /// What it pinged: nothing, unless it was created.
    pub pings: Mentions,
    /// Whether these pings notified a person.
    pub is_notifying: bool,
}

impl Change {
    fn new(message: &DiscordMessage, kind: ChangeKind, at: OffsetDateTime) -> Self {
        let DiscordMessage { id, channel_id, webhook_id, .. } = *message;
        let pings = Mentions::default();
        Self { at, kind, message_id: id, channel_id, webhook_id, pings, is_notifying: false }
    }

    pub(super) fn created(message: &DiscordMessage) -> Self {
        let (pings, is_notifying) = (message.pings.clone(), message.is_notifying());
        Self { pings, is_notifying, ..Self::new(message, ChangeKind::Created, message.created_at) }
    }

    pub(super) fn edited(message: &DiscordMessage, at: OffsetDateTime) -> Self {
        Self::new(message, ChangeKind::Edited, at)
    }

    pub(super) fn deleted(message: &DiscordMessage, at: OffsetDateTime) -> Self {
        Self::new(message, ChangeKind::Deleted, at)
    }

    pub(super) fn published(message: &DiscordMessage, at: OffsetDateTime) -> Self {
        Self::new(message, ChangeKind::Published, at)
    }
}

/// Calls and changes, oldest first.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) calls: VecDeque<DiscordCall>,
    pub(super) changes: VecDeque<Change>,
    /// Number of calls by what was called and the status: `execute 200`.
    pub(super) counts: BTreeMap<String, u64>,
}

impl Ledger {
    pub(super) fn call(&mut self, call: DiscordCall) {
        *self.counts.entry(format!("{} {}", call.call, call.status)).or_default() += 1;
        push(&mut self.calls, call);
    }

    pub(super) fn change(&mut self, change: Change) {
        push(&mut self.changes, change);
    }
}

fn push<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() >= MAX_ENTRIES {
        entries.pop_front();
    }
    entries.push_back(entry);
}
