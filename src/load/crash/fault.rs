//! Faults of a server and its database.

use std::fmt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use tokio::time::sleep;

use super::error::CrashError;
use super::server::ServerUnderTest;

/// A fault. Its JSON names are part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The server is killed.
    Server,
    /// The postmaster is killed. Postgres' other processes run until they notice.
    Postgres,
    /// The server and all processes of Postgres are killed at the same time.
    Both,
    /// All of Postgres is paused for a while, as on a machine that hangs.
    Pause,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 4] = [Self::Server, Self::Postgres, Self::Both, Self::Pause];

    /// Whether Postgres must be started again.
    pub(super) fn kills_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::Both)
    }

    /// Injects the fault. Returns the time from which the server can recover.
    pub(super) async fn inject(
        self,
        server: &mut ServerUnderTest,
        postmaster: Pid,
        pause: Duration,
    ) -> Result<Instant, CrashError> {
        let injected = Instant::now();
        match self {
            Self::Server => server.kill().await?,
            Self::Postgres => signal(postmaster, Signal::SIGKILL)?,
            Self::Both => {
                PausedProcesses::of_postgres(postmaster)?.kill();
                server.kill().await?;
            }
            Self::Pause => {
                let paused = PausedProcesses::of_postgres(postmaster)?;
                sleep(pause).await;
                drop(paused);
                return Ok(Instant::now());
            }
        }
        Ok(injected)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Server => "kill -9 of the server",
            Self::Postgres => "kill -9 of Postgres",
            Self::Both => "kill -9 of both",
            Self::Pause => "stop of Postgres",
        })
    }
}

fn signal(pid: Pid, signal: Signal) -> Result<(), CrashError> {
    kill(pid, signal).map_err(|error| CrashError::system("signal Postgres")(error.into()))
}

/// Paused processes. They continue when this is dropped.
struct PausedProcesses(Vec<Pid>);

impl PausedProcesses {
    /// Pauses a postmaster and then its children: while it is paused it starts no new ones.
    fn of_postgres(postmaster: Pid) -> Result<Self, CrashError> {
        let mut paused = Self(Vec::new());
        signal(postmaster, Signal::SIGSTOP)?;
        paused.0.push(postmaster);
        for child in children(postmaster)? {
            // It may have ended by now.
            if kill(child, Signal::SIGSTOP).is_ok() {
                paused.0.push(child);
            }
        }
        Ok(paused)
    }

    /// Kills all of them while they are paused.
    fn kill(self) {
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGKILL);
        }
    }
}

impl Drop for PausedProcesses {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

/// Children of a process, on Linux. On other systems none: then only the postmaster is hit, and no new connections are
/// possible.
fn children(parent: Pid) -> Result<Vec<Pid>, CrashError> {
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let list = list.map_err(CrashError::system("list Postgres' processes"))?;
    Ok(list.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect())
}
