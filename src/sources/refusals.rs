//! What refused messages say about this server: a wrong clock, another webhook secret, messages that can't be read.
//!
//! All is counted since the last accepted message, which proves that clock and secret are right.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::clock::Clock;
use crate::incidents::{Incidents, Kind};
use crate::services::Services;
use crate::store::read::health::knows_subscription;
use crate::store::within;
use crate::twitch::eventsub::webhook::{Refusal, Unproved};

/// Refused messages for known subscriptions that are taken for a sign of another secret. One alone proves nothing: any
/// sender may name a subscription.
pub(super) const MIN_CLAIMS: u64 = 8;

/// Claims that are looked at in [`CLAIMS_SPAN`], so that a flood of forgeries costs next to nothing.
const MAX_CLAIMS: usize = 10;

/// The span of time for [`MAX_CLAIMS`].
const CLAIMS_SPAN: Duration = Duration::from_secs(1);

/// Time limit for looking a claimed subscription up.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(500);

/// The refusals since the last accepted message.
#[derive(Debug)]
pub(super) struct Refusals {
    incidents: Incidents,
    clock: Clock,
    pool: PgPool,
    /// Signed messages that were refused for their date.
    stale: AtomicU64,
    /// How old the last of them was, in seconds.
    age: AtomicI64,
    /// Messages without a valid signature that named a known subscription.
    claims: AtomicU64,
    /// When the last claims were looked at, the oldest first.
    looked_at: Mutex<VecDeque<Instant>>,
}

impl Refusals {
    pub(super) fn new(services: &Services) -> Self {
        Self {
            incidents: services.incidents.clone(),
            clock: services.clock.clone(),
            pool: services.pool.clone(),
            stale: AtomicU64::new(0),
            age: AtomicI64::new(0),
            claims: AtomicU64::new(0),
            looked_at: Mutex::default(),
        }
    }

    /// Forgets all: a message was accepted.
    pub(super) fn reset(&self) {
        // Written only if need be, since all threads read them.
        for count in [&self.stale, &self.claims] {
            if count.load(Ordering::Relaxed) > 0 {
                count.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Records a signed message that was refused for its date; `age` is in seconds.
    pub(super) fn record_stale(&self, age: i64) {
        self.age.store(age, Ordering::Relaxed);
        self.stale.fetch_add(1, Ordering::Relaxed);
        self.incidents.record(Kind::Stale, None, &Refusal::Stale(age));
    }

    /// Records a signed message that could not be read.
    pub(super) fn record_malformed(&self, error: &impl Display) {
        self.incidents.record(Kind::Malformed, None, error);
    }

    /// Counts a message without a valid signature if it names a known subscription. Nothing else of it is looked at.
    pub(super) async fn record_unproved(&self, unproved: Unproved) {
        if unproved.refusal != Refusal::Forged || !self.may_look() {
            return;
        }
        let Some(id) = unproved.claimed_subscription() else { return };
        drop(unproved);
        let look_up = async { knows_subscription(&mut *self.pool.acquire().await?, &id).await };
        if within(LOOKUP_TIMEOUT, look_up).await.unwrap_or(false)
            && self.claims.fetch_add(1, Ordering::Relaxed) + 1 >= MIN_CLAIMS
        {
            self.incidents.record(Kind::OtherSecret, None, "the signature does not match");
        }
    }

    /// The number of signed messages that were refused for their date, and how old the last one was, in seconds.
    pub(super) fn stale(&self) -> (u64, i64) {
        (self.stale.load(Ordering::Relaxed), self.age.load(Ordering::Relaxed))
    }

    /// The number of messages without a valid signature that named a known subscription.
    pub(super) fn claims(&self) -> u64 {
        self.claims.load(Ordering::Relaxed)
    }

    fn may_look(&self) -> bool {
        let now = self.clock.instant();
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if looked_at.len() >= MAX_CLAIMS {
            if looked_at.front().is_some_and(|at| now.saturating_duration_since(*at) < CLAIMS_SPAN) {
                return false;
            }
            looked_at.pop_front();
        }
        looked_at.push_back(now);
        true
    }
}
