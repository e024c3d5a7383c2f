//! The faults of a call, drawn by the chances that are set from a seeded generator.

use std::time::Duration;

use strum::IntoEnumIterator as _;

use super::faults::{DiscordFault, DiscordFaults, InvalidDiscordFaults};
use crate::mock::chances::{Chances, count_down};

/// The faults of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct DrawnFaults {
    pub(super) delay: Duration,
    pub(super) before: Option<DiscordFault>,
    pub(super) after: Option<DiscordFault>,
}

/// Draws faults by the chances that are set.
#[derive(Debug)]
pub(super) struct FaultGenerator {
    pub(super) settings: DiscordFaults,
    chances: Chances,
}

impl FaultGenerator {
    /// Without faults at first.
    pub(super) fn new(seed: u64) -> Self {
        Self { settings: DiscordFaults::default(), chances: Chances::new(seed) }
    }

    pub(super) fn set(&mut self, settings: DiscordFaults) -> Result<(), InvalidDiscordFaults> {
        settings.check()?;
        self.settings = settings;
        Ok(())
    }

    /// Draws every chance every time, so that changing one doesn't shift the others.
    pub(super) fn draw(&mut self) -> DrawnFaults {
        let mut drawn = DrawnFaults::default();
        for fault in DiscordFault::iter() {
            let chance = self.settings.chances.get(&fault).copied().unwrap_or_default();
            let is_drawn = self.chances.draw(chance);
            let is_next = self.settings.next.get_mut(&fault).is_some_and(count_down);
            if !(is_drawn || is_next) {
                continue;
            }
            match fault {
                DiscordFault::Delay => drawn.delay = Duration::from_millis(self.settings.delay_ms),
                fault if fault.is_after_the_effect() => drawn.after = drawn.after.or(Some(fault)),
                fault => drawn.before = drawn.before.or(Some(fault)),
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_same_faults() {
        use DiscordFault as F;
        let draw = |seed: u64, chances: &[(F, f64)]| -> Vec<DrawnFaults> {
            let mut generator = FaultGenerator::new(seed);
            let chances = chances.iter().copied().collect();
            generator.set(DiscordFaults { chances, ..DiscordFaults::default() }).unwrap();
            std::iter::repeat_with(|| generator.draw()).take(64).collect()
        };
        let few = [(F::ResetAfter, 0.5), (F::ErrorBefore, 0.2)];
        assert_eq!(draw(7, &few), draw(7, &few));
        assert_ne!(draw(7, &few), draw(8, &few));
        let after = |drawn: Vec<DrawnFaults>| drawn.iter().map(|it| it.after).collect::<Vec<_>>();
        let more = [few[0], few[1], (F::Delay, 1.0), (F::Forbidden, 0.5)];
        assert_eq!(after(draw(7, &few)), after(draw(7, &more)), "one fault does not shift another");
        assert!(draw(7, &[]).iter().all(|drawn| *drawn == DrawnFaults::default()));
    }
}
