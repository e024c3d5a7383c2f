//! The newest events in memory, shared by all readers of the live feeds of a process.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

use super::control::Control;
use super::places::{Place, Places};
use super::ring::Ring;
use crate::access::TokenHash;
use crate::store::read::channels::Channel;
use crate::store::read::live;
use crate::store::{LogId, query};
use crate::twitch::id::ChannelId;

/// Readers per process.
pub const MAX_READERS: usize = 10_000;

/// Readers that may query the database at once for what they missed; the rest of the pool is for requests.
const CATCHING_UP: usize = 4;

/// Time limit of a new reader's wait until the ring is filled, the first time or the first time in a while.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// The ring of the newest events, and the limits on its readers.
#[derive(Debug)]
pub struct Hub {
    /// Readers wait for it to change; each holds only its position in it.
    pub(super) ring: watch::Sender<Ring>,
    pub(super) pool: PgPool,
    pub(super) catching_up: Semaphore,
    /// Notified when a reader subscribes to a ring that is not filled.
    pub(super) first_reader: Notify,
    /// What overlays do with alerts.
    pub control: Arc<Control>,
    places: Arc<Places>,
}

/// Why a reader was refused.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The token has so many readers, its share.
    #[error(
        "this token has {0} feeds open, as many as one token may have while {1} of {MAX_READERS} places are taken: close \
         some, or use another token (`token create` makes one)"
    )]
    Full(usize, usize),
    /// The log could not be read yet, or the server stops.
    #[error("the log can't be followed now")]
    NotReady,
}

impl Hub {
    /// A hub with an empty ring, which a [`Tail`](super::tail::Tail) fills. Readers that fall behind read from this pool.
    #[must_use]
    pub fn new(pool: PgPool) -> Arc<Self> {
        Arc::new(Self {
            ring: watch::Sender::default(),
            pool,
            catching_up: Semaphore::new(CATCHING_UP),
            first_reader: Notify::new(),
            control: Arc::default(),
            places: Places::new(MAX_READERS),
        })
    }

    /// The number of readers now.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.places.taken()
    }

    /// Counts a reader with this token until its place is dropped. Returns once the ring is filled.
    pub(super) async fn subscribe(&self, token: TokenHash) -> Result<Place, SubscribeError> {
        let place = self.places.take(token).map_err(|held| SubscribeError::Full(held, self.readers()))?;
        let mut ring = self.ring.subscribe();
        if ring.borrow().cursor().is_none() {
            self.first_reader.notify_one();
        }
        let ready = ring.wait_for(|ring| ring.cursor().is_some() || ring.is_over());
        match timeout(READY_TIMEOUT, ready).await {
            Ok(Ok(ring)) if !ring.is_over() => Ok(place),
            _ => Err(SubscribeError::NotReady),
        }
    }

    /// The channels with these ids, and the id of the newest event that their state contains. The number of concurrent
    /// queries is limited.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn snapshot(&self, ids: Option<&[ChannelId]>) -> sqlx::Result<(LogId, Vec<Channel>)> {
        let _turn = self.catching_up.acquire().await;
        query(&self.pool, async |db| live::snapshot(db, ids).await).await
    }

    /// Returns once nothing is in memory any more that is emptied or deleted in the log by now, or after five seconds.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn forget_deleted(&self) -> sqlx::Result<()> {
        let (now, _) = query(&self.pool, async |db| live::version(db).await).await?;
        let mut ring = self.ring.subscribe();
        let is_current = |ring: &Ring| ring.cursor().is_none() || ring.version().revision >= now.revision;
        // The tail looks for what was deleted as often as it can reach the database.
        let _ = timeout(READY_TIMEOUT, ring.wait_for(is_current)).await;
        Ok(())
    }

    /// Disconnects every reader, and refuses new ones.
    pub fn stop(&self) {
        self.ring.send_modify(Ring::stop);
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use super::*;

    fn hub() -> Arc<Hub> {
        Hub::new(PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new_without_pgpass()))
    }

    #[tokio::test]
    async fn readers_of_one_token_leave_places_for_others() {
        let hub = hub();
        hub.ring.send_modify(|ring| ring.begin(Vec::new(), LogId::START, LogId::START, Default::default()));
        let [one, other] = ["a", "b"].map(TokenHash::new);
        let mut held = Vec::new();
        let refused = loop {
            match hub.subscribe(one).await {
                Ok(place) => held.push(place),
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!((held.len(), hub.readers()), (5_000, 5_000));
        assert!(refused.contains("has 5000 feeds open") && refused.contains("token create"), "{refused}");
        assert!(hub.subscribe(other).await.is_ok());
        drop(held);
        assert!(hub.subscribe(one).await.is_ok());
        assert_eq!(hub.readers(), 0);
    }

    #[tokio::test]
    async fn stopped_hub_refuses_readers() {
        let hub = hub();
        hub.stop();
        assert!(matches!(hub.subscribe(TokenHash::new("a")).await, Err(SubscribeError::NotReady)));
    }
}
