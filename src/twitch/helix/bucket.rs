//! The [rate limit](https://dev.twitch.tv/docs/api/guide/#twitch-rate-limits): a bucket of points, usually 800 a minute,
//! which Twitch describes in every answer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;

use crate::clock::Clock;

/// The longest time until the bucket is full that is believed.
const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// The last known level of the bucket: the points left, and when it will be full again.
#[derive(Debug, Default)]
pub(super) struct Bucket(Mutex<Option<Level>>);

#[derive(Clone, Copy, Debug)]
struct Level {
    remaining: u32,
    full_at: Instant,
}

impl Bucket {
    /// Takes a point, or returns when to try again.
    pub(super) fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match level.as_mut().filter(|level| level.full_at > now) {
            Some(Level { remaining: 0, full_at }) => Err(*full_at),
            Some(Level { remaining, .. }) => {
                *remaining -= 1;
                Ok(())
            }
            None => {
                *level = None;
                Ok(())
            }
        }
    }

    /// Reads an answer's headers, and returns whether the bucket is empty: a 429 with an empty bucket is about the rate
    /// limit, any other is about something else.
    pub(super) fn observe(&self, headers: &HeaderMap, clock: &Clock) -> bool {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        let (Some(remaining), Some(reset)) = (number("ratelimit-remaining"), number("ratelimit-reset")) else {
            return false;
        };
        // A reset that is due already, by a clock that differs a little from ours, is a second away.
        let shortest = Duration::from_secs(u64::from(remaining <= 0));
        let seconds = u64::try_from(reset.saturating_sub(clock.now().unix_timestamp())).unwrap_or(0);
        let full_at = clock.instant() + Duration::from_secs(seconds).clamp(shortest, MAX_WAIT);
        let remaining = u32::try_from(remaining).unwrap_or(0);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Level { remaining, full_at });
        remaining == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `reset` is in seconds from now.
    fn headers(remaining: &str, reset: i64) -> HeaderMap {
        let reset = (Clock::default().now().unix_timestamp() + reset).to_string();
        let pairs = [("ratelimit-remaining", remaining), ("ratelimit-reset", &reset)];
        pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    /// Seconds from now, rounded, that are to be waited for a point.
    fn wait(bucket: &Bucket, now: Instant) -> Option<u64> {
        bucket.take(now).err().map(|at| (at - now + Duration::from_millis(500)).as_secs())
    }

    #[test]
    fn empty_bucket_is_left_alone_until_it_is_full() {
        let (bucket, clock) = (Bucket::default(), Clock::default());
        assert_eq!(wait(&bucket, clock.instant()), None, "nothing is known yet");
        assert!(!bucket.observe(&headers("2", 60), &clock));
        assert_eq!([(); 3].map(|()| wait(&bucket, clock.instant()).is_some()), [false, false, true]);
        clock.advance(time::Duration::hours(-1));
        assert!(wait(&bucket, clock.instant()) <= Some(60), "whatever the wall clock shows");
        clock.advance(time::Duration::seconds(60));
        assert_eq!(wait(&bucket, clock.instant()), None);
    }

    #[test]
    fn reset_is_between_a_second_and_an_hour_away() {
        let (bucket, clock) = (Bucket::default(), Clock::default());
        for (reset, seconds) in [(-5, 1), (i64::MAX / 2, 3_600)] {
            assert!(bucket.observe(&headers("0", reset), &clock));
            assert_eq!(wait(&bucket, clock.instant()), Some(seconds));
        }
    }

    #[test]
    fn answers_without_readable_headers_change_nothing() {
        let (bucket, clock) = (Bucket::default(), Clock::default());
        assert!(!bucket.observe(&HeaderMap::new(), &clock));
        let unreadable = [("ratelimit-remaining", "0"), ("ratelimit-reset", "soon")];
        let unreadable = unreadable.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        assert!(!bucket.observe(&HeaderMap::from_iter(unreadable), &clock));
        assert_eq!(wait(&bucket, clock.instant()), None);
    }
}
