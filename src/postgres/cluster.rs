//! One cluster in a held data directory: made, launched, asked and stopped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use super::Durability;
use super::binaries::{self, Binaries};
use super::data_dir::{self, DataDir};
use super::error::LocalError;
use super::lock::Lock;
use super::run_as::RunAs;
use crate::store::within;

/// The database in the cluster, and its owner.
pub(super) const NAME: &str = "showtime";

/// Between two looks at something that takes milliseconds.
const POLL: Duration = Duration::from_millis(15);

/// How long the Postgres of a holder that was killed may take to end.
const ENDING_TIMEOUT: Duration = Duration::from_secs(40);

/// How long initdb may take, on a slow disk too.
const INITDB_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a start may take, recovery after a crash included.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one attempt to connect through the socket may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long creating or dropping a database may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a fast shutdown, which writes a checkpoint, may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long Postgres may take to end without any farewell.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Written to the end of a new cluster's postgresql.conf: a small server, UTC everywhere.
const SETTINGS: &str = "\
# Set by showtime when it made this cluster; yours to change.
shared_buffers = 32MB
max_connections = 60
timezone = 'UTC'
log_timezone = 'UTC'";

/// The same for a cluster that is thrown away: many connections, and nothing survives a power cut.
const THROWAWAY_SETTINGS: &str = "\
shared_buffers = 32MB
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
fsync = off
synchronous_commit = off
full_page_writes = off";

/// Ends a command when we end, however we do.
const WATCHDOG: &str = include_str!("watchdog.sh");

/// Makes a cluster, as its owner.
const INITDB: &str = include_str!("initdb.sh");

/// A cluster whose data directory is ours alone.
#[derive(Debug)]
pub(super) struct Cluster {
    data_dir: DataDir,
    lock: Lock,
    binaries: Binaries,
    run_as: RunAs,
    socket_dir: PathBuf,
    durability: Durability,
}

/// A server or initdb that we started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) child: Child,
    /// The watchdog waits for this end to close. (Not left in `child`, whose `wait` closes it.)
    pipe: Option<ChildStdin>,
    /// Where its part of the log begins.
    log_from: u64,
}

impl Cluster {
    /// Takes the data directory and sees to it that there is a whole cluster in it. Whether
    /// that runs already is a question for [`Cluster::is_up`].
    pub(super) async fn open(path: &Path, durability: Durability) -> Result<Self, LocalError> {
        let path = path.to_owned();
        let data_dir = off_thread(move || DataDir::create(&path)).await?;
        let lock = hold(&data_dir).await?;
        let dir = data_dir.clone();
        let major = off_thread(move || dir.cluster_major()).await?;
        let cluster = data_dir.cluster();
        let binaries = binaries::find(major.map(|major| (major, cluster.as_path()))).await?;
        if durability == Durability::Throwaway {
            let dir = data_dir.clone();
            off_thread(move || dir.give_to_unprivileged_user()).await?;
        }
        let run_as = RunAs::choose(&data_dir, &binaries.postgres()).await?;
        if major.is_none() {
            make(&data_dir, &lock, &binaries, &run_as, durability).await?;
        }
        let (dir, user) = (data_dir.clone(), *run_as.user());
        let socket_dir = off_thread(move || dir.make_socket_dir(&user)).await?;
        Ok(Self { data_dir, lock, binaries, run_as, socket_dir, durability })
    }

    pub(super) fn data_dir(&self) -> &DataDir {
        &self.data_dir
    }

    /// How to reach the database.
    pub(super) fn connect_options(&self) -> PgConnectOptions {
        connect_options(&self.socket_dir)
    }

    /// Whether a server runs that `local-db up` left running. One that nobody watches any more
    /// (its watchdog was killed) is stopped first, so that no two ever meet.
    pub(super) async fn is_up(&self) -> Result<bool, LocalError> {
        let marker = self.data_dir.up_marker();
        let running = postmaster(&self.socket_dir).await;
        if running.is_some() && is_there(&marker).await {
            return Ok(true);
        }
        remove_file(&marker).await?;
        if let Some(pid) = running {
            tracing::warn!(pid = pid.as_raw(), "stopping a Postgres left without its server");
            stop(&self.data_dir, &self.socket_dir).await?;
        }
        Ok(false)
    }

    /// Whether anybody listens on the socket.
    pub(super) async fn is_running(&self) -> bool {
        postmaster(&self.socket_dir).await.is_some()
    }

