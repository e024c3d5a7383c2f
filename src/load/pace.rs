//! When messages are due. In an open loop that follows from their numbers alone, however slow the answers are. When a server
//! stalls, all messages that were due meanwhile wait, and their waiting counts (no coordinated omission).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::tally::{histogram, micros};

/// How long due messages may still wait after the end before they count as not sent.
const GRACE: Duration = Duration::from_secs(5);

/// Interval at which the remaining messages are checked.
const POLL: Duration = Duration::from_millis(2);

/// Longest sleep of the scheduling thread, so that it notices the end at low rates too.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// When messages are sent.
#[derive(Clone, Debug)]
pub(super) enum Pace {
    /// Each connection sends the next message when the last one is answered, until this time.
    Closed(Instant),
    /// At a fixed rate.
    Open(Arc<Schedule>),
}

/// Schedule of an open loop.
#[derive(Debug)]
pub(super) struct Schedule {
    /// A permit for each message that is due and not sent yet.
    due: Semaphore,
    taken: AtomicU64,
    begin: Instant,
    rate: NonZeroU32,
}

/// How well the generator kept its schedule.
#[derive(Debug)]
pub(super) struct Adherence {
    /// How late messages were released, in microseconds, because of the generator itself.
    pub(super) late: Histogram<u64>,
    /// Messages that were due but not sent, because no connection was free.
    pub(super) not_sent: u64,
}

impl Pace {
    /// Waits until a message is due, and returns the time at which it was due; `None` at the end.
    pub(super) async fn next_due(&self, stop: &CancellationToken) -> Option<Instant> {
        match self {
            Self::Closed(end) => Some(Instant::now()).filter(|now| now < end && !stop.is_cancelled()),
            Self::Open(schedule) => {
                schedule.due.acquire().await.ok()?.forget();
                Some(schedule.due_at(schedule.taken.fetch_add(1, Ordering::Relaxed)))
            }
        }
    }
}

impl Schedule {
    pub(super) fn new(begin: Instant, rate: NonZeroU32) -> Self {
        Self { due: Semaphore::new(0), taken: AtomicU64::new(0), begin, rate }
    }

    fn due_at(&self, index: u64) -> Instant {
        let nanoseconds = u128::from(index) * 1_000_000_000 / u128::from(self.rate.get());
        self.begin + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// Releases messages when they are due, from a thread of its own: tokio's timer has a resolution of a millisecond.
    pub(super) fn run(self: Arc<Self>, end: Instant, stop: CancellationToken) -> JoinHandle<Adherence> {
        tokio::task::spawn_blocking(move || {
            let mut late = histogram();
            let mut released = 0_u64;
            loop {
                let due = self.due_at(released);
                if due >= end || stop.is_cancelled() {
                    break;
                }
                let now = Instant::now();
                match due.checked_duration_since(now).filter(|wait| !wait.is_zero()) {
                    Some(wait) => std::thread::sleep(wait.min(LONGEST_SLEEP)),
                    None => {
                        let first = released;
                        while self.due_at(released) <= now && self.due_at(released) < end {
                            late.saturating_record(micros(now - self.due_at(released)));
                            released += 1;
                        }
                        self.due.add_permits(usize::try_from(released - first).unwrap_or_default());
                    }
                }
            }
            let deadline = Instant::now() + GRACE;
            while self.taken.load(Ordering::Relaxed) < released && Instant::now() < deadline && !stop.is_cancelled() {
                std::thread::sleep(POLL);
            }
            self.due.close();
            Adherence { late, not_sent: released.saturating_sub(self.taken.load(Ordering::Relaxed)) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn due_times_follow_from_the_numbers_and_none_is_left_out() {
        let begin = Instant::now();
        let schedule = Arc::new(Schedule::new(begin, NonZeroU32::new(2_000).unwrap()));
        let stop = CancellationToken::new();
        let pacer = schedule.clone().run(begin + Duration::from_millis(100), stop.clone());
        let pace = Pace::Open(schedule);
        let mut due = Vec::new();
        while let Some(at) = pace.next_due(&stop).await {
            assert!(at <= Instant::now(), "released before it was due");
            due.push(at);
        }
        let expected: Vec<_> = (0..200).map(|index| begin + Duration::from_micros(index * 500)).collect();
        assert_eq!(due, expected);
        let adherence = pacer.await.unwrap();
        assert_eq!((adherence.not_sent, adherence.late.len()), (0, 200));
    }

    #[tokio::test]
    async fn messages_without_a_free_connection_are_counted() {
        let begin = Instant::now();
        let schedule = Arc::new(Schedule::new(begin, NonZeroU32::new(100).unwrap()));
        let stop = CancellationToken::new();
        let pacer = schedule.clone().run(begin + Duration::from_millis(50), stop.clone());
        while schedule.due.available_permits() < 5 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        assert_eq!(pacer.await.unwrap().not_sent, 5);
    }
}
