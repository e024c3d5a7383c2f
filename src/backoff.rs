//! Exponential backoff with jitter: how long to wait between attempts, everywhere in the program.

use std::time::Duration;

/// Pauses that double from one attempt to the next.
///
/// A value, not a retry loop such as `backon` has: of its users only HTTP calls are a loop around one future. The
/// subscriptions' next attempt is a time in the database, and the private Postgres may run for hours between failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Backoff {
    /// The pause after so many failures in a row. Up to half of it is left out at random, so that callers that failed
    /// together do not come back together.
    #[must_use]
    pub fn pause(self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.max).mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_less_up_to_half() {
        let backoff = Backoff { first: Duration::from_secs(2), max: Duration::from_secs(30) };
        for (failures, full) in [(0, 2), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (6, 30), (u32::MAX, 30)] {
            let full = Duration::from_secs(full);
            for _ in 0..100 {
                let pause = backoff.pause(failures);
                assert!((full / 2..=full).contains(&pause), "{failures}: {pause:?}");
            }
        }
    }
}
