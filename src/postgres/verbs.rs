//! The subcommands of `server local-db`. Each returns the text to print.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;

use super::LocalPostgres;
use super::binaries;
use super::cluster::Cluster;
use super::data_dir::{DataDir, PORT};
use super::database::{self, NAME};
use super::durability::Durability;
use super::error::LocalError;
use super::files;
use super::lock::Lock;
use super::process::{self, STOP_TIMEOUT};
use crate::program::Program;

/// For short tasks: joins the cluster that a server runs in `data_dir`, or else starts it; the caller stops it after the
/// task.
///
/// # Errors
///
/// As [`LocalPostgres::start`].
pub async fn start_or_join(data_dir: &Path) -> Result<(PgConnectOptions, Option<LocalPostgres>), LocalError> {
    match LocalPostgres::start(data_dir, Durability::Durable).await {
        Ok(postgres) => Ok((postgres.connect_options(), Some(postgres))),
        Err(error @ LocalError::InUse { .. }) => join(data_dir).await.map(|options| (options, None)).map_err(|_| error),
        Err(error) => Err(error),
    }
}

/// Starts the cluster in `data_dir` and leaves it running, also for servers that start later. Does nothing if it is already
/// running.
///
/// # Errors
///
/// As [`LocalPostgres::start`].
pub async fn up(data_dir: &Path) -> Result<String, LocalError> {
    let cluster = match Cluster::open(data_dir, Durability::Durable, None).await {
        Ok(cluster) => cluster,
        Err(LocalError::InUse { pid, dir }) => {
            let dir = dir.display();
            return Ok(format!("already running in {dir}, for a server (pid {pid})"));
        }
        Err(error) => return Err(error),
    };
    let dir = cluster.data_dir().path().display();
    if cluster.is_up().await? {
        return Ok(format!("already running in {dir}"));
    }
    // Before the start, so that a server that finds it running joins it instead of stopping it.
    cluster.data_dir().mark_up()?;
    let mut started = cluster.launch_detached().await?;
    cluster.wait_until_ready(&mut started).await?;
    Ok(format!("running in {dir}; stop it with `{} local-db down`", Program::Server))
}

/// Stops the cluster that [`up`] started.
///
/// # Errors
///
/// [`LocalError::InUse`] while a server uses it.
pub async fn down(data_dir: &Path) -> Result<String, LocalError> {
    let Ok(data_dir) = DataDir::existing(data_dir) else {
        return Ok("not running".to_owned());
    };
    let _lock = Lock::take(&data_dir).await?;
    let socket_dir = data_dir.socket_dir();
    let was_running = match &socket_dir {
        Some(dir) => process::postmaster(dir).await.is_some(),
        None => false,
    };
    if let Some(dir) = &socket_dir {
        process::stop(&data_dir, dir, STOP_TIMEOUT).await?;
    }
    files::remove_file(&data_dir.up_marker()).await?;
    data_dir.remove_socket_dir();
    Ok(if was_running { "stopped" } else { "not running" }.to_owned())
}

/// Deletes all data: recreates the database if the cluster runs, and otherwise removes the cluster, which the next start
/// creates again.
///
/// # Errors
///
/// [`LocalError::InUse`] while a server uses it.
pub async fn reset(data_dir: &Path) -> Result<String, LocalError> {
    let Ok(data_dir) = DataDir::existing(data_dir) else {
        return Ok("nothing to reset".to_owned());
    };
    let _lock = Lock::take(&data_dir).await?;
    if let Some(socket_dir) = running_socket_dir(&data_dir).await {
        database::reset(&database::connect_options(&socket_dir)).await?;
        return Ok("the database is empty".to_owned());
    }
    data_dir.remove_socket_dir();
    files::remove_dir(&data_dir.new_cluster()).await?;
    files::remove_dir(&data_dir.cluster()).await?;
    Ok("removed; the next start makes a new one".to_owned())
}

/// Options for connecting to the cluster that runs in `data_dir`.
///
/// # Errors
///
/// [`LocalError::NotRunning`].
pub async fn join(data_dir: &Path) -> Result<PgConnectOptions, LocalError> {
    Ok(database::connect_options(&running(data_dir).await?))
}

/// The process id of the Postgres that runs in `data_dir`, from the kernel. For tools that kill it.
///
/// # Errors
///
/// [`LocalError::NotRunning`].
pub async fn postmaster(data_dir: &Path) -> Result<Pid, LocalError> {
    let not_running = || LocalError::NotRunning { dir: data_dir.to_owned() };
    process::postmaster(&running(data_dir).await?).await.ok_or_else(not_running)
}

/// Shell commands that set the variables by which sqlx and psql find the database.
///
/// # Errors
///
/// [`LocalError::NotRunning`].
pub async fn env(data_dir: &Path) -> Result<String, LocalError> {
    let socket = running(data_dir).await?;
    let socket = socket.display();
    // Neither shell nor URL needs any quoting: see `data_dir::can_hold_socket`.
    Ok(format!(
        "export DATABASE_URL='postgres:///{NAME}?host={socket}&port={PORT}&user={NAME}'\n\
         export PGHOST={socket} PGPORT={PORT} PGUSER={NAME} PGDATABASE={NAME}"
    ))
}

/// Replaces this process with `psql` on the database, with further arguments. Returns only on an error.
///
/// # Errors
///
/// [`LocalError::NotRunning`], or [`LocalError::Io`] if there is no `psql`.
pub async fn psql(data_dir: &Path, arguments: &[OsString]) -> LocalError {
    let socket = match running(data_dir).await {
        Ok(socket) => socket,
        Err(error) => return error,
    };
    let psql = binaries::psql().await;
    let error = std::process::Command::new(&psql)
        .arg("--host")
        .arg(socket)
        .args(["--port", &PORT.to_string(), "--username", NAME])
        .args(["--dbname", NAME])
        .args(arguments)
        .exec();
    LocalError::io("start", psql)(error)
}

/// The socket directory of the server that runs in `data_dir`.
async fn running(data_dir: &Path) -> Result<PathBuf, LocalError> {
    let not_running = || LocalError::NotRunning { dir: data_dir.to_owned() };
    let data_dir = DataDir::existing(data_dir).map_err(|_| not_running())?;
    running_socket_dir(&data_dir).await.ok_or_else(not_running)
}

async fn running_socket_dir(data_dir: &DataDir) -> Option<PathBuf> {
    let socket_dir = data_dir.socket_dir()?;
    process::postmaster(&socket_dir).await?;
    Some(socket_dir)
}
