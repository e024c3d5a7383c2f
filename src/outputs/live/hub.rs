//! The newest events in memory, shared by all readers of the live feeds of a process.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::ring::Ring;
use crate::store::LogId;
use crate::store::read::channels::Channel;
use crate::store::read::live;

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
    readers: Arc<Semaphore>,
}

/// Why a reader was refused.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// [`MAX_READERS`] are connected.
    #[error("{MAX_READERS} readers are connected, the maximum")]
    Full,
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
            readers: Arc::new(Semaphore::new(MAX_READERS)),
        })
    }

    /// The number of readers now.
    #[must_use]
    pub fn readers(&self) -> usize {
        MAX_READERS - self.readers.available_permits()
    }

    /// Counts a reader until the permit is dropped. Returns once the ring is filled.
    pub(super) async fn subscribe(&self) -> Result<OwnedSemaphorePermit, SubscribeError> {
        let permit = self.readers.clone().try_acquire_owned().map_err(|_| SubscribeError::Full)?;
        let mut ring = self.ring.subscribe();
        if ring.borrow().cursor().is_none() {
            self.first_reader.notify_one();
        }
        let ready = ring.wait_for(|ring| ring.cursor().is_some() || ring.is_over());
        match timeout(READY_TIMEOUT, ready).await {
            Ok(Ok(ring)) if !ring.is_over() => Ok(permit),
            _ => Err(SubscribeError::NotReady),
        }
    }

    /// The channels with these ids or logins, and the id of the newest event that their state contains. The number of
    /// concurrent queries is limited.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn snapshot(&self, names: Option<&[String]>) -> sqlx::Result<(LogId, Vec<Channel>)> {
        let _turn = self.catching_up.acquire().await;
        live::snapshot(&mut *self.pool.acquire().await?, names).await
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
    async fn readers_are_limited() {
        let hub = hub();
        hub.ring.send_modify(|ring| ring.begin(Vec::new(), LogId::START, LogId::START));
        let reader = hub.subscribe().await.unwrap();
        assert_eq!(hub.readers(), 1);
        let rest = u32::try_from(MAX_READERS - 1).unwrap();
        let others = hub.readers.clone().try_acquire_many_owned(rest).unwrap();
        assert!(matches!(hub.subscribe().await, Err(SubscribeError::Full)));
        drop((reader, others));
        assert!(hub.subscribe().await.is_ok());
        assert_eq!(hub.readers(), 0);
    }

    #[tokio::test]
    async fn stopped_hub_refuses_readers() {
        let hub = hub();
        hub.stop();
        assert!(matches!(hub.subscribe().await, Err(SubscribeError::NotReady)));
    }
}
