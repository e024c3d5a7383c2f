//! What the components of the server share: each is spawned with a reference to it, and takes what it needs.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::JoinMap;

use crate::clock::Clock;
use crate::config::Config;
use crate::http::Http;
use crate::incidents::Incidents;
use crate::ingest::Ingest;
use crate::metrics::Metrics;
use crate::status::Checks;
use crate::store::signals::Signals;

/// The components' background tasks, by name; a name is for one task only. None ends by itself: the program stops if one
/// panics, and aborts them all when it is stopped.
pub type Tasks = JoinMap<&'static str, Infallible>;

/// Lets a component finish what it has begun before its tasks are aborted.
#[derive(Clone, Debug)]
pub struct Stopper {
    /// Cancelled when the component is to begin nothing more.
    pub stopping: CancellationToken,
    /// Cancelled by the component when it has finished.
    pub stopped: CancellationToken,
    limit: Duration,
}

impl Stopper {
    /// For a component that finishes within this time.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { stopping: CancellationToken::new(), stopped: CancellationToken::new(), limit }
    }

    /// Waits until the component has finished, or its time is over.
    pub async fn stop(&self) {
        self.stopping.cancel();
        let _ = timeout(self.limit, self.stopped.cancelled()).await;
    }
}

/// One per server. Clones share everything.
#[derive(Clone, Debug)]
pub struct Services {
    /// Every setting, as it was at start.
    pub config: Arc<Config>,
    /// The time. A test that holds a clone can put it forward, and ends sleeps with it.
    pub clock: Clock,
    /// The address of the database, for components that keep a connection of their own: the writer, the
    /// tail, the reconciler.
    pub database: PgConnectOptions,
    /// The connections that requests share, with short time limits. A component takes one for a statement, never to keep.
    pub pool: PgPool,
    /// The connections that the followers of the log share.
    pub follower_pool: PgPool,
    /// The way into the log. The writer, which the app runs, holds the other end, and ends when all clones are dropped.
    pub ingest: Ingest,
    /// The client for calls to other servers: time limits, retries with backoff, bounded answers.
    pub http: Http,
    /// Wakes tasks when the database has news for them. The app runs the listener on the other end.
    pub signals: Signals,
    /// What was refused, not stored or not understood; `/status` shows it.
    pub incidents: Incidents,
    /// Counters and histograms; `/metrics` reads them.
    pub metrics: Metrics,
    /// The registry of checks; `/status` shows them.
    pub checks: Checks,
}
