//! The lock of a data directory.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::data_dir::{self, DataDir};
use super::error::LocalError;
use super::files::off_thread;

/// Time limit for the Postgres of a killed holder to end.
const ENDING_TIMEOUT: Duration = Duration::from_secs(40);

/// Interval of attempts to take the lock.
const POLL: Duration = Duration::from_millis(15);

/// Held by the one process that uses the directory, and after it by the watchdog that is still ending its Postgres. The kernel
/// frees the lock when the last of them has ended, in whatever way.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    is_shared: AtomicBool,
}

impl Lock {
    /// Takes the lock, after waiting for the Postgres of a killed holder to end.
    ///
    /// # Errors
    ///
    /// [`LocalError::InUse`] if a running process holds it, [`LocalError::StillEnding`] if that Postgres does not end.
    pub(super) async fn take(data_dir: &DataDir) -> Result<Self, LocalError> {
        let deadline = Instant::now() + ENDING_TIMEOUT;
        loop {
            let dir = data_dir.clone();
            if let Some(lock) = off_thread(move || Self::try_take(&dir)).await? {
                return Ok(lock);
            }
            if Instant::now() > deadline {
                return Err(LocalError::StillEnding { dir: data_dir.path().to_owned() });
            }
            sleep(POLL).await;
        }
    }

    /// Takes the lock. `None` while the watchdog of an ended holder still has it.
    ///
    /// # Errors
    ///
    /// [`LocalError::InUse`] if a running process holds it.
    fn try_take(data_dir: &DataDir) -> Result<Option<Self>, LocalError> {
        let path = data_dir.path().join("lock");
        let mut file = data_dir.open_file("lock")?;
        match file.try_lock() {
            Ok(()) => {
                let lock = Self { file, is_shared: AtomicBool::new(false) };
                return lock.write_pid().map(|()| Some(lock)).map_err(LocalError::io("write", path));
            }
            Err(TryLockError::Error(error)) => return Err(LocalError::io("lock", path)(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(LocalError::io("read", path))?;
        match text.trim().parse().map(Pid::from_raw) {
            Ok(pid) if data_dir::is_alive(pid) => {
                Err(LocalError::InUse { pid: pid.as_raw(), dir: data_dir.path().to_owned() })
            }
            // The pid of an ended holder, or empty while a new one writes its own.
            _ => Ok(None),
        }
    }

    /// A share in the lock, for a watchdog.
    pub(super) fn share(&self) -> io::Result<File> {
        self.is_shared.store(true, Ordering::Relaxed);
        self.file.try_clone()
    }

    /// Records that the holder of the share has ended.
    pub(super) fn share_has_ended(&self) {
        self.is_shared.store(false, Ordering::Relaxed);
    }

    fn write_pid(&self) -> io::Result<()> {
        self.file.set_len(0)?;
        writeln!(&self.file, "{}", std::process::id())
    }
}

impl Drop for Lock {
    /// Unlocks explicitly. Closing the file is not enough: a child process that another thread is starting has a copy of it
    /// until its exec, and would still hold the lock.
    fn drop(&mut self) {
        if !*self.is_shared.get_mut() {
            let _ = self.file.unlock(); // the kernel does it at the latest when this process ends
        }
    }
}
