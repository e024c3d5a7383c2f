//! Faults on purpose. Chances are drawn from a seeded generator: the same seed and the same order of events give the same
//! faults.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

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
    /// How many of the next Helix calls are answered 503.
    pub fail_next_helix: u32,
    /// How many of the next calls to the token and validate endpoints are answered 503.
    pub fail_next_oauth: u32,
    /// Chance that a call that changes something is late by [`delay_ms`](Self::delay_ms).
    pub action_delay: f64,
    /// Chance that such a call is answered 503, without an effect.
    pub action_fail_before: f64,
    /// Chance that such a call is answered 500, though it had its effect.
    pub action_fail_after: f64,
    /// Chance that the connection is reset after such a call had its effect.
    pub action_reset_after: f64,
    /// Chance that a chat message is taken and not sent.
    pub drop_message: f64,
    /// How many of the next such calls are answered 503, without an effect.
    pub fail_next_action_before: u32,
    /// How many of the next such calls are answered 500, though they had their effect.
    pub fail_next_action_after: u32,
    /// How many of the next such calls have their effect and no answer.
    pub reset_next_action_after: u32,
    /// How many of the next chat messages are taken and not sent.
    pub drop_next_message: u32,
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
}

/// Faults of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct DeliveryFault {
    pub(super) delay: Duration,
    pub(super) is_doubled: bool,
    pub(super) is_held_back: bool,
    pub(super) loses_answer: bool,
}

/// Faults of one message over a WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct SocketFault {
    pub(super) delay: Duration,
    pub(super) is_doubled: bool,
    pub(super) is_held_back: bool,
    pub(super) is_late_on_old: bool,
    pub(super) follows_unknown_type: bool,
    pub(super) follows_oversize: bool,
    pub(super) is_fragmented: bool,
    /// What happens to the socket after the message.
    pub(super) damage: Option<SocketDamage>,
}

/// What happens to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketDamage {
    /// It is closed with this code.
    Close(u16),
    /// The connection is reset.
    Abort,
    /// Nothing is sent any more.
    Silence,
    /// Nothing is sent or read any more.
    HalfOpen,
}

/// Faults of one Helix call that changes something.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ActionFault {
    pub(super) delay: Duration,
    /// It is answered 503, without an effect.
    pub(super) fails_before: bool,
    /// It is answered 500, though it had its effect.
    pub(super) fails_after: bool,
    /// It has its effect, and the connection is reset.
    pub(super) resets_after: bool,
}

/// Faults of one Helix call.
#[derive(Clone, Copy, Debug)]
pub(super) struct HelixFault {
    pub(super) is_failing: bool,
    pub(super) revokes_token: bool,
    pub(super) empties_bucket: bool,
}

/// Draws faults by the chances that are set.
#[derive(Debug)]
pub(super) struct FaultGenerator {
    settings: Faults,
    /// How often these were set.
    setting: u64,
    rng: StdRng,
}

impl Faults {
    fn check(&self) -> Result<(), InvalidFaults> {
        let chances = [
            ("delay", self.delay),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("drop_answer", self.drop_answer),
            ("helix_error", self.helix_error),
            ("token_revoked", self.token_revoked),
            ("rate_limit", self.rate_limit),
            ("hide_streams", self.hide_streams),
            ("action_delay", self.action_delay),
            ("action_fail_before", self.action_fail_before),
            ("action_fail_after", self.action_fail_after),
            ("action_reset_after", self.action_reset_after),
            ("drop_message", self.drop_message),
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
        match chances.into_iter().find(|(_, chance)| !(0.0..=1.0).contains(chance)) {
            Some((name, _)) => Err(InvalidFaults::Chance(name)),
            None if !matches!(self.ws_close_code, 0 | 1000 | 4000..=4007) => {
                Err(InvalidFaults::CloseCode(self.ws_close_code))
            }
            None => Ok(()),
        }
    }
}

impl FaultGenerator {
    /// Without faults at first.
    pub(super) fn new(seed: u64) -> Self {
        Self { settings: Faults::default(), setting: 0, rng: StdRng::seed_from_u64(seed) }
    }

