//! Processes of Postgres and initdb: started under a watchdog, found by their socket, and stopped.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use super::data_dir::{self, DataDir};
use super::database::CONNECT_TIMEOUT;
use super::error::LocalError;
use super::files::{exists, off_thread};
use super::lock::Lock;
use super::run_as::RunAs;

/// Interval of polling for things that take milliseconds.
pub(super) const POLL: Duration = Duration::from_millis(15);

/// Time limit for a fast shutdown, which writes a checkpoint.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Time limit for an immediate shutdown.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shell script that ends a command when this process ends, in whatever way.
const WATCHDOG: &str = include_str!("watchdog.sh");

/// A server or initdb that this process started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) child: Child,
    /// The watchdog waits until this is closed. (Not left in `child`, whose `wait` closes it.)
    pub(super) pipe: Option<ChildStdin>,
    /// Offset of its part of the log.
    pub(super) log_from: u64,
}

impl Started {
    /// The error for a process that has ended, with the end of its log.
    pub(super) fn ended(&self, program: &'static str, status: ExitStatus, data_dir: &DataDir) -> LocalError {
        LocalError::Ended { program, status, log: data_dir.log(), tail: data_dir.log_tail(self.log_from) }
    }
}

/// A command that runs the watchdog. The program to watch and its arguments must still be added.
pub(super) fn watched(run_as: &RunAs, lock: &Lock, signal: &str, remove: Option<&Path>) -> Result<Command, LocalError> {
    let lock = lock.share().map_err(LocalError::io("share", "lock"))?;
    let mut command = run_as.command(Path::new("/bin/sh"));
    command
        .args(["-c", WATCHDOG, "watchdog.sh", signal])
        .arg(remove.unwrap_or(Path::new("")))
        .stdin(Stdio::piped())
        .stdout(lock);
    Ok(command)
}

/// Starts a command that logs to the data directory. It gets its own process group, so that a Ctrl-C at the terminal only
/// reaches this process, and Postgres ends after it.
pub(super) async fn start(data_dir: &DataDir, mut command: Command) -> Result<Started, LocalError> {
    let dir = data_dir.clone();
    let (log, log_from) = off_thread(move || dir.open_log()).await?;
    let program = command.as_std().get_program().to_owned();
    let mut child = command.stderr(log).process_group(0).spawn().map_err(LocalError::io("start", program))?;
    Ok(Started { pipe: child.stdin.take(), child, log_from })
}

/// The id of the process that listens in a socket directory, from the kernel: unlike the number in `postmaster.pid`, it can't
/// belong to another process by now.
pub(super) async fn postmaster(socket_dir: &Path) -> Option<Pid> {
    let connecting = UnixStream::connect(data_dir::socket_in(socket_dir));
    let stream = timeout(CONNECT_TIMEOUT, connecting).await.ok()?.ok()?;
    let pid = stream.peer_cred().ok()?.pid().filter(|pid| *pid > 1)?;
    Some(Pid::from_raw(pid))
}

/// Stops the server that listens in the socket directory, and waits until it has ended. A fast shutdown may take so long.
pub(super) async fn stop(data_dir: &DataDir, socket_dir: &Path, limit: Duration) -> Result<(), LocalError> {
    let Some(pid) = postmaster(socket_dir).await else {
        return Ok(());
    };
    for (signal, limit) in [(Signal::SIGINT, limit), (Signal::SIGQUIT, ABORT_TIMEOUT)] {
        let _ = kill(pid, signal); // it may have ended by now
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            // Its pid file is removed last. (The process id can remain where orphans are not reaped.)
            let pid_file = data_dir.cluster().join("postmaster.pid");
            if !exists(&pid_file).await || !data_dir::is_alive(pid) {
                return Ok(());
            }
            sleep(POLL).await;
        }
    }
    Err(LocalError::WontStop { pid: pid.as_raw(), log: data_dir.log() })
}
