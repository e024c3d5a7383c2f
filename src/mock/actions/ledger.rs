//! Every call that meant to change something, and what came of it.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// Limit of calls in the ledger; the oldest go.
const MAX_CALLS: usize = 10_000;

/// A call that meant to change something.
#[derive(Clone, Debug, Serialize)]
pub struct PerformedAction {
    /// When it took effect or was refused.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What was called, such as `say`, `ban` or `clip`.
    pub action: &'static str,
    /// The user whose token it was; `None` for the application's.
    pub as_user: Option<String>,
    /// The channel's id; `None` if the call was refused.
    pub channel: Option<String>,
    /// What it did, by action; `null` if the call was refused.
    pub effect: Value,
    /// The status of the answer, before a fault changed it.
    pub status: u16,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// The limit of Twitch's that it exceeded.
    pub violation: Option<&'static str>,
    /// What went wrong on purpose.
    pub fault: Option<&'static str>,
}

/// What a call did.
pub(super) struct Effect {
    pub(super) channel: String,
    pub(super) what: Value,
}

impl Effect {
    pub(super) fn new(channel: &str, what: Value) -> Self {
        Self { channel: channel.to_owned(), what }
    }

    /// On a user of the channel.
    pub(super) fn on_user(channel: &str, user_id: &str) -> Self {
        Self::new(channel, json!({ "user_id": user_id }))
    }
}

/// The last ten thousand calls, oldest first.
#[derive(Debug, Default)]
pub(in crate::mock) struct Ledger(VecDeque<PerformedAction>);

impl Ledger {
    pub(super) fn push(&mut self, action: PerformedAction) {
        if self.0.len() >= MAX_CALLS {
            self.0.pop_front();
        }
        self.0.push_back(action);
    }

    pub(in crate::mock) fn iter(&self) -> impl DoubleEndedIterator<Item = &PerformedAction> {
        self.0.iter()
    }
}
