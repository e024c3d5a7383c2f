//! The place of a sink in the log, which one server at a time holds.
//!
//! A sink publishes outside of any transaction, so it can't be a [`Follower`](crate::outputs::follow::Follower): its cursor
//! is saved after what it says was confirmed, and never before.

use std::pin::pin;
use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::store::followers;
use crate::store::read::events::{self, LoggedEvent};
use crate::store::sinks::{self, SinkDefinition, SinkStatus};
use crate::store::{LogId, within};

/// How long a lease lasts that is not renewed; one of a killed server is taken over within 5 s.
pub const LEASE: Duration = Duration::from_secs(3);

/// How often the lease is renewed.
pub const RENEWAL: Duration = Duration::from_secs(1);

/// Time limit of a query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause while the database is away, or another server holds the lease.
const PAUSE: Duration = Duration::from_millis(500);

/// Why a sink stops.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another server took over, the cursor was moved, or the sink was removed.
    #[error("the lease was taken over")]
    Superseded,
    /// The log does not lead on from the cursor.
    #[error(
        "the log has no event {0} to go on after: it was emptied or restored; `sinks rewind` chooses another place"
    )]
    Unreachable(LogId),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The lease of a sink.
#[derive(Debug)]
pub struct SinkLease<'a> {
    pool: &'a PgPool,
    sink: &'a SinkDefinition,
    epoch: i64,
}

impl<'a> SinkLease<'a> {
    /// Waits until this server has the lease.
    pub async fn take(pool: &'a PgPool, sink: &'a SinkDefinition) -> Self {
        loop {
            let taken = within(QUERY_TIMEOUT, async {
                followers::try_lease(&mut *pool.acquire().await?, &sink.follower, LEASE).await
            });
            match taken.await {
                Ok(Some(followers::Lease::Taken(epoch))) => {
                    let lease = Self { pool, sink, epoch };
                    if sink.owns(epoch) {
                        return lease;
                    }
                    // It was removed, and there is another of this name.
                    lease.release().await;
                    sleep(PAUSE).await;
                }
                Ok(Some(followers::Lease::HeldFor(time))) => sleep(time.clamp(PAUSE / 10, PAUSE)).await,
                // It was removed, and the supervisor ends this; or the database is away.
                Ok(None) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// The epoch in which this server holds it.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The saved cursor.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn cursor(&self) -> Result<LogId, LeaseError> {
        let position = within(QUERY_TIMEOUT, async {
            followers::position(&mut *self.pool.acquire().await?, &self.sink.follower, self.epoch).await
        });
        let position = position.await?.ok_or(LeaseError::Superseded)?;
        if position.is_reachable { Ok(position.cursor) } else { Err(LeaseError::Unreachable(position.cursor)) }
    }

    /// The events after this one.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn read(&self, after: LogId, limit: i64) -> Result<Vec<LoggedEvent>, LeaseError> {
        self.cursor().await?;
        Ok(within(QUERY_TIMEOUT, events::between(self.pool, after, LogId::MAX, None, limit)).await?)
    }

    /// Saves the cursor, if there is a new one, and renews the lease.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn save(&self, last: Option<(LogId, OffsetDateTime)>) -> Result<(), LeaseError> {
        let saved = within(QUERY_TIMEOUT, async {
            let mut connection = self.pool.acquire().await?;
            followers::save(&mut connection, &self.sink.follower, self.epoch, last, LEASE).await
        });
        if saved.await? { Ok(()) } else { Err(LeaseError::Superseded) }
    }

    /// Gives up the lease, so that another server can take it at once. While the database is away it ends by itself.
    pub async fn release(self) {
        let released = within(QUERY_TIMEOUT, async {
            followers::release(&mut *self.pool.acquire().await?, &self.sink.follower, self.epoch).await
        });
        if let Err(error) = released.await {
            tracing::debug!(sink = self.sink.name, %error, "the lease of the sink was not released");
        }
    }

    /// Records how the sink does. While the database is away nothing is recorded, and nothing lost but that.
    pub async fn record(&self, status: SinkStatus, problem: Option<&str>, dropped: i64) {
        let recorded = within(QUERY_TIMEOUT, async {
            let mut connection = self.pool.acquire().await?;
            sinks::record(&mut connection, self.sink, self.epoch, status, problem, dropped).await
        });
        if let Err(error) = recorded.await {
            tracing::debug!(sink = self.sink.name, %error, "the state of the sink was not recorded");
        }
    }

    /// Awaits this while the lease is renewed.
    ///
    /// # Errors
    /// [`LeaseError::Superseded`]
    pub async fn keep<T>(&self, work: impl Future<Output = T>) -> Result<T, LeaseError> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = sleep(RENEWAL) => match self.save(None).await {
                    // Nothing leaves meanwhile that could not leave twice.
                    Ok(()) | Err(LeaseError::Database(_)) => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }
}
