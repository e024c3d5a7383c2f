//! The heartbeats of a feed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::access::session::Session;
use crate::clock::Clock;

/// The interval of heartbeats, shorter than the idle timeouts of proxies.
const INTERVAL: Duration = Duration::from_secs(15);

/// The timer of a feed's heartbeats, which also ends when the reader's token is revoked. It is kept from frame to frame,
/// since setting a timer takes locks that all readers share.
pub(super) struct Heartbeat {
    clock: Clock,
    session: Arc<Session>,
    at: Instant,
    timer: LocalBoxFuture<'static, ()>,
}

impl Heartbeat {
    pub(super) fn new(clock: &Clock, session: &Arc<Session>) -> Self {
        let (clock, session, at) = (clock.clone(), session.clone(), clock.instant() + INTERVAL);
        let (sleeper, watched) = (clock.clone(), session.clone());
        let timer = async move {
            tokio::select! {
                () = sleeper.sleep_until(at) => {}
                () = watched.revoked() => {}
            }
        };
        Self { clock, session, at, timer: timer.boxed_local() }
    }

    /// Whether the reader's token was revoked.
    pub(super) fn is_revoked(&self) -> bool {
        self.session.is_revoked()
    }

    /// Whether it is time for the heartbeat, or to end. A feed that always has a frame ready never polls the timer.
    pub(super) fn is_due(&self) -> bool {
        self.is_revoked() || self.clock.instant() >= self.at
    }

    /// Waits until [`Heartbeat::is_due`]; not to be called once it is. Cancel-safe.
    pub(super) async fn due(&mut self) {
        (&mut self.timer).await;
    }

    /// Starts the next interval.
    pub(super) fn reset(&mut self) {
        *self = Self::new(&self.clock, &self.session);
    }
}
