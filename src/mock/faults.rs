//! What goes wrong on purpose. Chances are drawn from the seeded generator, so that the same seed
//! and the same order of events bring the same faults.

use std::time::Duration;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::state::State;

/// How often what goes wrong: chances between 0 (never) and 1 (always), drawn anew for each message
/// or call, and countdowns.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// A message is late by [`delay_ms`](Self::delay_ms).
    pub delay: f64,
    /// Milliseconds.
    pub delay_ms: u64,
    /// A message is sent twice at the same time.
    pub duplicate: f64,
    /// A message waits until another one has been delivered, at most two seconds.
    pub reorder: f64,
    /// The first answer of the callback gets lost, so the message is sent again.
    pub drop_answer: f64,
    /// Helix answers 503.
    pub helix_error: f64,
    /// The token of a Helix call is revoked just before.
    pub token_revoked: f64,
    /// The rate limit is used up just before a Helix call.
    pub rate_limit: f64,
    /// An answer of Get Streams lacks all that are live, as now and then happens.
    pub hide_streams: f64,
    /// So many of the next Helix calls are answered 503.
    pub fail_next_helix: u32,
    /// So many of the next calls to the token and validate endpoints are answered 503.
    pub fail_next_oauth: u32,
}

/// What will go wrong with one message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fate {
    pub(super) delay: Duration,
    pub(super) is_doubled: bool,
    pub(super) is_held_back: bool,
    pub(super) loses_answer: bool,
}

/// What will go wrong with one call of Helix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mishap {
    pub(super) is_failing: bool,
    pub(super) revokes_token: bool,
    pub(super) empties_bucket: bool,
}

impl Faults {
    /// The name of a chance that is none.
    pub(super) fn wrong_chance(&self) -> Option<&'static str> {
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
        chances.into_iter().find(|(_, chance)| !(0.0..=1.0).contains(chance)).map(|(name, _)| name)
    }
}

impl State {
    /// Every chance is drawn every time, so that changing one doesn't shift the others.
    pub(super) fn draw_fate(&mut self) -> Fate {
        let Faults { delay, delay_ms, duplicate, reorder, drop_answer, .. } = self.faults;
        let [is_late, is_doubled, is_held_back, loses_answer] =
            [delay, duplicate, reorder, drop_answer].map(|chance| self.draw(chance));
        let delay = if is_late { Duration::from_millis(delay_ms) } else { Duration::ZERO };
        Fate { delay, is_doubled, is_held_back, loses_answer }
    }

    pub(super) fn draw_mishap(&mut self) -> Mishap {
        let Faults { helix_error, token_revoked, rate_limit, .. } = self.faults;
        let [is_failing, revokes_token, empties_bucket] =
            [helix_error, token_revoked, rate_limit].map(|chance| self.draw(chance));
        let is_next = count_down(&mut self.faults.fail_next_helix);
        Mishap { is_failing: is_failing || is_next, revokes_token, empties_bucket }
    }

    /// (`random_bool` draws nothing when there is nothing to decide.)
    fn draw(&mut self, chance: f64) -> bool {
        self.rng.random::<f64>() < chance
    }

    pub(super) fn draw_hiding(&mut self) -> bool {
        self.draw(self.faults.hide_streams)
    }

    pub(super) fn draw_oauth_failure(&mut self) -> bool {
        count_down(&mut self.faults.fail_next_oauth)
    }
}

fn count_down(counter: &mut u32) -> bool {
    let is_due = *counter > 0;
    *counter = counter.saturating_sub(1);
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::MockConfig;

    fn fates(seed: u64, faults: &Faults) -> Vec<Fate> {
        let mut state = State::new(&MockConfig { seed, ..MockConfig::default() }).unwrap();
        state.faults = faults.clone();
        std::iter::repeat_with(|| state.draw_fate()).take(64).collect()
    }

    #[test]
    fn the_same_seed_brings_the_same_faults() {
        let faults = Faults { duplicate: 0.5, drop_answer: 0.2, ..Faults::default() };
        assert_eq!(fates(7, &faults), fates(7, &faults));
        assert_ne!(fates(7, &faults), fates(8, &faults));
        let doubled = |faults| fates(7, faults).iter().map(|fate| fate.is_doubled).collect::<Vec<_>>();
        let more = Faults { delay: 1.0, reorder: 1.0, ..faults.clone() };
        assert_eq!(doubled(&faults), doubled(&more), "one fault does not shift another");
        assert!(fates(7, &Faults::default()).iter().all(|fate| *fate == Fate::default()));
    }

    #[test]
    fn countdowns_count_down() {
        let mut state = State::new(&MockConfig::default()).unwrap();
        state.faults.fail_next_helix = 2;
        let failing: Vec<_> = std::iter::repeat_with(|| state.draw_mishap().is_failing).take(3).collect();
        assert_eq!(failing, [true, true, false]);
    }

    #[test]
    fn what_is_no_chance_is_named() {
        assert_eq!(Faults::default().wrong_chance(), None);
        assert_eq!(Faults { rate_limit: -0.1, ..Faults::default() }.wrong_chance(), Some("rate_limit"));
        assert_eq!(Faults { delay: f64::NAN, ..Faults::default() }.wrong_chance(), Some("delay"));
    }
}
