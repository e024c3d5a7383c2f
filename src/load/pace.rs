//! When the next message is due. In an open loop that follows from its number alone, however slow
//! the answers are: a server that stalls makes everything wait that was due meanwhile, and all of
//! that counts (no coordinated omission).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::report::microseconds;

/// How long messages that are due may still wait after the end before they count as not sent.
const GRACE: Duration = Duration::from_secs(5);

/// Between two looks at what is left to be sent.
const LOOK: Duration = Duration::from_millis(2);

/// A slow pace must hear of the end as well.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// When messages are sent.
#[derive(Clone, Debug)]
pub(super) enum Pace {
    /// The next one as soon as the last one is answered, until then.
    Closed(Instant),
    /// At a rate.
    Open(Arc<Tickets>),
}

/// Messages that are due and not sent yet: as many permits.
#[derive(Debug)]
pub(super) struct Tickets {
    due: Semaphore,
    taken: AtomicU64,
    begin: Instant,
    rate: NonZeroU32,
}

/// What became of an open loop's tickets.
#[derive(Debug)]
pub(super) struct Paced {
    /// How late tickets were handed out, in microseconds: by the generator's own fault.
    pub(super) late: Histogram<u64>,
    /// Messages that were due and never sent, because no connection was free.
    pub(super) not_sent: u64,
}

impl Pace {
    /// Waits until a message is due, and tells since when it is; `None` at the end.
    pub(super) async fn turn(&self, stop: &CancellationToken) -> Option<Instant> {
        match self {
            Self::Closed(end) => Some(Instant::now()).filter(|now| now < end && !stop.is_cancelled()),
            Self::Open(tickets) => {
                tickets.due.acquire().await.ok()?.forget();
                Some(tickets.due_at(tickets.taken.fetch_add(1, Ordering::Relaxed)))
            }
        }
    }
}

impl Tickets {
    pub(super) fn new(begin: Instant, rate: NonZeroU32) -> Self {
        Self { due: Semaphore::new(0), taken: AtomicU64::new(0), begin, rate }
    }

    fn due_at(&self, index: u64) -> Instant {
        let nanoseconds = u128::from(index) * 1_000_000_000 / u128::from(self.rate.get());
        self.begin + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// Hands out tickets from a thread of its own: the runtime's timer only knows milliseconds.
    pub(super) fn hand_out(self: Arc<Self>, end: Instant, stop: CancellationToken) -> JoinHandle<Paced> {
        tokio::task::spawn_blocking(move || {
            let mut late = microseconds();
            let mut given = 0_u64;
            loop {
                let due = self.due_at(given);
                if due >= end || stop.is_cancelled() {
                    break;
                }
                let now = Instant::now();
                match due.checked_duration_since(now).filter(|wait| !wait.is_zero()) {
                    Some(wait) => std::thread::sleep(wait.min(LONGEST_SLEEP)),
                    None => {
                        let first = given;
                        while self.due_at(given) <= now && self.due_at(given) < end {
                            late.saturating_record(micros(now - self.due_at(given)));
                            given += 1;
                        }
                        self.due.add_permits(usize::try_from(given - first).unwrap_or_default());
                    }
                }
            }
            let deadline = Instant::now() + GRACE;
            while self.taken.load(Ordering::Relaxed) < given && Instant::now() < deadline && !stop.is_cancelled() {
                std::thread::sleep(LOOK);
            }
            self.due.close();
            Paced { late, not_sent: given.saturating_sub(self.taken.load(Ordering::Relaxed)) }
        })
    }
}

/// In whole microseconds.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_due_follows_from_its_number_and_nothing_is_left_out() {
        let begin = Instant::now();
        let tickets = Arc::new(Tickets::new(begin, NonZeroU32::new(2_000).unwrap()));
        let stop = CancellationToken::new();
        let pacer = tickets.clone().hand_out(begin + Duration::from_millis(100), stop.clone());
        let pace = Pace::Open(tickets);
        let mut due = Vec::new();
        while let Some(at) = pace.turn(&stop).await {
            assert!(at <= Instant::now(), "handed out before it was due");
            due.push(at);
        }
        let expected: Vec<_> = (0..200).map(|index| begin + Duration::from_micros(index * 500)).collect();
        assert_eq!(due, expected);
        let paced = pacer.await.unwrap();
        assert_eq!((paced.not_sent, paced.late.len()), (0, 200));
    }

    #[tokio::test]
    async fn what_nobody_has_time_for_is_counted() {
        let begin = Instant::now();
        let tickets = Arc::new(Tickets::new(begin, NonZeroU32::new(100).unwrap()));
        let stop = CancellationToken::new();
        let pacer = tickets.clone().hand_out(begin + Duration::from_millis(50), stop.clone());
        while tickets.due.available_permits() < 5 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        assert_eq!(pacer.await.unwrap().not_sent, 5);
    }
}
