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

/// The times of the latest calls, by limit and what it is counted for.
#[derive(Debug, Default)]
pub(in crate::mock) struct Windows(HashMap<(Limit, String), VecDeque<OffsetDateTime>>);

impl Windows {
    /// Counts a call.
    ///
    /// # Errors
    /// If it is one too many; then it does not count.
    pub(super) fn take(&mut self, limit: Limit, key: &str, now: OffsetDateTime) -> Result<(), LimitExceeded> {
        if self.0.len() >= MAX_WINDOWS {
            self.0.retain(|(limit, _), calls| calls.back().is_some_and(|last| *last + limit.span > now));
        }
        let calls = self.0.entry((limit, key.to_owned())).or_default();
        while calls.front().is_some_and(|first| *first + limit.span <= now) {
            calls.pop_front();
        }
        if calls.len() >= limit.count {
            return Err(LimitExceeded(limit));
        }
        calls.push_back(now);
        Ok(())
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
}
