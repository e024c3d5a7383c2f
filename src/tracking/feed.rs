//! The events of bots as they happen: read from the database once per process, for all readers.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::discord::shard::Shard;
use crate::services::{Services, Tasks};
use crate::store::answered;
use crate::store::tracking::events::{self, BotEvent};
use crate::store::{LogId, signals::Wakeup};

/// How long events are kept.
pub const KEPT: time::Duration = time::Duration::days(7);

/// Events that are kept in memory.
const RING: usize = 2_048;

/// Events that are read at once.
const BATCH: i64 = 500;

/// Readers of one bot: more than the processes of the largest.
const MAX_READERS: usize = 1_024;

/// Readers that may read from the database at once.
const MAX_QUERIES: usize = 4;

/// How often the database is read without a notification.
const POLL: Duration = Duration::from_secs(5);

/// Pause after a failed read.
const RETRY: Duration = Duration::from_secs(1);

/// Pause between two deletions of old events.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

/// How long a new reader waits until the ring has begun.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a reader is refused, or its stream ends.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The bot has so many readers.
    #[error("this bot follows its events {MAX_READERS} times already, as often as it may")]
    Full,
    /// The database could not be read yet.
    #[error("the events can't be followed now")]
    NotReady,
    /// The server stops.
    #[error("the server stops; reconnect with the last id")]
    Stopping,
    /// The database failed.
    #[error("the database failed; reconnect with the last id")]
    Database(#[from] sqlx::Error),
}

/// The newest events of all bots.
#[derive(Debug, Default)]
struct Ring {
    /// Every event with a greater id is here; `None` until the database was read.
    floor: Option<LogId>,
    newest: LogId,
    events: VecDeque<Arc<BotEvent>>,
    is_over: bool,
}

impl Ring {
    fn begin(&mut self, newest: LogId) {
        self.floor = Some(newest);
        self.newest = newest;
    }

    fn push(&mut self, event: Arc<BotEvent>) {
        if self.events.len() >= RING {
            self.floor = self.events.pop_front().map(|oldest| oldest.id);
        }
        self.newest = event.id;
        self.events.push_back(event);
    }
}

/// What readers of events share. Clones are the same.
#[derive(Clone, Debug)]
pub struct Feed {
    pool: PgPool,
    ring: Arc<watch::Sender<Ring>>,
    readers: Arc<Mutex<HashMap<i64, usize>>>,
    queries: Arc<Semaphore>,
}

impl Feed {
    /// Starts reading the events.
    pub(super) fn spawn(services: &Services, tasks: &mut Tasks) -> Self {
        let feed = Self {
            pool: services.pool.clone(),
            ring: Arc::new(watch::Sender::default()),
            readers: Arc::default(),
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
        };
        let tail = Tail { feed: feed.clone(), clock: services.clock.clone(), wakeup: services.signals.bot_events() };
        tasks.spawn("events of bots", tail.run());
        feed
    }

    /// A reader of the events of a bot's shard, or of all of them, that begins after this event, or else with the next one.
    ///
    /// # Errors
    /// [`FeedError`]
    pub async fn open(&self, bot_id: i64, shard: Option<Shard>, after: Option<LogId>) -> Result<FeedReader, FeedError> {
        let place = Place::take(&self.readers, bot_id).ok_or(FeedError::Full)?;
        let mut ring = self.ring.subscribe();
        let newest = match timeout(READY_TIMEOUT, ring.wait_for(|ring| ring.floor.is_some() || ring.is_over)).await {
            Ok(Ok(ring)) if !ring.is_over => ring.newest,
            Ok(_) => return Err(FeedError::Stopping),
            Err(_) => return Err(FeedError::NotReady),
        };
        Ok(FeedReader { feed: self.clone(), ring, bot_id, shard, cursor: after.unwrap_or(newest), _place: place })
    }

    /// Ends all streams, and refuses new ones.
    pub fn stop(&self) {
        self.ring.send_modify(|ring| ring.is_over = true);
    }
}

/// A reader among those of its bot, until it is dropped.
#[derive(Debug)]
struct Place {
    readers: Arc<Mutex<HashMap<i64, usize>>>,
    bot_id: i64,
}

impl Place {
    fn take(readers: &Arc<Mutex<HashMap<i64, usize>>>, bot_id: i64) -> Option<Self> {
        let mut counts = readers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(bot_id).or_default();
        if *count >= MAX_READERS {
            return None;
        }
        *count += 1;
        Some(Self { readers: Arc::clone(readers), bot_id })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.bot_id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.bot_id);
            }
        }
    }
}

/// Follows the events of one bot.
#[derive(Debug)]
pub struct FeedReader {
    feed: Feed,
    ring: watch::Receiver<Ring>,
    bot_id: i64,
    shard: Option<Shard>,
    cursor: LogId,
    _place: Place,
}

