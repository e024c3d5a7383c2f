//! Seeded chances and countdowns, of which faults are made: the same seed and the same order of draws give the same faults.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A seeded generator of chances.
#[derive(Debug)]
pub(super) struct Chances(StdRng);

impl Chances {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Returns whether this chance came true. (`random_bool` draws nothing for 0 and 1, which would shift the other chances.)
    pub(super) fn draw(&mut self, chance: f64) -> bool {
        self.0.random::<f64>() < chance
    }
}

/// Whether this is a chance.
pub(super) fn is_chance(chance: f64) -> bool {
    (0.0..=1.0).contains(&chance)
}

/// Returns whether the countdown was still running.
pub(super) fn count_down(counter: &mut u32) -> bool {
    let is_due = *counter > 0;
    *counter = counter.saturating_sub(1);
    is_due
}
