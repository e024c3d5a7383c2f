//! Draws faults from a seeded generator: the same seed and the same order of events give the same faults.

use std::time::Duration;

use actix_web::http::StatusCode;

use super::chances::{Chances, count_down};
use super::faults::{Faults, InvalidFaults};

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
    /// Its token ends just before.
    pub(super) ends_token: bool,
    /// It is answered so, without an effect.
    pub(super) fails_before: Option<StatusCode>,
    /// It is answered so, though it had its effect.
    pub(super) fails_after: Option<StatusCode>,
    /// It has its effect, and the connection is reset.
    pub(super) resets_after: bool,
    /// How late the answer is.
    pub(super) answer_delay: Duration,
}

impl ActionFault {
    /// For the ledger.
    pub(super) fn name(&self) -> Option<&'static str> {
        match self {
            Self { fails_before: Some(_), .. } => Some("failed before the effect"),
            Self { resets_after: true, .. } => Some("connection reset after the effect"),
            Self { fails_after: Some(_), .. } => Some("failed after the effect"),
            _ => None,
        }
    }
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
    chances: Chances,
}

impl FaultGenerator {
    /// Without faults at first.
    pub(super) fn new(seed: u64) -> Self {
        Self { settings: Faults::default(), setting: 0, chances: Chances::new(seed) }
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

    pub(super) fn draw_unsubscribe_failure(&mut self) -> bool {
        count_down(&mut self.settings.fail_next_unsubscribe)
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
        let [is_late, is_answered_late] = [faults.action_delay, faults.action_late_answer].map(|it| self.draw(it));
        let [fails_before, fails_after, resets_after] =
            [faults.action_fail_before, faults.action_fail_after, faults.action_reset_after].map(|it| self.draw(it));
        let delay = |is_late: bool| Duration::from_millis(if is_late { faults.delay_ms } else { 0 });
        let status = |fails: bool, set: Option<u16>, default: StatusCode| {
            let status = set.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(default);
            fails.then_some(status)
        };
        let fails_before = count_down(&mut self.settings.fail_next_action_before) || fails_before;
        let fails_after = count_down(&mut self.settings.fail_next_action_after) || fails_after;
        ActionFault {
            delay: delay(is_late),
            ends_token: count_down(&mut self.settings.end_token_of_next_action),
            fails_before: status(fails_before, faults.action_status_before, StatusCode::SERVICE_UNAVAILABLE),
            fails_after: status(fails_after, faults.action_status_after, StatusCode::INTERNAL_SERVER_ERROR),
            resets_after: count_down(&mut self.settings.reset_next_action_after) || resets_after,
            answer_delay: delay(is_answered_late),
        }
    }

    pub(super) fn draw_dropped_message(&mut self) -> bool {
        let is_dropped = self.draw(self.settings.drop_message);
        count_down(&mut self.settings.drop_next_message) || is_dropped
    }

    /// Whether the message that a reply is for is gone.
    pub(super) fn draw_lost_parent(&mut self) -> bool {
        count_down(&mut self.settings.lose_next_parent)
    }

    /// How late a batch of users who come and leave is sent over IRC.
    pub(super) fn draw_membership_delay(&mut self) -> Duration {
        let is_late = self.draw(self.settings.irc_delay);
        Duration::from_millis(if is_late { self.settings.delay_ms } else { 0 })
    }

    /// How often such a user is sent.
    pub(super) fn draw_membership_copies(&mut self) -> usize {
        let [is_repeated, is_lost] = [self.settings.irc_repeat, self.settings.irc_loss].map(|chance| self.draw(chance));
        match (is_lost, is_repeated) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        }
    }

    pub(super) fn draw_hidden_streams(&mut self) -> bool {
        self.draw(self.settings.hide_streams)
    }

    pub(super) fn draw_hidden_videos(&mut self) -> bool {
        self.draw(self.settings.hide_videos)
    }

    pub(super) fn draw_oauth_failure(&mut self) -> bool {
        count_down(&mut self.settings.fail_next_oauth)
    }

    fn draw(&mut self, chance: f64) -> bool {
        self.chances.draw(chance)
    }
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
    fn call_fails_with_the_status_that_is_set() {
        let mut generator = FaultGenerator::new(0);
        let faults = Faults { fail_next_action_before: 1, action_fail_after: 1.0, ..Faults::default() };
        generator.set(Faults { action_status_before: Some(429), ..faults }).unwrap();
        let [first, second] = [generator.draw_action_fault(), generator.draw_action_fault()];
        assert_eq!(first.fails_before, Some(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!((second.fails_before, second.fails_after), (None, Some(StatusCode::INTERNAL_SERVER_ERROR)));
    }
}
