//! What can be done to a server and its database.

use std::fmt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use tokio::time::sleep;

use super::CrashError;
use super::subject::Subject;

/// What is struck down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strike {
    /// The server is killed.
    Server,
    /// The postmaster is killed. Postgres' other processes go on until they notice.
    Postgres,
    /// The server is killed and each process of Postgres, at the same moment.
    Both,
    /// All of Postgres stands still for a while, as on a machine that hangs.
    Pause,
}

impl Strike {
    /// Each kind.
    pub const ALL: [Self; 4] = [Self::Server, Self::Postgres, Self::Both, Self::Pause];

    /// Whether Postgres has to be started again after it.
    pub(super) fn fells_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::Both)
    }

    /// Strikes, and tells since when recovery is possible.
    pub(super) async fn hit(
        self,
        subject: &mut Subject,
        postmaster: Pid,
        pause: Duration,
    ) -> Result<Instant, CrashError> {
        let struck = Instant::now();
        match self {
            Self::Server => subject.kill().await?,
            Self::Postgres => signal(postmaster, Signal::SIGKILL)?,
            Self::Both => {
                Stopped::all(postmaster)?.kill();
                subject.kill().await?;
            }
            Self::Pause => {
                let stopped = Stopped::all(postmaster)?;
                sleep(pause).await;
                drop(stopped);
                return Ok(Instant::now());
            }
        }
        Ok(struck)
    }
}

impl fmt::Display for Strike {
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

/// Processes that stand still; they go on when this is dropped, whatever happens meanwhile.
struct Stopped(Vec<Pid>);

impl Stopped {
    /// A postmaster and then its children: it makes no more while it stands still.
    fn all(postmaster: Pid) -> Result<Self, CrashError> {
        let mut stopped = Self(Vec::new());
        signal(postmaster, Signal::SIGSTOP)?;
        stopped.0.push(postmaster);
        for child in children(postmaster)? {
            // It may have ended by now.
            if kill(child, Signal::SIGSTOP).is_ok() {
                stopped.0.push(child);
            }
        }
        Ok(stopped)
    }

    /// Kills them all, as they stand.
    fn kill(self) {
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGKILL);
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

/// A process's children, where the system tells (Linux); elsewhere none: the postmaster is struck
/// alone, and nobody new can connect.
fn children(of: Pid) -> Result<Vec<Pid>, CrashError> {
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    let list = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
    let list = list.map_err(CrashError::system("list Postgres' processes"))?;
    Ok(list.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect())
}
