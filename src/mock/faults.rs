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
}

/// A chance that isn't between 0 and 1.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is a chance: it must be a number from 0 to 1")]
pub struct InvalidChance(&'static str);

/// Faults of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct DeliveryFault {
    pub(super) delay: Duration,
    pub(super) is_doubled: bool,
    pub(super) is_held_back: bool,
    pub(super) loses_answer: bool,
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
    rng: StdRng,
}

impl Faults {
    fn check(&self) -> Result<(), InvalidChance> {
        let chances = [
            ("delay", self.delay),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("drop_answer", self.drop_answer),
            ("helix_error", self.helix_error),
            ("token_revoked", self.token_revoked),
            ("rate_limit", self.rate_limit),
            ("hide_streams", self.hide_streams),
        ];
        match chances.into_iter().find(|(_, chance)| !(0.0..=1.0).contains(chance)) {
            Some((name, _)) => Err(InvalidChance(name)),
            None => Ok(()),
        }
    }
}

impl FaultGenerator {
    /// Without faults at first.
    pub(super) fn new(seed: u64) -> Self {
        Self { settings: Faults::default(), rng: StdRng::seed_from_u64(seed) }
    }

    pub(super) fn settings(&self) -> &Faults {
        &self.settings
    }

    /// Sets the chances and countdowns from now on.
    pub(super) fn set(&mut self, settings: Faults) -> Result<(), InvalidChance> {
        settings.check()?;
        self.settings = settings;
        Ok(())
    }

    /// Draws every chance every time, so that changing one doesn't shift the others.
    pub(super) fn draw_delivery_fault(&mut self) -> DeliveryFault {
        let Faults { delay, delay_ms, duplicate, reorder, drop_answer, .. } = self.settings;
        let [is_late, is_doubled, is_held_back, loses_answer] =
            [delay, duplicate, reorder, drop_answer].map(|chance| self.draw(chance));
        let delay = if is_late { Duration::from_millis(delay_ms) } else { Duration::ZERO };
        DeliveryFault { delay, is_doubled, is_held_back, loses_answer }
    }

    pub(super) fn draw_helix_fault(&mut self) -> HelixFault {
        let Faults { helix_error, token_revoked, rate_limit, .. } = self.settings;
        let [is_failing, revokes_token, empties_bucket] =
            [helix_error, token_revoked, rate_limit].map(|chance| self.draw(chance));
        let is_next = count_down(&mut self.settings.fail_next_helix);
        HelixFault { is_failing: is_failing || is_next, revokes_token, empties_bucket }
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
    }
}
