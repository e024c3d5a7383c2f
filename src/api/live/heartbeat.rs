//! The heartbeats of a feed.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use time::OffsetDateTime;

use crate::clock::Clock;

/// The interval of heartbeats, shorter than the idle timeouts of proxies. At each, the reader's token is checked.
const INTERVAL: Duration = Duration::from_secs(15);

/// The timer of a feed's heartbeats. It is kept from frame to frame, since setting a timer takes locks that all readers
/// share.
pub(super) struct Heartbeat {
    clock: Clock,
    at: OffsetDateTime,
    timer: LocalBoxFuture<'static, ()>,
    /// Whether the timer has ended: it must not be polled again, even if the clock is put back.
    is_over: bool,
}

impl Heartbeat {
    pub(super) fn new(clock: &Clock) -> Self {
        let (clock, at) = (clock.clone(), clock.now() + INTERVAL);
        let sleeper = clock.clone();
        Self { clock, at, timer: async move { sleeper.sleep_until(at).await }.boxed_local(), is_over: false }
    }

    /// Whether it is time for the heartbeat. A feed that always has a frame ready never polls the timer.
    pub(super) fn is_due(&self) -> bool {
        self.is_over || self.clock.now() >= self.at
    }

    /// Waits until [`Heartbeat::is_due`]; not to be called once it is. Cancel-safe.
    pub(super) async fn due(&mut self) {
        (&mut self.timer).await;
        self.is_over = true;
    }

    /// Starts the next interval.
    pub(super) fn reset(&mut self) {
        *self = Self::new(&self.clock);
    }
}
