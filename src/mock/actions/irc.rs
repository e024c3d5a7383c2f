//! What clients of IRC do in a chat: the limits and the ledger are those of Helix.

use std::sync::Arc;

use serde_json::{Value, json};
use time::Duration;

use super::chat::take_message;
use super::ledger::PerformedAction;
use super::limits::Limit;
use super::rooms::MAX_MESSAGE;
use crate::mock::state::State;
use crate::mock::world::World;

const JOINS: Limit = Limit::new("20 joins in 10 s", 20, Duration::seconds(10));

impl World {
    /// Counts an attempt to join a channel. False if it is one too many, which the ledger shows.
    pub(in crate::mock) fn count_join(&self, state: &mut State, login: &str, user_id: Option<&str>) -> bool {
        let is_allowed = state.rooms.windows.take(JOINS, login, self.config.clock.now()).is_ok();
        if !is_allowed {
            self.record(state, "join", user_id, None, Value::Null);
        }
        is_allowed
    }

    /// Writes in a chat. Returns the message's id, or the code and the text of the notice that the user gets instead, if any.
    pub(in crate::mock) fn write_over_irc(
        self: &Arc<Self>,
        state: &mut State,
        channel_id: &str,
        user_id: &str,
        text: &str,
        reply_to: Option<&str>,
    ) -> Result<String, Option<(String, &'static str)>> {
        let is_privileged = state.rooms.is_privileged(channel_id, user_id);
        if text.chars().count() > MAX_MESSAGE {
            return Err(None);
        }
        let (taken, _) = take_message(&mut state.rooms.windows, user_id, is_privileged, self.config.clock.now());
        if taken.is_err() {
            self.record(state, "say", Some(user_id), None, Value::Null);
            return Err(None);
        }
        let mut what = json!({ "sender_id": user_id, "text": text, "reply_to": reply_to });
        if let Some(reason) = self.drop_reason(state, channel_id, user_id, text) {
            what["dropped"] = reason.code.as_str().into();
            self.record(state, "say", Some(user_id), Some(channel_id), what);
            let code = match reason.code.as_str() {
                "user_timed_out" => "msg_timedout".to_owned(),
                "user_banned" => "msg_banned".to_owned(),
                _ => reason.code,
            };
            return Err(Some((code, reason.message)));
        }
        let message_id = self.write(state, channel_id, user_id, text, reply_to);
        what["message_id"] = message_id.as_str().into();
        self.record(state, "say", Some(user_id), Some(channel_id), what);
        Ok(message_id)
    }

    /// Adds to the ledger what was done, or which limit forbade it.
    fn record(
        &self,
        state: &mut State,
        action: &'static str,
        user: Option<&str>,
        channel: Option<&str>,
        effect: Value,
    ) {
        let violation = state.rooms.windows.take_exceeded();
        state.ledger.push(PerformedAction {
            at: self.config.clock.now(),
            action,
            as_user: user.map(str::to_owned),
            channel: channel.map(str::to_owned),
            effect,
            status: if channel.is_some() { 200 } else { 429 },
            refusal: None,
            violation,
            fault: None,
        });
    }
}
