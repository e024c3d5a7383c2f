//! One cluster in a locked data directory: opened, launched, watched and stopped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep, timeout};

use super::binaries::{self, Binaries};
use super::data_dir::{self, DataDir};
use super::database;
use super::durability::Durability;
use super::error::LocalError;
use super::files::{exists, off_thread, remove_file};
use super::initdb::make_cluster;
use super::lock::Lock;
use super::process::{self, POLL, STOP_TIMEOUT, Started, postmaster, watched};
use super::run_as::RunAs;

/// Time limit for a starting server to say something. Recovery after a crash may take longer: it says that it is starting.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server that ends may take before it is asked whether it hangs.
const HANG_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval of the log lines about a start that takes long.
const NEWS_INTERVAL: Duration = Duration::from_secs(10);

/// A cluster whose data directory is locked by this process.
#[derive(Debug)]
pub(super) struct Cluster {
    data_dir: DataDir,
    lock: Lock,
    binaries: Binaries,
    run_as: RunAs,
    socket_dir: PathBuf,
    durability: Durability,
}

impl Cluster {
    /// Locks the data directory, and creates the cluster if there is none, by the programs of this version if one is given.
    /// [`Cluster::is_up`] says whether it is already running.
    pub(super) async fn open(
        path: &Path,
        durability: Durability,
        version: Option<Binaries>,
    ) -> Result<Self, LocalError> {
        let path = path.to_owned();
        let data_dir = off_thread(move || DataDir::create(&path)).await?;
        let lock = Lock::take(&data_dir).await?;
        let dir = data_dir.clone();
        let major = off_thread(move || dir.cluster_major()).await?;
        let cluster = data_dir.cluster();
        let binaries = match version {
            Some(binaries) => binaries,
            None => binaries::find(major.map(|major| (major, cluster.as_path()))).await?,
        };
        if durability == Durability::Throwaway {
            let dir = data_dir.clone();
            off_thread(move || dir.give_to_unprivileged_user()).await?;
        }
        let run_as = RunAs::choose(&data_dir, &binaries.postgres()).await?;
        if major.is_none() {
            make_cluster(&data_dir, &lock, &binaries, &run_as, durability).await?;
        }
        let (dir, user) = (data_dir.clone(), *run_as.user());
        let socket_dir = off_thread(move || dir.make_socket_dir(&user)).await?;
        Ok(Self { data_dir, lock, binaries, run_as, socket_dir, durability })
    }

    /// Looks for the programs again, which may have been moved or removed since.
    ///
    /// # Errors
    ///
    /// [`LocalError::NoBinaries`], [`LocalError::WrongMajor`] or [`LocalError::NotACluster`]: another attempt to start
    /// can't succeed.
    pub(super) async fn refresh_binaries(&mut self) -> Result<(), LocalError> {
        let dir = self.data_dir.clone();
        let major = off_thread(move || dir.cluster_major()).await?;
        let cluster = self.data_dir.cluster();
        let Some(major) = major else {
            return Err(LocalError::NotACluster { cluster, reason: "it is gone".to_owned() });
        };
        if !self.binaries.are_still_of(major).await {
            self.binaries = binaries::find(Some((major, &cluster))).await?;
        }
        Ok(())
    }

    pub(super) fn data_dir(&self) -> &DataDir {
        &self.data_dir
    }

    /// Options for connecting to the database.
    pub(super) fn connect_options(&self) -> PgConnectOptions {
        database::connect_options(&self.socket_dir)
    }

    /// Whether Postgres runs because of `local-db up`. One that has lost its watchdog (which was killed) is stopped first, so that
    /// there are never two.
    pub(super) async fn is_up(&self) -> Result<bool, LocalError> {
        let marker = self.data_dir.up_marker();
        let running = postmaster(&self.socket_dir).await;
        if running.is_some() && exists(&marker).await {
            return Ok(true);
        }
        remove_file(&marker).await?;
        if let Some(pid) = running {
            tracing::warn!(pid = pid.as_raw(), "stopping a Postgres left without its server");
            process::stop(&self.data_dir, &self.socket_dir, STOP_TIMEOUT).await?;
        }
        Ok(false)
    }

    /// Whether a process listens on the socket.
    pub(super) async fn is_running(&self) -> bool {
        postmaster(&self.socket_dir).await.is_some()
    }

