//! The memory for large bodies whose sender is not proved yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{self, Receiver, Sender};

/// The memory for large bodies at once, in bytes: room for hundreds of Twitch's largest.
const MAX_BYTES: usize = 64 << 20;

/// Bounds the memory that is held by large bodies while they arrive, over all requests. When it is used up, the body that
/// has waited longest is dropped: a genuine message arrives within milliseconds, so it is the youngest.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    max: usize,
    bodies: Mutex<Bodies>,
}

/// The bodies that are arriving.
#[derive(Debug, Default)]
struct Bodies {
    /// Their size so far.
    bytes: usize,
    /// The number of the next one.
    next: u64,
    /// By number, so the oldest is the first.
    arriving: BTreeMap<u64, Arriving>,
}

/// A body that is arriving.
#[derive(Debug)]
struct Arriving {
    bytes: usize,
    /// Dropped with the body: its reader is woken.
    _dropped: Sender<()>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self { max: MAX_BYTES, bodies: Mutex::default() }
    }
}

impl BodyBudget {
    /// Begins with a body of no bytes.
    pub(super) fn enter(&self) -> Reservation<'_> {
        let (sender, dropped) = oneshot::channel();
        let bodies = &mut *self.lock();
        let number = bodies.next;
        bodies.next += 1;
        bodies.arriving.insert(number, Arriving { bytes: 0, _dropped: sender });
        Reservation { budget: self, number, dropped }
    }

    /// The critical sections can't panic halfway.
    fn lock(&self) -> MutexGuard<'_, Bodies> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bodies {
    fn remove(&mut self, number: u64) {
        if let Some(body) = self.arriving.remove(&number) {
            self.bytes -= body.bytes;
        }
    }
}

/// The memory of one body, until it is dropped.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    budget: &'a BodyBudget,
    number: u64,
    dropped: Receiver<()>,
}

/// The body was dropped to make room for others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dropped;

impl Reservation<'_> {
    /// Counts more bytes, and drops the oldest bodies if they don't fit.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Dropped> {
        let bodies = &mut *self.budget.lock();
        bodies.arriving.get_mut(&self.number).ok_or(Dropped)?.bytes += bytes;
        bodies.bytes += bytes;
        while bodies.bytes > self.budget.max
            && let Some((_, oldest)) = bodies.arriving.pop_first()
        {
            bodies.bytes -= oldest.bytes;
        }
        if bodies.arriving.contains_key(&self.number) { Ok(()) } else { Err(Dropped) }
    }

    /// Waits until the body is dropped.
    pub(super) async fn dropped(&mut self) -> Dropped {
        let _ = (&mut self.dropped).await;
        Dropped
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.budget.lock().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn oldest_body_is_dropped_when_the_budget_is_used_up() {
        let budget = BodyBudget { max: 100, ..BodyBudget::default() };
        let mut bodies: Vec<_> = (0..3).map(|_| budget.enter()).collect();
        for body in &mut bodies {
            assert_eq!(body.grow(30), Ok(()));
        }
        assert_eq!(bodies[2].grow(20), Ok(()));
        assert_eq!(budget.lock().bytes, 80);
        assert_eq!(bodies[0].dropped().now_or_never(), Some(Dropped));
        assert_eq!((bodies[0].grow(1), bodies[1].dropped().now_or_never()), (Err(Dropped), None));
        drop(bodies.split_off(1));
        let left = budget.lock();
        assert_eq!((left.bytes, left.arriving.len()), (0, 0));
    }

    #[test]
    fn accounted_memory_never_exceeds_the_budget() {
        let budget = BodyBudget { max: 1_000, ..BodyBudget::default() };
        let mut bodies: Vec<_> = (0..50).map(|_| budget.enter()).collect();
        for round in 0..2_000 {
            let _ = bodies[round * 7 % 50].grow(round % 90);
            assert!(budget.lock().bytes <= 1_000);
        }
        assert!(budget.lock().arriving.len() < 50);
        let mut alone = budget.enter();
        assert_eq!((alone.grow(1_001), budget.lock().bytes), (Err(Dropped), 0));
    }
}
