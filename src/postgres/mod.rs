//! A private Postgres: found on this machine, made, started, watched and stopped by showtime
//! itself, for when no database is configured.
//!
//! Everything lies in one data directory (`.showtime/`):
//!
//! | entry | what it is |
//! |---|---|
//! | `lock` | held by the one process that uses the directory; holds its pid |
//! | `postgres/` | the cluster |
//! | `postgres.log` | what Postgres says |
//! | `socket` | the directory of its Unix socket, or a link to it where this path is too long |
//! | `up` | there while [`up`] keeps the cluster running |
//!
//! The server listens on that socket only: no port, no password, nobody but its owner (and root).
//!
//! No Postgres is ever left behind. It runs under a watchdog, a few lines of shell whose standard
//! input is a pipe from us: however we end, the pipe closes and the watchdog stops Postgres. The
//! watchdog inherits the lock, so the next start waits until that is over.

mod binaries;
mod cluster;
mod data_dir;
mod error;
mod lock;
mod run_as;
mod verbs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep};

use cluster::{Cluster, Started};
use data_dir::DataDir;
pub use error::LocalError;
pub use verbs::{down, env, join, postmaster, psql, reset, start_or_join, up};

use crate::backoff::Backoff;

/// The pauses before launching a server again that has ended.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(30) };

/// How often a server that ended before it was of use is launched again, within some 5 s: its predecessor's last
/// processes may still be ending.
const RELAUNCHES: u32 = 6;

/// A server that ran this long before it died is not one that dies again and again.
const STEADY: Duration = Duration::from_secs(60);

/// Between two looks at a server that is not our child.
const LOOK: Duration = Duration::from_secs(1);

/// What a cluster's data is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Everything committed survives a power cut.
    Durable,
    /// For tests: nothing waits for the disk, and the whole data directory is removed when the
    /// process that started it ends.
    Throwaway,
}

/// A private Postgres that answers, held by this process.
///
/// Dropping it stops the server too, but nobody waits for that; [`LocalPostgres::stop`] does.
#[derive(Debug)]
pub struct LocalPostgres {
    cluster: Cluster,
    /// The watched server; `None` if `local-db up` runs it, who will also stop it.
    started: Option<Started>,
}

impl LocalPostgres {
    /// Starts the cluster in `data_dir`, made if there is none, or joins the one that
    /// `local-db up` keeps running there. Returns when the database `showtime` answers.
    ///
    /// # Errors
    ///
    /// [`LocalError`] says what to do about it; in particular [`LocalError::NoBinaries`] and
    /// [`LocalError::InUse`].
    pub async fn start(data_dir: &Path, durability: Durability) -> Result<Self, LocalError> {
        let begun = Instant::now();
        let cluster = Cluster::open(data_dir, durability).await?;
        let mut postgres = Self { cluster, started: None };
        let joined = postgres.cluster.is_up().await?;
        if !joined {
            postgres.launch().await?;
        }
        tracing::info!(
            data_dir = %postgres.cluster.data_dir().path().display(),
            elapsed_ms = begun.elapsed().as_millis(),
            joined,
            "the private Postgres answers"
        );
        Ok(postgres)
    }

    /// How to reach the database `showtime`: by Unix socket, without a password. Stays the same
    /// over restarts.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.cluster.connect_options()
    }

    /// Starts Postgres again whenever it dies, after a growing pause if it does so again and
    /// again. Returns only when it cannot be started; may be dropped at any await, and called
    /// again.
    pub async fn supervise(&mut self) -> LocalError {
        let mut failures = 0;
        loop {
            let since = Instant::now();
            self.ended().await;
            tracing::warn!("the private Postgres has ended; starting it again");
            failures = if since.elapsed() > STEADY { 1 } else { failures + 1 };
            sleep(BACKOFF.pause(failures)).await;
            if let Err(error) = self.launch().await {
                return error;
            }
            tracing::info!("the private Postgres answers again");
        }
    }

    /// Shuts Postgres down in order and waits until it has ended. One that `local-db up` runs is
    /// left running.
    ///
    /// # Errors
    ///
    /// [`LocalError::WontStop`] if it does not end in time.
    pub async fn stop(mut self) -> Result<(), LocalError> {
        match self.started.take() {
            Some(started) => self.cluster.stop_watched(started).await,
            None => Ok(()),
        }
    }

    async fn launch(&mut self) -> Result<(), LocalError> {
        let mut failures = 0;
        loop {
            // Also stops one whose watchdog was killed and that goes on without.
            if self.cluster.is_up().await? {
                self.started = None;
                return Ok(());
            }
            let started = self.cluster.launch_watched().await?;
            let result = self.cluster.until_ready(self.started.insert(started)).await;
            failures += 1;
            match &result {
                Err(error @ LocalError::Ended { .. }) if failures <= RELAUNCHES => {
                    tracing::warn!(%error, "trying again")
                }
                _ => return result,
            }
            sleep(BACKOFF.pause(failures)).await;
        }
    }

    /// Returns when the server does not run any more.
    async fn ended(&mut self) {
        if let Some(started) = &mut self.started {
            // An error would mean that it is no longer a child of ours: not running either.
            let _ = started.child.wait().await;
            return;
        }
        while self.cluster.is_running().await {
            sleep(LOOK).await;
        }
    }
}

/// Makes the data directory, if it is not there, with the rights that the cluster needs, and
/// returns its real path. For whoever puts something else there before the cluster is made.
///
/// # Errors
///
/// [`LocalError::Io`] names the path.
pub fn create_data_dir(path: &Path) -> Result<PathBuf, LocalError> {
    DataDir::create(path).map(|dir| dir.path().to_owned())
}
