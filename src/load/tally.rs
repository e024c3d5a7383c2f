//! Counts of answers and latencies.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::connection::Failure;

/// Highest value of the histogram, in microseconds; longer durations count as this.
const LONGEST: u64 = 60_000_000;

/// An empty histogram of microseconds, with three significant digits.
pub(super) fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants and valid")]
    Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds")
}

/// Counts of the answers on one or more connections.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) errors: BTreeMap<&'static str, u64>,
    /// Latencies of acknowledged messages, in microseconds.
    pub(super) latency: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let latency = histogram();
        Self { sent: 0, acknowledged: 0, statuses: BTreeMap::new(), errors: BTreeMap::new(), latency }
    }
}

impl Tally {
    pub(super) fn count(&mut self, answer: Result<u16, Failure>, latency: Duration) {
        self.sent += 1;
        match answer {
            Ok(status) => {
                *self.statuses.entry(status).or_default() += 1;
                if is_acknowledgement(status) {
                    self.acknowledged += 1;
                    self.latency.saturating_record(micros(latency));
                }
            }
            Err(failure) => *self.errors.entry(name(failure)).or_default() += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (name, count) in &other.errors {
            *self.errors.entry(name).or_default() += count;
        }
        // Can't fail: both have the same bounds.
        let _ = self.latency.add(&other.latency);
    }
}

/// Whether Twitch would count the message as delivered.
pub(super) fn is_acknowledgement(status: u16) -> bool {
    (200..300).contains(&status)
}

fn name(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "refused",
        Failure::Closed => "closed",
        Failure::TimedOut => "timed_out",
        Failure::Malformed => "malformed",
    }
}

/// A duration in whole microseconds.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
