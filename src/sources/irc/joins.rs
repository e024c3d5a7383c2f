//! How fast channels may be joined: 20 in ten seconds for each account
//! (<https://dev.twitch.tv/docs/chat/#rate-limits>). A tenth of that is left to others who use the account, and two seconds to the way
//! there, since lines that are sent ten seconds apart may arrive closer together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Also the most channels of a line, which with this many has less than IRC's 512 bytes.
pub(super) const MAX_JOINS: usize = 18;
const SPAN: Duration = Duration::from_secs(12);

/// Counts joins. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Joins(Arc<Mutex<VecDeque<Instant>>>);

impl Joins {
    /// Takes as many of the wanted joins as there may be now. If there are fewer, also returns when there may be more.
    pub(super) fn take(&self, wanted: usize, now: Instant) -> (usize, Option<Instant>) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.front().is_some_and(|at| now.saturating_duration_since(*at) >= SPAN) {
            taken.pop_front();
        }
        let count = wanted.min(MAX_JOINS - taken.len());
        taken.extend(std::iter::repeat_n(now, count));
        let next_at = (count < wanted).then(|| taken.front().map(|first| *first + SPAN)).flatten();
        (count, next_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_of_all_connections_count_together() {
        let (joins, now) = (Joins::default(), Instant::now());
        assert_eq!(joins.take(10, now), (10, None));
        assert_eq!(joins.clone().take(10, now + SPAN / 2), (8, Some(now + SPAN)));
        assert_eq!(joins.take(20, now + SPAN), (10, Some(now + SPAN / 2 + SPAN)));
    }
}
