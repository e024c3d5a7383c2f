//! Faults on purpose, as they are set. [`FaultGenerator`](super::fault_generator::FaultGenerator) draws them.

use serde::{Deserialize, Serialize};

use super::chances::is_chance;

/// Chances of faults, between 0 (never) and 1 (always) and drawn anew for each message or call, and countdowns.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Chance that a message is late by [`delay_ms`](Self::delay_ms).
    pub delay: f64,
    /// The delay, in milliseconds.
    pub delay_ms: u64,
    /// Chance that a message is sent twice at the same time.
    pub duplicate: f64,
    /// Chance that a message waits until another one has been delivered, at most two seconds.
    pub reorder: f64,
    /// Chance that the first answer of the callback is lost, so that the message is sent again.
    pub drop_answer: f64,
    /// Chance that Helix answers 503.
    pub helix_error: f64,
    /// Chance that the token of a Helix call is revoked just before the call.
    pub token_revoked: f64,
    /// Chance that the rate limit is used up just before a Helix call.
    pub rate_limit: f64,
    /// Chance that an answer of Get Streams omits all live streams, as Twitch's sometimes does.
    pub hide_streams: f64,
    /// Chance that an answer of Get Videos omits all videos, as if the channel kept none.
    pub hide_videos: f64,
    /// How many of the next Helix calls are answered 503.
    pub fail_next_helix: u32,
    /// How many of the next calls to the token and validate endpoints are answered 503.
    pub fail_next_oauth: u32,
    /// Chance that a call that changes something is late by [`delay_ms`](Self::delay_ms).
    pub action_delay: f64,
    /// Chance that the answer of such a call is late by [`delay_ms`](Self::delay_ms): what comes of it is known before.
    pub action_late_answer: f64,
    /// Chance that such a call fails, without an effect.
    pub action_fail_before: f64,
    /// The status of the answer then, if not 503.
    pub action_status_before: Option<u16>,
    /// Chance that such a call fails, though it had its effect.
    pub action_fail_after: f64,
    /// The status of the answer then, if not 500.
    pub action_status_after: Option<u16>,
    /// Chance that the connection is reset after such a call had its effect.
    pub action_reset_after: f64,
    /// Chance that a chat message or a whisper is taken and not sent.
    pub drop_message: f64,
    /// The code of the reason in the answer then, if not `msg_rejected`.
    pub drop_code: Option<String>,
    /// How many of the next such calls fail, without an effect.
    pub fail_next_action_before: u32,
    /// How many of the next such calls fail, though they had their effect.
    pub fail_next_action_after: u32,
    /// How many of the next such calls have their effect and no answer.
    pub reset_next_action_after: u32,
    /// How many of the next such calls are made with a token that has just ended.
    pub end_token_of_next_action: u32,
    /// How many of the next chat messages and whispers are taken and not sent.
    pub drop_next_message: u32,
    /// How many of the next replies are refused, as if the message that they reply to were gone.
    pub lose_next_parent: u32,
    /// How many seconds it takes until a new clip can be read, if not 3.
    pub clip_s: Option<u32>,
    /// Chance that a batch of users who come into a chat and leave it is late by [`delay_ms`](Self::delay_ms), over IRC.
    pub irc_delay: f64,
    /// Chance that such a user is sent twice.
    pub irc_repeat: f64,
    /// Chance that such a user is not sent.
    pub irc_loss: f64,
    /// Chance that a message over a WebSocket is sent twice, under the same id.
    pub ws_duplicate: f64,
    /// Chance that a message over a WebSocket waits until another one has been sent, at most two seconds.
    pub ws_reorder: f64,
    /// Chance that a message over a WebSocket is late by [`delay_ms`](Self::delay_ms).
    pub ws_delay: f64,
    /// Chance that a message of a session that has just moved to another socket is sent on the old one, after the new welcome.
    pub ws_late_on_old: f64,
    /// Chance that a socket is closed with [`ws_close_code`](Self::ws_close_code) after a message.
    pub ws_close: f64,
    /// The code that [`ws_close`](Self::ws_close) closes with; 0 is 4000.
    pub ws_close_code: u16,
    /// Chance that the connection is reset after a message, without a close frame.
    pub ws_abort: f64,
    /// Chance that nothing is sent on a socket any more after a message, not even keepalives. It still answers.
    pub ws_silence: f64,
    /// Chance that a socket is neither written nor read any more after a message, as if a cable were cut.
    pub ws_half_open: f64,
    /// How late each welcome is, in milliseconds.
    pub ws_slow_welcome_ms: u64,
    /// How many seconds the subscriptions of a lost connection stay enabled and count towards the limits.
    pub ws_zombie_s: u64,
    /// Chance that a frame of an unknown `message_type` comes before a message.
    pub ws_unknown_type: f64,
    /// Chance that a message is sent in several fragments.
    pub ws_fragment: f64,
    /// Chance that a frame of more than 1 MiB comes before a message.
    pub ws_oversize: f64,
    /// Every so many seconds each session is told to reconnect; 0 is never.
    pub reconnect_every_s: u64,
    /// Chance that the URL for reconnecting does not work: it closes with 4007.
    pub reconnect_dead_url: f64,
    /// How many of the next requests to open a WebSocket are answered 503.
    pub fail_next_upgrade: u32,
    /// How many of the next requests to create a subscription are answered 503.
    pub fail_next_subscribe: u32,
    /// How many of the next requests to delete a subscription are answered 503.
    pub fail_next_unsubscribe: u32,
}

