//! Where the log meets its readers: one per process.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::ring::Ring;
use crate::store::read::channels::Channel;
use crate::store::read::live;

/// Readers per process.
pub const MAX_READERS: usize = 10_000;

/// Readers who may ask the database at once for what they missed; the rest of the pool is for
/// requests.
const CATCHING_UP: usize = 4;

/// How long a new reader waits for the log to be read, the first time or the first time in a while.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// The newest events, and who reads them.
#[derive(Debug)]
pub struct Hub {
    /// Readers wait for it to change, and hold nothing but their place in it.
    pub(super) ring: watch::Sender<Ring>,
    pub(super) pool: PgPool,
    pub(super) catching_up: Semaphore,
    /// Told when somebody comes to a ring that is not filled.
    pub(super) first_reader: Notify,
    places: Arc<Semaphore>,
}

/// Why somebody can't read.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    /// [`MAX_READERS`] do.
    #[error("{MAX_READERS} readers are connected, and more are not taken")]
    Full,
    /// The log could not be read yet, or the server stops.
    #[error("the log can't be followed now")]
    NotNow,
}

impl Hub {
    /// Without anything to read until a [`Tail`](super::tail::Tail) is run for it. What readers
    /// missed comes from this pool.
    #[must_use]
    pub fn new(pool: PgPool) -> Arc<Self> {
        Arc::new(Self {
            ring: watch::Sender::default(),
            pool,
            catching_up: Semaphore::new(CATCHING_UP),
            first_reader: Notify::new(),
            places: Arc::new(Semaphore::new(MAX_READERS)),
        })
    }

    /// How many read at the moment.
    #[must_use]
    pub fn readers(&self) -> usize {
        MAX_READERS - self.places.available_permits()
    }

    /// A place for a reader, who has it until the permit is dropped.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, NoPlace> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| NoPlace::Full)?;
        let mut ring = self.ring.subscribe();
        if ring.borrow().cursor().is_none() {
            self.first_reader.notify_one();
        }
        let ready = ring.wait_for(|ring| ring.cursor().is_some() || ring.is_over());
        match timeout(READY_TIMEOUT, ready).await {
            Ok(Ok(ring)) if !ring.is_over() => Ok(place),
            _ => Err(NoPlace::NotNow),
        }
    }

    /// The channels with these ids or logins as they are after the event with the id that comes with
    /// them; asked for by few at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn snapshot(&self, names: Option<&[String]>) -> sqlx::Result<(i64, Vec<Channel>)> {
        let _turn = self.catching_up.acquire().await;
        live::snapshot(&mut *self.pool.acquire().await?, names).await
    }

    /// Sends every reader away, and takes no more.
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
    async fn there_are_so_many_places_and_no_more() {
        let hub = hub();
        hub.ring.send_modify(|ring| ring.begin(Vec::new(), 0, 0));
        let place = hub.place().await.unwrap();
        assert_eq!(hub.readers(), 1);
        let rest = u32::try_from(MAX_READERS - 1).unwrap();
        let others = hub.places.clone().try_acquire_many_owned(rest).unwrap();
        assert!(matches!(hub.place().await, Err(NoPlace::Full)));
        drop((place, others));
        assert!(hub.place().await.is_ok());
        assert_eq!(hub.readers(), 0);
    }

    #[tokio::test]
    async fn nobody_is_taken_in_when_the_server_stops() {
        let hub = hub();
        hub.stop();
        assert!(matches!(hub.place().await, Err(NoPlace::NotNow)));
    }
}