    /// Starts the server under a watchdog: it ends when we do.
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
        start(&self.data_dir, command).await
    }

    /// Starts the server by itself: it outlives us.
    pub(super) async fn launch_detached(&self) -> Result<Started, LocalError> {
        let mut command = self.run_as.command(&self.binaries.postgres());
        command.args(self.server_arguments()).stdout(Stdio::null());
        start(&self.data_dir, command).await
    }

    /// What must hold whatever postgresql.conf says: nobody gets in but through our socket.
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

    /// Waits until the server answers, and makes the database if it is not there.
    ///
    /// # Errors
    ///
    /// [`LocalError::Ended`] if the server ends instead, [`LocalError::NotReady`] if it takes
    /// longer than [`START_TIMEOUT`].
    pub(super) async fn until_ready(&self, started: &mut Started) -> Result<(), LocalError> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let ended = started.child.try_wait();
            let path = self.binaries.postgres();
            if let Some(status) = ended.map_err(LocalError::io("wait for", path))? {
                return Err(started.ended("postgres", status, &self.data_dir));
            }
            let reason = match connect(self.connect_options()).await {
                Ok(connection) => {
                    let _ = timeout(CONNECT_TIMEOUT, connection.close()).await;
                    return Ok(());
                }
                Err(error) if is_missing_database(&error) => {
                    create_database(&self.connect_options()).await?;
                    continue;
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                return Err(LocalError::NotReady {
                    seconds: START_TIMEOUT.as_secs(),
                    reason,
                    log: self.data_dir.log(),
                    tail: self.data_dir.log_tail(started.log_from),
                });
            }
            sleep(POLL).await;
        }
    }

    /// Ends a server that [`Cluster::launch_watched`] started, by letting go of its watchdog.
    pub(super) async fn stop_watched(&self, mut started: Started) -> Result<(), LocalError> {
        drop(started.pipe.take());
        let _ = timeout(STOP_TIMEOUT, started.child.wait()).await;
        // Nobody listens there any more, unless the watchdog was slow or was killed.
        stop(&self.data_dir, &self.socket_dir).await?;
        self.lock.share_has_ended();
        if self.durability == Durability::Durable {
            self.data_dir.remove_socket_dir();
        }
        Ok(())
    }
}

impl Started {
    fn ended(&self, program: &'static str, status: std::process::ExitStatus, data_dir: &DataDir) -> LocalError {
        LocalError::Ended { program, status, log: data_dir.log(), tail: data_dir.log_tail(self.log_from) }
    }
}

/// Takes the directory's lock, after waiting for the Postgres of a killed holder to end.
pub(super) async fn hold(data_dir: &DataDir) -> Result<Lock, LocalError> {
    let deadline = Instant::now() + ENDING_TIMEOUT;
    loop {
        let dir = data_dir.clone();
        if let Some(lock) = off_thread(move || Lock::try_take(&dir)).await? {
            return Ok(lock);
        }
        if Instant::now() > deadline {
            let dir = data_dir.path().to_owned();
            return Err(LocalError::StillEnding { dir });
        }
        sleep(POLL).await;
    }
}

/// Makes the cluster beside its place and moves it there when it is whole, so that an
/// interrupted initdb never leaves something that looks like one.
async fn make(
    data_dir: &DataDir,
    lock: &Lock,
    binaries: &Binaries,
    run_as: &RunAs,
    durability: Durability,
) -> Result<(), LocalError> {
    let new = data_dir.half_made_cluster();
    remove_dir(&new).await?;
    data_dir::make_dir_for(&new, run_as.user())?;

    let settings = match durability {
        Durability::Durable => SETTINGS,
        Durability::Throwaway => THROWAWAY_SETTINGS,
    };
    let mut command = watched(run_as, lock, "INT", None)?;
    command
        .args(["/bin/sh", "-c", INITDB, "initdb.sh"])
        .arg(&new)
        .arg(settings)
        .arg(binaries.initdb())
        .args(["--username", NAME, "--auth", "trust"])
        // The same order of text on every machine, whatever locales it has.
        .args(["--encoding", "UTF8", "--no-locale"]);
    if durability == Durability::Throwaway {
        command.arg("--no-sync");
    }
    let mut started = start(data_dir, command).await?;
    let status = match timeout(INITDB_TIMEOUT, started.child.wait()).await {
        Ok(status) => status.map_err(LocalError::io("wait for", binaries.initdb()))?,
        Err(_) => {
            return Err(LocalError::NotReady {
                seconds: INITDB_TIMEOUT.as_secs(),
                reason: "initdb still works".to_owned(),
                log: data_dir.log(),
                tail: data_dir.log_tail(started.log_from),
            });
        }
    };
    if !status.success() {
        return Err(started.ended("initdb", status, data_dir));
    }
    lock.share_has_ended();
    let (data_dir, cluster) = (data_dir.path().to_owned(), data_dir.cluster());
    off_thread(move || {
        fs::rename(&new, &cluster).map_err(LocalError::io("create", cluster))?;
        File::open(&data_dir).and_then(|dir| dir.sync_all()).map_err(LocalError::io("sync", data_dir))
    })
    .await
}