/// Faults that can't be set.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFaults {
    /// A chance isn't between 0 and 1.
    #[error("`{0}` is a chance: it must be a number from 0 to 1")]
    Chance(&'static str),
    /// Twitch has no such close code.
    #[error("`ws_close_code` must be 1000 or one of 4000 to 4007, not {0}")]
    CloseCode(u16),
    /// A call that fails is not answered so.
    #[error("`{0}` must be a status from 400 to 599, not {1}")]
    Status(&'static str, u16),
}

impl Faults {
    pub(super) fn check(&self) -> Result<(), InvalidFaults> {
        let chances = [
            ("delay", self.delay),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("drop_answer", self.drop_answer),
            ("helix_error", self.helix_error),
            ("token_revoked", self.token_revoked),
            ("rate_limit", self.rate_limit),
            ("hide_streams", self.hide_streams),
            ("hide_videos", self.hide_videos),
            ("action_delay", self.action_delay),
            ("action_late_answer", self.action_late_answer),
            ("action_fail_before", self.action_fail_before),
            ("action_fail_after", self.action_fail_after),
            ("action_reset_after", self.action_reset_after),
            ("drop_message", self.drop_message),
            ("irc_delay", self.irc_delay),
            ("irc_repeat", self.irc_repeat),
            ("irc_loss", self.irc_loss),
            ("ws_duplicate", self.ws_duplicate),
            ("ws_reorder", self.ws_reorder),
            ("ws_delay", self.ws_delay),
            ("ws_late_on_old", self.ws_late_on_old),
            ("ws_close", self.ws_close),
            ("ws_abort", self.ws_abort),
            ("ws_silence", self.ws_silence),
            ("ws_half_open", self.ws_half_open),
            ("ws_unknown_type", self.ws_unknown_type),
            ("ws_fragment", self.ws_fragment),
            ("ws_oversize", self.ws_oversize),
            ("reconnect_dead_url", self.reconnect_dead_url),
        ];
        if let Some((name, _)) = chances.into_iter().find(|(_, chance)| !is_chance(*chance)) {
            return Err(InvalidFaults::Chance(name));
        }
        if !matches!(self.ws_close_code, 0 | 1000 | 4000..=4007) {
            return Err(InvalidFaults::CloseCode(self.ws_close_code));
        }
        let statuses =
            [("action_status_before", self.action_status_before), ("action_status_after", self.action_status_after)];
        match statuses
            .into_iter()
            .find_map(|(name, status)| Some((name, status?)).filter(|(_, it)| !(400..=599).contains(it)))
        {
            Some((name, status)) => Err(InvalidFaults::Status(name, status)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_chance_is_named() {
        assert!(Faults::default().check().is_ok());
        let error = |faults: Faults| faults.check().unwrap_err().to_string();
        let negative = Faults { rate_limit: -0.1, ..Faults::default() };
        assert_eq!(error(negative), "`rate_limit` is a chance: it must be a number from 0 to 1");
        assert!(error(Faults { delay: f64::NAN, ..Faults::default() }).contains("`delay`"));
        assert!(error(Faults { ws_close_code: 4008, ..Faults::default() }).ends_with("4000 to 4007, not 4008"));
        let status = Faults { action_status_after: Some(200), ..Faults::default() };
        assert_eq!(error(status), "`action_status_after` must be a status from 400 to 599, not 200");
    }
}
