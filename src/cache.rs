//! A cache of what other servers answer: one look-up per key and hour.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use crate::clock::Clock;

/// How long a value is kept before it is looked up again.
pub const TTL: Duration = Duration::from_secs(60 * 60);

/// How long nothing is looked up after a failure.
pub const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Time limit for a look-up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// Values by key, at most so many. Beyond, the one that was not asked for longest is forgotten.
#[derive(Debug)]
pub struct Cache<K, T> {
    clock: Clock,
    max: usize,
    entries: Mutex<HashMap<K, Entry<T>>>,
}

#[derive(Debug)]
struct Entry<T> {
    asked_at: Instant,
    slot: Arc<Slot<T>>,
}

/// What was looked up; those who ask at the same time wait for one look-up.
type Slot<T> = AsyncMutex<Option<Answer<T>>>;

#[derive(Debug)]
struct Answer<T> {
    /// `None` if it could never be looked up.
    value: Option<Arc<T>>,
    /// Why the last look-up failed.
    problem: Option<String>,
    /// Until when it counts.
    until: Instant,
}

/// What is known of a key.
#[derive(Debug)]
pub struct Cached<T> {
    /// The newest value; `None` if it could never be looked up.
    pub value: Option<Arc<T>>,
    /// Why the last look-up failed, after which an older value counts longer.
    pub problem: Option<String>,
}

impl<K: Clone + Eq + Hash, T> Cache<K, T> {
    /// Empty, for this many keys.
    #[must_use]
    pub fn new(clock: Clock, max: usize) -> Self {
        Self { clock, max, entries: Mutex::default() }
    }

    /// The value of a key, looked up first if it is missing or old. A failure is logged as "`what` can't be looked up".
    pub async fn get<E: Display>(&self, key: &K, what: &str, look_up: impl Future<Output = Result<T, E>>) -> Cached<T> {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some(answer) = slot.as_ref().filter(|answer| answer.until > self.clock.instant()) {
            return answer.cached();
        }
        let (value, problem) = match timeout(LOOK_UP_TIMEOUT, look_up).await {
            Ok(Ok(value)) => (Some(Arc::new(value)), None),
            Ok(Err(error)) => (None, Some(error.to_string())),
            Err(_) => (None, Some("no answer in time".to_owned())),
        };
        let before = slot.take().and_then(|answer| answer.value);
        let span = if problem.is_some() { AFTER_FAILURE } else { TTL };
        if let Some(problem) = &problem {
            tracing::warn!(error = problem, "{what} can't be looked up");
        }
        let answer = Answer { value: value.or(before), problem, until: self.clock.instant() + span };
        slot.insert(answer).cached()
    }

    /// The place of a key.
    fn slot(&self, key: &K) -> Arc<Slot<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.max && !entries.contains_key(key) {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.asked_at).map(|(key, _)| key.clone());
            oldest.and_then(|key| entries.remove(&key));
        }
        let asked_at = self.clock.instant();
        let entry = entries.entry(key.clone()).or_insert_with(|| Entry { asked_at, slot: Arc::default() });
        entry.asked_at = asked_at;
        Arc::clone(&entry.slot)
    }
}

impl<T> Answer<T> {
    fn cached(&self) -> Cached<T> {
        Cached { value: self.value.clone(), problem: self.problem.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known of a key after a look-up that would have this outcome.
    async fn get(
        cache: &Cache<u8, &'static str>,
        key: u8,
        outcome: Result<&'static str, &str>,
    ) -> Option<&'static str> {
        cache.get(&key, "a test", async { outcome }).await.value.map(|value| *value)
    }

    #[tokio::test]
    async fn value_is_kept_until_it_is_old_and_longer_after_a_failure() {
        let clock = Clock::default();
        let cache = Cache::new(clock.clone(), 10);
        assert_eq!(get(&cache, 1, Err("away")).await, None);
        assert_eq!(get(&cache, 1, Ok("too soon")).await, None);
        clock.advance(AFTER_FAILURE.try_into().unwrap());
        assert_eq!(get(&cache, 1, Ok("first")).await, Some("first"));
        assert_eq!(get(&cache, 1, Ok("second")).await, Some("first"));
        clock.advance(TTL.try_into().unwrap());
        assert_eq!(get(&cache, 1, Err("away")).await, Some("first"));
        let cached = cache.get(&1, "a test", async { Ok::<_, &str>("too soon") }).await;
        assert_eq!((cached.value.as_deref(), cached.problem.as_deref()), (Some(&"first"), Some("away")));
        clock.advance(AFTER_FAILURE.try_into().unwrap());
        assert_eq!(get(&cache, 1, Ok("second")).await, Some("second"));
    }

    #[tokio::test]
    async fn key_that_was_not_asked_for_longest_is_forgotten() {
        let clock = Clock::default();
        let cache = Cache::new(clock.clone(), 2);
        for (key, value) in [(1, "one"), (2, "two"), (1, "later"), (3, "three")] {
            get(&cache, key, Ok(value)).await;
            clock.advance(time::Duration::seconds(1));
        }
        assert_eq!(get(&cache, 1, Ok("again")).await, Some("one"));
        assert_eq!(get(&cache, 2, Ok("again")).await, Some("again"));
    }
}