    pub(super) fn settings(&self) -> &Faults {
        &self.settings
    }

    /// Sets the chances and countdowns from now on. Returns [`setting`](Self::setting).
    pub(super) fn set(&mut self, settings: Faults) -> Result<u64, InvalidFaults> {
        settings.check()?;
        self.settings = settings;
        self.setting += 1;
        Ok(self.setting)
    }

    /// The number of the present setting: it is another one once faults are set anew.
    pub(super) fn setting(&self) -> u64 {
        self.setting
    }

    /// Draws every chance every time, so that changing one doesn't shift the others.
    pub(super) fn draw_delivery_fault(&mut self) -> DeliveryFault {
        let Faults { delay, delay_ms, duplicate, reorder, drop_answer, .. } = self.settings;
        let [is_late, is_doubled, is_held_back, loses_answer] =
            [delay, duplicate, reorder, drop_answer].map(|chance| self.draw(chance));
        let delay = if is_late { Duration::from_millis(delay_ms) } else { Duration::ZERO };
        DeliveryFault { delay, is_doubled, is_held_back, loses_answer }
    }

    /// As [`draw_delivery_fault`](Self::draw_delivery_fault), for a message over a WebSocket.
    pub(super) fn draw_socket_fault(&mut self) -> SocketFault {
        let faults = self.settings.clone();
        let [is_late, is_doubled, is_held_back, is_late_on_old] =
            [faults.ws_delay, faults.ws_duplicate, faults.ws_reorder, faults.ws_late_on_old].map(|it| self.draw(it));
        let [follows_unknown_type, follows_oversize, is_fragmented] =
            [faults.ws_unknown_type, faults.ws_oversize, faults.ws_fragment].map(|it| self.draw(it));
        let code = if faults.ws_close_code == 0 { 4000 } else { faults.ws_close_code };
        let damages = [
            (faults.ws_close, SocketDamage::Close(code)),
            (faults.ws_abort, SocketDamage::Abort),
            (faults.ws_silence, SocketDamage::Silence),
            (faults.ws_half_open, SocketDamage::HalfOpen),
        ];
        let drawn = damages.map(|(chance, damage)| self.draw(chance).then_some(damage));
        SocketFault {
            delay: Duration::from_millis(if is_late { faults.delay_ms } else { 0 }),
            is_doubled,
            is_held_back,
            is_late_on_old,
            follows_unknown_type,
            follows_oversize,
            is_fragmented,
            damage: drawn.into_iter().flatten().next(),
        }
    }

    /// Whether the next URL for reconnecting does not work.
    pub(super) fn draw_dead_url(&mut self) -> bool {
        self.draw(self.settings.reconnect_dead_url)
    }

    pub(super) fn draw_upgrade_failure(&mut self) -> bool {
        count_down(&mut self.settings.fail_next_upgrade)
    }

    pub(super) fn draw_subscribe_failure(&mut self) -> bool {
        count_down(&mut self.settings.fail_next_subscribe)
    }

    pub(super) fn draw_helix_fault(&mut self) -> HelixFault {
        let Faults { helix_error, token_revoked, rate_limit, .. } = self.settings;
        let [is_failing, revokes_token, empties_bucket] =
            [helix_error, token_revoked, rate_limit].map(|chance| self.draw(chance));
        let is_next = count_down(&mut self.settings.fail_next_helix);
        HelixFault { is_failing: is_failing || is_next, revokes_token, empties_bucket }
    }

    pub(super) fn draw_action_fault(&mut self) -> ActionFault {
        let faults = self.settings.clone();
        let [is_late, fails_before, fails_after, resets_after] =
            [faults.action_delay, faults.action_fail_before, faults.action_fail_after, faults.action_reset_after]
                .map(|chance| self.draw(chance));
        ActionFault {
            delay: Duration::from_millis(if is_late { faults.delay_ms } else { 0 }),
            fails_before: count_down(&mut self.settings.fail_next_action_before) || fails_before,
            fails_after: count_down(&mut self.settings.fail_next_action_after) || fails_after,
            resets_after: count_down(&mut self.settings.reset_next_action_after) || resets_after,
        }
    }

