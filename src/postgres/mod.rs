//! A private Postgres, for when no database is configured: showtime finds its programs on this machine, creates the cluster,
//! and starts, watches and stops the server.
//!
//! Everything lies in one data directory (`.showtime/`):
//!
//! | entry | content |
//! |---|---|
//! | `lock` | locked by the one process that uses the directory; contains its pid |
//! | `postgres/` | the cluster |
//! | `postgres-15/` | the cluster before [`upgrade()`], of that version |
//! | `postgres.log`, `postgres.log.old` | the log of Postgres |
//! | `socket` | the directory of its Unix socket, or a link to it where this path is too long |
//! | `up` | exists while [`up`] keeps the cluster running |
//!
//! The server listens on that socket only: no port, no password, accessible only to its owner and root.
//!
//! No Postgres is ever left behind. It runs under a watchdog, a few lines of shell whose standard input is a pipe from this
//! process: when this process ends, in whatever way, the pipe closes and the watchdog stops Postgres. The watchdog shares the
//! lock, so the next start waits until Postgres has ended.

mod binaries;
mod cluster;
mod data_dir;
mod database;
mod dump;
mod durability;
mod error;
mod files;
mod initdb;
mod lock;
mod process;
mod run_as;
mod upgrade;
mod user;
mod verbs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep, timeout};

use cluster::Cluster;
use data_dir::DataDir;
pub use dump::{check as check_dump, dump, restore as restore_dump};
pub use durability::Durability;
pub use error::LocalError;
use files::off_thread;
use process::Started;
pub use upgrade::upgrade;
pub use verbs::{down, env, join, postmaster, psql, reset, start_or_join, up};

use crate::backoff::Backoff;

/// Pauses before a server that has ended is launched again.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(15) };

/// How often a server that ended before it was ready is launched again at the first start, within some 5 s: the last processes
/// of the previous one may still be ending.
const RELAUNCHES: u32 = 6;

/// A server that ran this long before it ended does not count as failing repeatedly.
const STEADY: Duration = Duration::from_secs(60);

/// How often the length of a running server's log is looked at.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Interval of polling a server that is not a child process.
const POLL: Duration = Duration::from_secs(1);

/// A running private Postgres, locked by this process.
///
/// Dropping it stops the server too, but does not wait for its end; [`LocalPostgres::stop`] does.
#[derive(Debug)]
pub struct LocalPostgres {
    cluster: Cluster,
    /// The watched server; `None` if it was started by `local-db up`, and is stopped by `local-db down`.
    started: Option<Started>,
}

impl LocalPostgres {
    /// Starts the cluster in `data_dir`, creating it if necessary, or joins the one that `local-db up` keeps running there.
    /// Returns when the database `showtime` answers.
    ///
    /// # Errors
    ///
    /// [`LocalError`] says what to do about it; in particular [`LocalError::NoBinaries`] and
    /// [`LocalError::InUse`].
    pub async fn start(data_dir: &Path, durability: Durability) -> Result<Self, LocalError> {
        let begun = Instant::now();
        let cluster = Cluster::open(data_dir, durability, None).await?;
        let mut postgres = Self { cluster, started: None };
        let joined = postgres.launch_first().await?;
        tracing::info!(
            data_dir = %postgres.cluster.data_dir().path().display(),
            elapsed_ms = begun.elapsed().as_millis(),
            joined,
            "the private Postgres answers"
        );
        Ok(postgres)
    }

    /// Options for connecting to the database `showtime`: by Unix socket, without a password. They don't change when the server
    /// is restarted.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.cluster.connect_options()
    }

    /// Starts Postgres again whenever it ends, after a growing pause if it ends or fails to start repeatedly: a full disk, for
    /// example, may have room later. Returns only when another attempt can't succeed. Cancel safe: may be dropped at any
    /// await, and called again.
    pub async fn supervise(&mut self) -> LocalError {
        let mut failures = 0;
        loop {
            let since = Instant::now();
            self.ended().await;
            tracing::warn!("the private Postgres has ended; starting it again");
            failures = if since.elapsed() > STEADY { 1 } else { failures + 1 };
            sleep(BACKOFF.pause(failures)).await;
            while let Err(error) = self.launch_again().await {
                if error.is_final() {
                    return error;
                }
                tracing::warn!(%error, "the private Postgres can't be started; trying again");
                failures += 1;
                sleep(BACKOFF.pause(failures)).await;
            }
            tracing::info!("the private Postgres answers again");
        }
    }

    /// Shuts Postgres down gracefully and waits until it has ended. One that `local-db up` started is left running.
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

    /// Launches the server at the start of this process, a few times if it ends.
    async fn launch_first(&mut self) -> Result<bool, LocalError> {
        let mut failures = 0;
        loop {
            let result = self.launch().await;
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

    async fn launch_again(&mut self) -> Result<bool, LocalError> {
        self.cluster.refresh_binaries().await?;
        self.launch().await
    }

    /// Launches the server, unless `local-db up` keeps one running. Returns whether that was so.
    async fn launch(&mut self) -> Result<bool, LocalError> {
        // Also stops one that has lost its watchdog.
        if self.cluster.is_up().await? {
            self.started = None;
            return Ok(true);
        }
        let started = self.cluster.launch_watched().await?;
        self.cluster.wait_until_ready(self.started.insert(started)).await?;
        Ok(false)
    }

    /// Waits until the server has ended.
    async fn ended(&mut self) {
        if let Some(started) = &mut self.started {
            // An error of `wait` would mean that it is no longer a child process, so not running either.
            while timeout(LOG_INTERVAL, started.child.wait()).await.is_err() {
                let data_dir = self.cluster.data_dir().clone();
                if let Err(error) = off_thread(move || data_dir.rotate_log()).await {
                    tracing::warn!(%error, "the log of the private Postgres grows");
                }
            }
            return;
        }
        while self.cluster.is_running().await {
            sleep(POLL).await;
        }
    }
}

/// Creates the data directory, if necessary, with the permissions that the cluster needs, and returns its canonical path. For
/// callers that store other files there before the cluster is created. Logs a warning if other users may write to it.
///
/// # Errors
///
/// [`LocalError::Io`] names the path.
pub fn create_data_dir(path: &Path) -> Result<PathBuf, LocalError> {
    let dir = DataDir::create(path)?;
    if dir.is_open_to_others()? {
        let path = dir.path().display();
        tracing::warn!("other users may write to {path}, and so replace the secrets in it: `chmod go-w {path}`");
    }
    Ok(dir.path().to_owned())
}