    /// Whether the server accepts connections without a word, which none does that is ending.
    async fn hangs(&self) -> bool {
        let answer = database::connect(self.connect_options()).await;
        matches!(answer, Err(sqlx::Error::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut)
    }

    /// Starts the server under a watchdog: it ends when this process does.
    pub(super) async fn launch_watched(&self) -> Result<Started, LocalError> {
        let signal = match self.durability {
            Durability::Durable => "INT", // fast shutdown
            Durability::Throwaway => "QUIT",
        };
        let remove = match self.durability {
            Durability::Durable => None,
            Durability::Throwaway => Some(self.data_dir.path()),
        };
        let mut command = watched(&self.run_as, &self.lock, signal, remove)?;
        command.arg(self.binaries.postgres()).args(self.server_arguments());
        process::start(&self.data_dir, command).await
    }

    /// Starts the server without a watchdog: it outlives this process.
    pub(super) async fn launch_detached(&self) -> Result<Started, LocalError> {
        let mut command = self.run_as.command(&self.binaries.postgres());
        command.args(self.server_arguments()).stdout(Stdio::null());
        process::start(&self.data_dir, command).await
    }

    /// Arguments that override postgresql.conf: the only way in is the private socket.
    fn server_arguments(&self) -> Vec<String> {
        let settings = [
            "listen_addresses=".to_owned(),
            format!("port={}", data_dir::PORT),
            format!("unix_socket_directories={}", self.socket_dir.display()),
            "unix_socket_permissions=0700".to_owned(),
            "log_destination=stderr".to_owned(),
            "logging_collector=off".to_owned(),
        ];
        let mut arguments = vec!["-D".to_owned(), self.data_dir.cluster().display().to_string()];
        for setting in settings {
            arguments.extend(["-c".to_owned(), setting]);
        }
        arguments
    }

    /// Waits until the server answers, and creates the database if necessary. Takes as long as the server says that it is
    /// starting.
    ///
    /// # Errors
    ///
    /// [`LocalError::Ended`] if the server ends instead, [`LocalError::NotReady`] if it says nothing for
    /// [`SILENCE_TIMEOUT`].
    pub(super) async fn wait_until_ready(&self, started: &mut Started) -> Result<(), LocalError> {
        let begun = Instant::now();
        let (mut deadline, mut news) = (begun + SILENCE_TIMEOUT, begun + NEWS_INTERVAL);
        loop {
            let ended = started.child.try_wait();
            let path = self.binaries.postgres();
            if let Some(status) = ended.map_err(LocalError::io("wait for", path))? {
                return Err(started.ended("postgres", status, &self.data_dir));
            }
            let reason = match database::connect(self.connect_options()).await {
                Ok(connection) => {
                    database::close(connection).await;
                    return Ok(());
                }
                Err(error) if database::is_missing_database(&error) => {
                    database::create(&self.connect_options()).await?;
                    continue;
                }
                Err(error) => {
                    if database::is_starting(&error) {
                        deadline = Instant::now() + SILENCE_TIMEOUT;
                    }
                    error.to_string()
                }
            };
            if Instant::now() > news {
                news = Instant::now() + NEWS_INTERVAL;
                tracing::info!(reason, elapsed_s = begun.elapsed().as_secs(), "the private Postgres is still starting");
            }
            if Instant::now() > deadline {
                return Err(LocalError::NotReady {
                    seconds: SILENCE_TIMEOUT.as_secs(),
                    reason,
                    log: self.data_dir.log(),
                    tail: self.data_dir.log_tail(started.log_from),
                });
            }
            sleep(POLL).await;
        }
    }

    /// Stops a server that [`Cluster::launch_watched`] started, by closing the pipe to its watchdog. One that hangs is left to
    /// the watchdog, which ends it when it wakes and keeps the lock until then.
    pub(super) async fn stop_watched(&self, mut started: Started) -> Result<(), LocalError> {
        drop(started.pipe.take());
        let deadline = Instant::now() + STOP_TIMEOUT;
        while timeout(HANG_TIMEOUT, started.child.wait()).await.is_err() && Instant::now() < deadline {
            if self.hangs().await {
                tracing::warn!("the private Postgres hangs; it ends when it wakes");
                return Ok(());
            }
        }
        // The server has already ended, unless the watchdog was slow or was killed.
        let limit = deadline.saturating_duration_since(Instant::now());
        process::stop(&self.data_dir, &self.socket_dir, limit).await?;
        self.lock.share_has_ended();
        if self.durability == Durability::Durable {
            self.data_dir.remove_socket_dir();
        }
        Ok(())
    }
}
