//! Outages: spans of time in which a part of this server did not work.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strum::IntoStaticStr;
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::clock::Clock;

/// Ended outages that wait to be stored; beyond, the oldest are dropped. They wait while the database is away.
const MAX_ENDED: usize = 100;

/// A part of the server that can fail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Part {
    /// The log can't be written to.
    Database,
    /// The log can't be followed, so the live feeds stand still.
    Feeds,
    /// The subscriptions at Twitch can't be compared with the desired ones.
    Subscriptions,
}

/// A span of time in which a part did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The part.
    pub part: Part,
    /// When it was first seen not to work.
    pub began_at: OffsetDateTime,
    /// When it was seen to work again; `None` while it does not.
    pub ended_at: Option<OffsetDateTime>,
    /// Why it did not work at first, in words that may be shown to readers.
    pub cause: String,
}

/// The outages of this server that last, and those that are still to be stored. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Outages {
    clock: Clock,
    state: Arc<Mutex<State>>,
    /// Woken when an outage has ended.
    has_ended: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    lasting: Vec<Outage>,
    ended: VecDeque<Outage>,
}

impl Outages {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Notes whether a part works now: `None` if it does, else why not.
    pub fn observe(&self, part: Part, cause: Option<String>) {
        let mut state = self.lock();
        let place = state.lasting.iter().position(|outage| outage.part == part);
        match (place, cause) {
            (None, Some(cause)) => {
                state.lasting.push(Outage { part, began_at: self.clock.now(), ended_at: None, cause });
            }
            (Some(place), None) => {
                let outage = state.lasting.swap_remove(place);
                // The clock may have been set back.
                let ended_at = self.clock.now().max(outage.began_at);
                if state.ended.len() == MAX_ENDED {
                    state.ended.pop_front();
                }
                state.ended.push_back(Outage { ended_at: Some(ended_at), ..outage });
                self.has_ended.notify_one();
            }
            _ => {}
        }
    }

    /// The outages that last.
    #[must_use]
    pub fn lasting(&self) -> Vec<Outage> {
        self.lock().lasting.clone()
    }

    /// The oldest outage that has ended and is not stored, as soon as there is one.
    pub async fn to_store(&self) -> Outage {
        loop {
            let has_ended = self.has_ended.notified();
            if let Some(outage) = self.lock().ended.front() {
                return outage.clone();
            }
            has_ended.await;
        }
    }

    /// Notes that this outage is stored.
    pub fn record_stored(&self, outage: &Outage) {
        self.lock().ended.retain(|it| it != outage);
    }

    /// No critical section can panic halfway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use time::Duration;

    use super::*;

    #[test]
    fn outage_lasts_from_the_first_failure_to_the_first_success() {
        let (clock, minute) = (Clock::default(), Duration::minutes(1));
        let outages = Outages::new(clock.clone());
        outages.observe(Part::Database, None);
        assert!(outages.lasting().is_empty() && outages.to_store().now_or_never().is_none());
        outages.observe(Part::Database, Some("away".to_owned()));
        clock.advance(minute);
        outages.observe(Part::Database, Some("full".to_owned()));
        outages.observe(Part::Feeds, Some("away".to_owned()));
        let lasting: Vec<_> = outages.lasting().into_iter().map(|it| (it.part, it.cause)).collect();
        assert_eq!(lasting, [(Part::Database, "away".to_owned()), (Part::Feeds, "away".to_owned())]);
        clock.advance(minute);
        outages.observe(Part::Database, None);
        let ended = outages.to_store().now_or_never().unwrap();
        assert!(ended.ended_at.unwrap() - ended.began_at >= minute * 2, "{ended:?}");
        assert_eq!(outages.to_store().now_or_never(), Some(ended.clone()), "until it is stored");
        outages.record_stored(&ended);
        assert!(outages.to_store().now_or_never().is_none());
        assert_eq!(outages.lasting().len(), 1);
    }

    #[test]
    fn memory_is_bounded_while_nothing_can_be_stored() {
        let outages = Outages::default();
        for number in 0..MAX_ENDED + 5 {
            outages.observe(Part::Feeds, Some(number.to_string()));
            outages.observe(Part::Feeds, None);
        }
        assert_eq!(outages.lock().ended.len(), MAX_ENDED);
        assert_eq!(outages.to_store().now_or_never().unwrap().cause, "5");
    }
}
