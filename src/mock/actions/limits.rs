//! Limits of calls in a span of time.

use std::collections::{HashMap, VecDeque};

use actix_web::http::StatusCode;
use time::{Duration, OffsetDateTime};

/// Limit of windows that are kept; when it is reached, those that are over go.
const MAX_WINDOWS: usize = 10_000;

/// At most so many calls in any such span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::mock) struct Limit {
    name: &'static str,
    count: usize,
    span: Duration,
}

impl Limit {
    pub(super) const fn new(name: &'static str, count: usize, span: Duration) -> Self {
        Self { name, count, span }
    }
}

/// One call too many.
#[derive(Debug)]
pub(super) struct LimitExceeded(Limit);

impl From<LimitExceeded> for (StatusCode, String) {
    fn from(LimitExceeded(limit): LimitExceeded) -> Self {
        (StatusCode::TOO_MANY_REQUESTS, format!("The limit of {} is exceeded.", limit.name))
    }
}

/// What is left of a limit.
pub(super) struct Bucket {
    pub(super) limit: usize,
    pub(super) remaining: usize,
    /// When nothing counts any more.
    pub(super) full_at: OffsetDateTime,
}

/// The times of the latest calls, by limit and what it is counted for.
#[derive(Debug, Default)]
pub(in crate::mock) struct Windows {
    calls: HashMap<(Limit, String), VecDeque<OffsetDateTime>>,
    /// The name of the limit that was exceeded last, until it is taken.
    exceeded: Option<&'static str>,
}

impl Windows {
    /// Counts a call.
    ///
    /// # Errors
    /// If it is one too many; then it does not count.
    pub(super) fn take(&mut self, limit: Limit, key: &str, now: OffsetDateTime) -> Result<(), LimitExceeded> {
        self.take_all(&[(limit, key)], now)
    }

    /// Counts a call for each of these limits.
    ///
    /// # Errors
    /// If it is one too many for any of them; then it counts for none.
    pub(super) fn take_all(&mut self, limits: &[(Limit, &str)], now: OffsetDateTime) -> Result<(), LimitExceeded> {
        for (limit, key) in limits {
            if self.window(*limit, key, now).len() >= limit.count {
                self.exceeded = Some(limit.name);
                return Err(LimitExceeded(*limit));
            }
        }
        limits.iter().for_each(|(limit, key)| self.count(*limit, key, now));
        Ok(())
    }

    /// Counts a call that this limit does not refuse.
    pub(super) fn count(&mut self, limit: Limit, key: &str, now: OffsetDateTime) {
        self.window(limit, key, now).push_back(now);
    }

    pub(super) fn bucket(&mut self, limit: Limit, key: &str, now: OffsetDateTime) -> Bucket {
        let window = self.window(limit, key, now);
        let remaining = limit.count.saturating_sub(window.len());
        Bucket { limit: limit.count, remaining, full_at: window.back().map_or(now, |last| *last + limit.span) }
    }

    /// The name of the limit that was exceeded since this was asked last.
    pub(super) fn take_exceeded(&mut self) -> Option<&'static str> {
        self.exceeded.take()
    }

    /// The calls that still count.
    fn window(&mut self, limit: Limit, key: &str, now: OffsetDateTime) -> &mut VecDeque<OffsetDateTime> {
        if self.calls.len() >= MAX_WINDOWS {
            self.calls.retain(|(limit, _), calls| calls.back().is_some_and(|last| *last + limit.span > now));
        }
        let calls = self.calls.entry((limit, key.to_owned())).or_default();
        while calls.front().is_some_and(|first| *first + limit.span <= now) {
            calls.pop_front();
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn window_slides() {
        let limit = Limit::new("two in ten seconds", 2, Duration::seconds(10));
        let (mut windows, start) = (Windows::default(), datetime!(2026-01-01 00:00 UTC));
        let mut take = |key: &str, second: i64| windows.take(limit, key, start + Duration::seconds(second)).is_ok();
        assert_eq!([take("a", 0), take("a", 9), take("a", 9), take("b", 9)], [true, true, false, true]);
        assert_eq!([take("a", 10), take("a", 18), take("a", 19)], [true, false, true]);
    }

    #[test]
    fn call_that_one_limit_refuses_counts_for_none() {
        let [one, two] = [1, 2].map(|count| Limit::new("a few in ten seconds", count, Duration::seconds(10)));
        let (mut windows, now) = (Windows::default(), datetime!(2026-01-01 00:00 UTC));
        assert!(windows.take_all(&[(two, "all"), (one, "a")], now).is_ok());
        assert!(windows.take_all(&[(two, "all"), (one, "a")], now).is_err());
        assert_eq!([windows.take_exceeded(), windows.take_exceeded()], [Some("a few in ten seconds"), None]);
        assert!(windows.take_all(&[(two, "all"), (one, "b")], now).is_ok());
        assert_eq!(windows.bucket(two, "all", now).remaining, 0);
    }
}