/// A command to which the program to watch, and its arguments, are still to be added.
fn watched(run_as: &RunAs, lock: &Lock, signal: &str, remove: Option<&Path>) -> Result<Command, LocalError> {
    let lock = lock.share().map_err(LocalError::io("share", "lock"))?;
    let mut command = run_as.command(Path::new("/bin/sh"));
    command
        .args(["-c", WATCHDOG, "watchdog.sh", signal])
        .arg(remove.unwrap_or(Path::new("")))
        .stdin(Stdio::piped())
        .stdout(lock);
    Ok(command)
}

/// Starts a command that logs to the data directory, in a process group of its own: a Ctrl-C at
/// the terminal is for us, and Postgres ends after us.
async fn start(data_dir: &DataDir, mut command: Command) -> Result<Started, LocalError> {
    let dir = data_dir.clone();
    let (log, log_from) = off_thread(move || dir.open_log()).await?;
    let program = command.as_std().get_program().to_owned();
    let mut child = command.stderr(log).process_group(0).spawn().map_err(LocalError::io("start", program))?;
    Ok(Started { pipe: child.stdin.take(), child, log_from })
}

/// The process that listens in a socket directory, as the kernel knows it: unlike the number in
/// `postmaster.pid`, this one cannot be somebody else's by now.
pub(super) async fn postmaster(socket_dir: &Path) -> Option<Pid> {
    let connecting = UnixStream::connect(data_dir::socket_in(socket_dir));
    let stream = timeout(CONNECT_TIMEOUT, connecting).await.ok()?.ok()?;
    let pid = stream.peer_cred().ok()?.pid().filter(|pid| *pid > 1)?;
    Some(Pid::from_raw(pid))
}

/// Stops whatever server listens in the socket directory, and waits until it has ended.
pub(super) async fn stop(data_dir: &DataDir, socket_dir: &Path) -> Result<(), LocalError> {
    let Some(pid) = postmaster(socket_dir).await else {
        return Ok(());
    };
    for (signal, patience) in [(Signal::SIGINT, STOP_TIMEOUT), (Signal::SIGQUIT, ABORT_TIMEOUT)] {
        let _ = kill(pid, signal); // it may have ended by now
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            // Its pid file goes last. (A number can linger where nobody reaps orphans.)
            let pid_file = data_dir.cluster().join("postmaster.pid");
            if !is_there(&pid_file).await || !data_dir::is_alive(pid) {
                return Ok(());
            }
            sleep(POLL).await;
        }
    }
    Err(LocalError::WontStop { pid: pid.as_raw(), log: data_dir.log() })
}

/// How to reach the database `showtime` through a socket directory.
pub(super) fn connect_options(socket_dir: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(data_dir::PORT)
        .username(NAME)
        .database(NAME)
        .ssl_mode(PgSslMode::Disable)
}

/// Connects with a time limit.
async fn connect(options: PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    within(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await
}

fn is_missing_database(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("3D000")
}

async fn create_database(options: &PgConnectOptions) -> Result<(), LocalError> {
    administer(options, &["create database showtime"]).await
}

/// Runs statements about databases, from a database that they do not concern.
pub(super) async fn administer(options: &PgConnectOptions, statements: &[&'static str]) -> Result<(), LocalError> {
    let mut connection = connect(options.clone().database("postgres")).await?;
    for statement in statements {
        within(STATEMENT_TIMEOUT, sqlx::raw_sql(*statement).execute(&mut connection)).await?;
    }
    let _ = timeout(CONNECT_TIMEOUT, connection.close()).await; // the server notices anyway
    Ok(())
}

/// Runs file work away from the threads that serve.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LocalError> + Send + 'static,
) -> Result<T, LocalError> {
    tokio::task::spawn_blocking(work).await?
}

/// Whether there is something at `path`, as far as we can see.
async fn is_there(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(true)
}

/// Removes a directory with all that is in it, if it is there.
pub(super) async fn remove_dir(path: &Path) -> Result<(), LocalError> {
    match tokio::fs::remove_dir_all(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LocalError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a file, if it is there.
pub(super) async fn remove_file(path: &Path) -> Result<(), LocalError> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LocalError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
