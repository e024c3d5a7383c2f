//! The files of the spool. A segment is a header and sealed messages, each behind its length. It is locked while a server
//! writes or drains it; the kernel frees the lock when that server ends, in whatever way.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::message::Message;
use crate::message::sealed::{FINGERPRINT, Seal};

/// What a segment begins with; the fingerprint of the key follows. Another format would have another number.
const MAGIC: &[u8; 16] = b"showtime spool 1";

/// The ending of the names of segments.
const EXTENSION: &str = "spool";

/// A segment that is written to.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    length: u64,
}

impl Segment {
    /// Makes a segment, for its owner alone. It gets its name once it is locked, so that no other server drains it. Names are
    /// in the order in which segments were made.
    pub(super) fn create(dir: &Path, made_at_micros: u64, seal: &Seal) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let name = format!("{made_at_micros:016}-{:08x}", rand::random::<u32>());
        let new = dir.join(format!("{name}.new"));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.lock()?;
        file.write_all(MAGIC)?;
        file.write_all(seal.fingerprint())?;
        file.sync_data()?;
        fs::rename(new, dir.join(format!("{name}.{EXTENSION}")))?;
        File::open(dir)?.sync_all()?;
        Ok(Self { file, length: (MAGIC.len() + FINGERPRINT) as u64 })
    }

    /// Appends these records; they are on the disk when this returns. After an error the segment holds none of them.
    pub(super) fn append(&mut self, records: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(records).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.length += records.len() as u64,
            Err(_) => self.file.set_len(self.length)?,
        }
        written
    }

    /// Its size in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

impl Drop for Segment {
    /// Unlocks explicitly: a process that another thread is starting has a copy of the file until its exec.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Appends the record of a sealed message to a buffer.
pub(super) fn push_record(buffer: &mut Vec<u8>, sealed: &[u8]) {
    buffer.extend_from_slice(&u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_le_bytes());
    buffer.extend_from_slice(sealed);
}

/// A segment in the directory.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// All segments in the directory, the oldest first.
pub(super) fn list(dir: &Path) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == EXTENSION) {
            // Another server may have drained it meanwhile.
            found.extend(fs::metadata(&path).map(|data| Found { path, bytes: data.len() }));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A segment that no server writes to, locked.
#[derive(Debug)]
pub(super) struct Locked {
    file: File,
    path: PathBuf,
}

/// What a segment holds.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "messages are submitted in boxes")]
pub(super) enum Contents {
    /// Messages in the order of reading, and whether the segment ends with a part of a record.
    Messages(Vec<Box<Message>>, bool),
    /// It was sealed with another key, or by another version.
    Foreign,
}

impl Locked {
    /// Locks a segment. `None` if another process has it, or if it is gone.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path: path.to_owned() })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Reads the messages. What follows a record that can't be opened was never complete: a crash cut it off.
    pub(super) fn read(&mut self, seal: &Seal) -> io::Result<Contents> {
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let Some(mut rest) = bytes.strip_prefix(&[MAGIC.as_slice(), seal.fingerprint()].concat()[..]) else {
            let is_torn = bytes.len() < MAGIC.len() + FINGERPRINT;
            return Ok(if is_torn { Contents::Messages(Vec::new(), false) } else { Contents::Foreign });
        };
        let mut messages = Vec::new();
        while let Some((sealed, after)) = record(rest) {
            let Ok(message) = seal.open(sealed) else { break };
            messages.push(message);
            rest = after;
        }
        Ok(Contents::Messages(messages, !rest.is_empty()))
    }

    /// Deletes the segment.
    pub(super) fn remove(self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The first record, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
