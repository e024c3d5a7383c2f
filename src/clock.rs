//! Time as a parameter: everything that needs the time takes a [`Clock`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

/// The current time in UTC: the machine's, moved by an offset that only tests change.
///
/// Clones share the offset, so a test that advances its clock advances the whole program.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
    /// Wakes all sleepers when the clock is moved.
    moved: Arc<Notify>,
}

impl Clock {
    /// The time now, at the microsecond resolution in which Postgres keeps it.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
        let machine = OffsetDateTime::now_utc();
        to_microseconds(machine + Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed)))
    }

    /// Moves this clock and all its clones forward (or back, if negative).
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.whole_milliseconds()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(ms, Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    /// Sleeps until this clock shows `at`, so that advancing it wakes the sleeper.
    pub async fn sleep_until(&self, at: OffsetDateTime) {
        loop {
            let moved = self.moved.notified();
            let Ok(left) = std::time::Duration::try_from(at - self.now()) else { return };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = moved => {}
            }
        }
    }

    /// Sleeps for this long by this clock.
    pub async fn sleep(&self, span: std::time::Duration) {
        self.sleep_until(self.now() + span).await;
    }
}

/// Cuts a time to the microseconds that Postgres can store, so that a value compares the same
/// before and after it was stored.
#[must_use]
pub fn to_microseconds(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.microsecond() * 1_000).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn advancing_a_clock_wakes_its_sleepers() {
        let clock = Clock::default();
        let sleeper = clock.clone();
        let asleep = tokio::spawn(async move { sleeper.sleep(std::time::Duration::from_secs(3_600)).await });
        let began = std::time::Instant::now();
        while !asleep.is_finished() {
            assert!(began.elapsed().as_secs() < 10, "still asleep");
            clock.advance(Duration::minutes(20));
            tokio::task::yield_now().await;
        }
    }
}