impl FeedReader {
    /// The id up to which everything was returned.
    #[must_use]
    pub fn cursor(&self) -> LogId {
        self.cursor
    }

    /// The next events, one or more, in the order of their ids. Cancel-safe: nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`FeedError`]
    pub async fn next(&mut self) -> Result<Vec<Arc<BotEvent>>, FeedError> {
        loop {
            let found = match self.remembered()? {
                Some(found) => found,
                None => self.read().await?,
            };
            if !found.is_empty() {
                return Ok(found);
            }
            let cursor = self.cursor;
            // Its sender is in this value, and so never dropped.
            let _ = self.ring.wait_for(|ring| ring.newest > cursor || ring.is_over).await;
        }
    }

    /// The next events, if the ring has them all.
    fn remembered(&mut self) -> Result<Option<Vec<Arc<BotEvent>>>, FeedError> {
        let ring = self.ring.borrow();
        if ring.is_over {
            return Err(FeedError::Stopping);
        }
        if ring.floor.is_none_or(|floor| self.cursor < floor) {
            return Ok(None);
        }
        let next = ring.events.partition_point(|event| event.id <= self.cursor);
        let is_ours = |event: &&Arc<BotEvent>| {
            event.bot_id == self.bot_id && self.shard.is_none_or(|shard| shard.has(event.guild_id))
        };
        let found = ring.events.range(next..).filter(is_ours).cloned().collect();
        self.cursor = self.cursor.max(ring.newest);
        Ok(Some(found))
    }

    /// The next events from the database. Without any, all up to the ring's are read.
    async fn read(&mut self) -> Result<Vec<Arc<BotEvent>>, FeedError> {
        let floor = self.ring.borrow().floor.unwrap_or_default();
        let _turn = self.feed.queries.acquire().await;
        let page = events::page(&self.feed.pool, self.bot_id, self.shard, self.cursor, BATCH);
        let found = answered(page).await?;
        self.cursor = found.last().map_or(floor, |last| last.id);
        Ok(found.into_iter().map(Arc::new).collect())
    }
}

/// Reads events into the ring, and deletes old ones.
struct Tail {
    feed: Feed,
    clock: Clock,
    wakeup: Wakeup,
}

impl Tail {
    async fn run(mut self) -> Infallible {
        let mut prune_at = self.clock.instant();
        let mut is_away = false;
        loop {
            match self.read(&mut prune_at).await {
                Ok(()) => {
                    is_away = false;
                    let _ = timeout(POLL, self.wakeup.notified()).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) {
                        tracing::warn!(%error, "the events of bots can't be read; trying again");
                    }
                    self.clock.sleep(RETRY).await;
                }
            }
        }
    }

    /// Reads what is new.
    async fn read(&self, prune_at: &mut Instant) -> sqlx::Result<()> {
        let (ring, pool) = (&self.feed.ring, &self.feed.pool);
        if ring.borrow().floor.is_none() {
            let newest = answered(events::newest(pool)).await?;
            ring.send_modify(|ring| ring.begin(newest));
        }
        loop {
            let newest = ring.borrow().newest;
            let found = answered(events::after(pool, newest, BATCH)).await?;
            if found.is_empty() {
                break;
            }
            ring.send_modify(|ring| found.into_iter().for_each(|event| ring.push(Arc::new(event))));
        }
        if self.clock.instant() >= *prune_at {
            answered(events::prune(pool, self.clock.now() - KEPT)).await?;
            *prune_at = self.clock.instant() + PRUNE_INTERVAL;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::types::Json;
    use time::OffsetDateTime;

    use super::*;

    fn event(id: i64) -> Arc<BotEvent> {
        let (kind, body, at) = ("webhook_gone".to_owned(), Json(json!({})), OffsetDateTime::UNIX_EPOCH);
        Arc::new(BotEvent { id: LogId(id), bot_id: 1, guild_id: None, kind, body, at })
    }

    #[test]
    fn ring_forgets_the_oldest_and_knows_from_where_on_it_has_all() {
        let mut ring = Ring::default();
        ring.begin(LogId(10));
        let count = i64::try_from(RING).unwrap();
        (0..count + 2).for_each(|number| ring.push(event(11 + 2 * number)));
        assert_eq!((ring.events.len(), ring.floor), (RING, Some(LogId(13))));
        assert_eq!(ring.newest, LogId(11 + 2 * (count + 1)));
    }

    #[test]
    fn bot_has_a_limited_number_of_readers() {
        let readers = Arc::default();
        let mut places: Vec<_> = (0..MAX_READERS).map(|_| Place::take(&readers, 1).unwrap()).collect();
        assert!(Place::take(&readers, 1).is_none() && Place::take(&readers, 2).is_some());
        places.pop();
        assert!(Place::take(&readers, 1).is_some());
    }
}
