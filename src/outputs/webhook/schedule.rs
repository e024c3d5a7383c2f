//! When an event that failed is tried again.

use std::time::Duration;

use crate::backoff::Backoff;

/// First attempts that fail in a row, after which the receiver is what is wrong, and not an event.
pub const MAX_FAILURES: u32 = 5;

/// A receiver that took nothing for so long is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(5 * 24 * 3_600);

/// Between two attempts while the receiver takes nothing.
pub const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(5 * 60) };

/// Pauses in seconds after the first attempts that fail, as Standard Webhooks
/// [proposes](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#deliverability-and-reliability):
/// about three days in all.
const PAUSES: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The pause after so many attempts, up to a tenth longer at random; `None` if there is no further attempt.
#[must_use]
pub fn pause(attempts: i32) -> Option<Duration> {
    let index = usize::try_from(attempts).ok()?.checked_sub(1)?;
    Some(Duration::from_secs(*PAUSES.get(index)?).mul_f64(rand::random_range(1.0..=1.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_take_three_days() {
        let pauses: Vec<_> = (1..).map_while(pause).collect();
        assert_eq!(pauses.len() + 1, 10);
        let hours = pauses.iter().sum::<Duration>().as_secs_f64() / 3_600.0;
        assert!((75.0..84.0).contains(&hours), "{hours}");
        assert!(pauses.is_sorted());
    }
}