    pub(super) fn draw_dropped_message(&mut self) -> bool {
        let is_dropped = self.draw(self.settings.drop_message);
        count_down(&mut self.settings.drop_next_message) || is_dropped
    }

    pub(super) fn draw_hidden_streams(&mut self) -> bool {
        self.draw(self.settings.hide_streams)
    }

    pub(super) fn draw_oauth_failure(&mut self) -> bool {
        count_down(&mut self.settings.fail_next_oauth)
    }

    /// (`random_bool` draws nothing for 0 and 1, which would shift the other chances.)
    fn draw(&mut self, chance: f64) -> bool {
        self.rng.random::<f64>() < chance
    }
}

/// Returns whether the countdown was still running.
fn count_down(counter: &mut u32) -> bool {
    let is_due = *counter > 0;
    *counter = counter.saturating_sub(1);
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw_64(seed: u64, faults: &Faults) -> Vec<DeliveryFault> {
        let mut generator = FaultGenerator::new(seed);
        generator.set(faults.clone()).unwrap();
        std::iter::repeat_with(|| generator.draw_delivery_fault()).take(64).collect()
    }

    #[test]
    fn same_seed_gives_same_faults() {
        let faults = Faults { duplicate: 0.5, drop_answer: 0.2, ..Faults::default() };
        assert_eq!(draw_64(7, &faults), draw_64(7, &faults));
        assert_ne!(draw_64(7, &faults), draw_64(8, &faults));
        let doubled = |faults| draw_64(7, faults).iter().map(|fault| fault.is_doubled).collect::<Vec<_>>();
        let more = Faults { delay: 1.0, reorder: 1.0, ..faults.clone() };
        assert_eq!(doubled(&faults), doubled(&more), "one fault does not shift another");
        assert!(draw_64(7, &Faults::default()).iter().all(|fault| *fault == DeliveryFault::default()));
    }

    #[test]
    fn same_seed_gives_same_socket_faults() {
        let faults = Faults { ws_duplicate: 0.5, ws_fragment: 0.2, ws_close: 0.1, ws_abort: 0.1, ..Faults::default() };
        let draw = |seed: u64, faults: &Faults| -> Vec<SocketFault> {
            let mut generator = FaultGenerator::new(seed);
            generator.set(faults.clone()).unwrap();
            std::iter::repeat_with(|| generator.draw_socket_fault()).take(64).collect()
        };
        assert_eq!(draw(7, &faults), draw(7, &faults));
        assert_ne!(draw(7, &faults), draw(8, &faults));
        let damages = |faults| draw(7, faults).iter().map(|fault| fault.damage).collect::<Vec<_>>();
        let more = Faults { ws_delay: 1.0, ws_oversize: 1.0, ..faults.clone() };
        assert_eq!(damages(&faults), damages(&more), "one fault does not shift another");
        assert!(damages(&faults).contains(&Some(SocketDamage::Close(4000))));
        assert!(draw(7, &Faults::default()).iter().all(|fault| *fault == SocketFault::default()));
    }

    #[test]
    fn countdown_ends_after_that_many_calls() {
        let mut generator = FaultGenerator::new(0);
        generator.set(Faults { fail_next_helix: 2, ..Faults::default() }).unwrap();
        let failing: Vec<_> = std::iter::repeat_with(|| generator.draw_helix_fault().is_failing).take(3).collect();
        assert_eq!(failing, [true, true, false]);
    }

    #[test]
    fn invalid_chance_is_named() {
        assert!(Faults::default().check().is_ok());
        let error = |faults: Faults| faults.check().unwrap_err().to_string();
        let negative = Faults { rate_limit: -0.1, ..Faults::default() };
        assert_eq!(error(negative), "`rate_limit` is a chance: it must be a number from 0 to 1");
        assert!(error(Faults { delay: f64::NAN, ..Faults::default() }).contains("`delay`"));
        assert!(error(Faults { ws_close_code: 4008, ..Faults::default() }).ends_with("4000 to 4007, not 4008"));
    }
}
