//! The [rate limit](https://dev.twitch.tv/docs/api/guide/#twitch-rate-limits): a bucket of points, usually 800 a minute,
//! which Twitch describes in every answer.

use std::sync::{Mutex, PoisonError};

use reqwest::header::HeaderMap;
use time::OffsetDateTime;

/// The last known level of the bucket: the points left, and when it will be full again.
#[derive(Debug, Default)]
pub(super) struct Bucket(Mutex<Option<Level>>);

#[derive(Clone, Copy, Debug)]
struct Level {
    remaining: u32,
    full_at: OffsetDateTime,
}

impl Bucket {
    /// Takes a point, or returns when to try again.
    pub(super) fn take(&self, now: OffsetDateTime) -> Result<(), OffsetDateTime> {
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
    pub(super) fn observe(&self, headers: &HeaderMap, now: OffsetDateTime) -> bool {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        let (Some(remaining), Some(reset)) = (number("ratelimit-remaining"), number("ratelimit-reset")) else {
            return false;
        };
        let Ok(full_at) = OffsetDateTime::from_unix_timestamp(reset) else { return false };
        // A reset that is due already, by a clock that differs a little from ours, is a second away.
        let full_at = full_at.max(now + time::Duration::seconds(i64::from(remaining <= 0)));
        let remaining = u32::try_from(remaining).unwrap_or(0);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Level { remaining, full_at });
        remaining == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn headers(remaining: &str, reset: &str) -> HeaderMap {
        let pairs = [("ratelimit-remaining", remaining), ("ratelimit-reset", reset)];
        pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn empty_bucket_is_left_alone_until_it_is_full() {
        let bucket = Bucket::default();
        assert_eq!(bucket.take(NOW), Ok(()), "nothing is known yet");
        assert!(!bucket.observe(&headers("2", "60"), NOW));
        let full_at = NOW + Duration::MINUTE;
        assert_eq!([bucket.take(NOW), bucket.take(NOW), bucket.take(NOW)], [Ok(()), Ok(()), Err(full_at)]);
        assert_eq!(bucket.take(full_at), Ok(()));
        assert!(bucket.observe(&headers("0", "120"), full_at));
        assert_eq!(bucket.take(full_at), Err(NOW + Duration::minutes(2)));
    }

    #[test]
    fn reset_in_the_past_is_a_pause_of_a_second() {
        let bucket = Bucket::default();
        assert!(bucket.observe(&headers("0", "-5"), NOW));
        assert_eq!(bucket.take(NOW), Err(NOW + Duration::SECOND));
    }

    #[test]
    fn answers_without_readable_headers_change_nothing() {
        let bucket = Bucket::default();
        assert!(!bucket.observe(&HeaderMap::new(), NOW));
        assert!(!bucket.observe(&headers("0", "soon"), NOW));
        assert_eq!(bucket.take(NOW), Ok(()));
    }
}
