//! The places for readers, shared among the tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::access::TokenHash;

/// A fixed number of places. A token may hold as many as are left free: one alone half of them, two a third each, and so on.
/// So there is always room for the first readers of another token, and no number has to be configured.
#[derive(Debug)]
pub(super) struct Places {
    total: usize,
    /// The places that each token holds, and their sum.
    held: Mutex<(HashMap<TokenHash, usize>, usize)>,
}

impl Places {
    pub(super) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self { total, held: Mutex::default() })
    }

    /// The number of places that are held.
    pub(super) fn taken(&self) -> usize {
        self.lock().1
    }

    /// Takes a place for this token.
    ///
    /// # Errors
    /// The number of places that the token holds, if that is its share.
    pub(super) fn take(self: &Arc<Self>, token: TokenHash) -> Result<Place, usize> {
        let (by_token, taken) = &mut *self.lock();
        let held = by_token.get(&token).copied().unwrap_or_default();
        if held >= self.total - *taken {
            return Err(held);
        }
        by_token.insert(token, held + 1);
        *taken += 1;
        Ok(Place { places: self.clone(), token })
    }

    /// The critical sections can't panic halfway.
    fn lock(&self) -> MutexGuard<'_, (HashMap<TokenHash, usize>, usize)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    token: TokenHash,
}

impl Drop for Place {
    fn drop(&mut self) {
        let (by_token, taken) = &mut *self.places.lock();
        *taken -= 1;
        if let Some(held) = by_token.get_mut(&self.token) {
            *held -= 1;
            if *held == 0 {
                by_token.remove(&self.token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(places: &Arc<Places>, token: &str) -> Vec<Place> {
        std::iter::from_fn(|| places.take(TokenHash::new(token)).ok()).take(1_000).collect()
    }

    #[test]
    fn tokens_leave_places_for_others() {
        let places = Places::new(100);
        let greedy: Vec<_> = ["a", "b", "c"].iter().map(|token| fill(&places, token)).collect();
        assert_eq!(greedy.iter().map(Vec::len).collect::<Vec<_>>(), [50, 25, 13]);
        let owner = fill(&places, "owner");
        assert_eq!((owner.len(), places.take(TokenHash::new("a")).unwrap_err()), (6, 50));
        assert_eq!(places.taken(), 94);
        drop(greedy);
        assert_eq!(fill(&places, "owner").len(), 44);
    }

    #[test]
    fn dropped_place_is_free_again() {
        let places = Places::new(3);
        let [one, other] = ["a", "b"].map(|token| places.take(TokenHash::new(token)).unwrap());
        drop(one);
        assert_eq!((places.taken(), places.lock().0.len()), (1, 1));
        drop(other);
        assert_eq!((places.taken(), places.lock().0.len()), (0, 0));
    }
}
