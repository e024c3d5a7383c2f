//! The lock that says who uses a data directory.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::unistd::Pid;

use super::data_dir::{self, DataDir};
use super::error::LocalError;

/// Held by the one process that uses the directory, and after it by the watchdog that still ends
/// what it started: the kernel frees the lock when the last of them is gone, however it went.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    is_shared: AtomicBool,
}

impl Lock {
    /// Takes the lock. `None` while an earlier holder that has ended left something behind which
    /// still ends.
    ///
    /// # Errors
    ///
    /// [`LocalError::InUse`] if a process that lives holds it.
    pub(super) fn try_take(data_dir: &DataDir) -> Result<Option<Self>, LocalError> {
        let path = data_dir.path().join("lock");
        let mut file = data_dir.open_file("lock")?;
        match file.try_lock() {
            Ok(()) => {
                let lock = Self { file, is_shared: AtomicBool::new(false) };
                return lock.sign().map(|()| Some(lock)).map_err(LocalError::io("write", path));
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
            // Of a dead holder, or empty for the instant in which a new one writes it.
            _ => Ok(None),
        }
    }

    /// A share in the lock, for a watchdog to hold.
    pub(super) fn share(&self) -> io::Result<File> {
        self.is_shared.store(true, Ordering::Relaxed);
        self.file.try_clone()
    }

    /// Says that whoever had a share has ended.
    pub(super) fn share_has_ended(&self) {
        self.is_shared.store(false, Ordering::Relaxed);
    }

    fn sign(&self) -> io::Result<()> {
        self.file.set_len(0)?;
        writeln!(&self.file, "{}", std::process::id())
    }
}

impl Drop for Lock {
    /// Closing the file would not do: a program that another thread starts at this moment has a
    /// copy of it until it has become that program, and would seem to hold the lock in our name.
    fn drop(&mut self) {
        if !*self.is_shared.get_mut() {
            let _ = self.file.unlock(); // the kernel does it at the latest when we end
        }
    }
}
