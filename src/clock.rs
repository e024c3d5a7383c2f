//! Time as a parameter: everything that needs the time takes a [`Clock`].
//!
//! [`Clock::now`] is the wall clock, for times that are stored or compared with those of other machines. A person, NTP or a
//! virtual machine may set it at any moment, back as well. Spans of time (pauses, timeouts, how long something is valid) are
//! measured by [`Clock::instant`], which only goes forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

/// The machine's clocks, moved by offsets that only tests change.
///
/// Clones share the offsets, so a test that advances its clock advances the whole program.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// The offset of the wall clock.
    wall_ms: Arc<AtomicI64>,
    /// The offset of the monotonic clock.
    monotonic_ms: Arc<AtomicU64>,
    /// Wakes all sleepers when the clock is moved.
    moved: Arc<Notify>,
}

impl Clock {
    /// The time in UTC, at the microsecond resolution in which Postgres keeps it.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
        let machine = OffsetDateTime::now_utc();
        to_microseconds(machine + Duration::milliseconds(self.wall_ms.load(Ordering::Relaxed)))
    }

    /// The monotonic time, from which spans are measured.
    #[must_use]
    pub fn instant(&self) -> Instant {
        Instant::now() + std::time::Duration::from_millis(self.monotonic_ms.load(Ordering::Relaxed))
    }

    /// Moves this clock and all its clones: forward as if time passed; back as if the wall clock was set back.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.whole_milliseconds()).unwrap_or(i64::MAX);
        self.wall_ms.fetch_add(ms, Ordering::Relaxed);
        self.monotonic_ms.fetch_add(u64::try_from(ms).unwrap_or(0), Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    /// Sleeps until [`Clock::instant`] is `at`. Advancing the clock wakes the sleeper.
    pub async fn sleep_until(&self, at: Instant) {
        loop {
            let moved = self.moved.notified();
            let left = at.saturating_duration_since(self.instant());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = moved => {}
            }
        }
    }

    /// Sleeps for this long.
    pub async fn sleep(&self, span: std::time::Duration) {
        self.sleep_until(self.instant() + span).await;
    }
}

/// Cuts a time to the microseconds that Postgres can store, so that a value compares the same
/// before and after it was stored.
#[must_use]
pub fn to_microseconds(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.microsecond() * 1_000).unwrap_or(at)
}

/// A time as texts for people have it: RFC 3339, to the second.
#[must_use]
pub fn to_text(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
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

    #[tokio::test]
    async fn span_does_not_depend_on_the_wall_clock() {
        let clock = Clock::default();
        let (wall, began) = (clock.now(), clock.instant());
        let sleep = clock.sleep_until(began + std::time::Duration::from_secs(60));
        clock.advance(Duration::hours(-1));
        assert!(clock.now() < wall - Duration::minutes(59) && clock.instant() >= began);
        clock.advance(Duration::minutes(1));
        tokio::time::timeout(std::time::Duration::from_secs(10), sleep).await.expect("a minute has passed");
    }
}
