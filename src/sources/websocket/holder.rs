//! The holder of this server's leases: a random number, another one in each run. The numbers of the last runs are in a file
//! of the data directory that is locked while a server runs, so a server that can lock it knows that those runs have ended,
//! in whatever way, and does not wait until their leases expire.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The name of the file.
const FILE: &str = "session-holders";

/// Runs that are remembered: more than one, because a run may end before it has reached the database.
const REMEMBERED: usize = 8;

/// The holder of this run.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) id: i64,
    /// The holders of runs that have ended.
    pub(super) ended: Vec<i64>,
    /// Locked until this process ends.
    _file: Option<File>,
}

impl Holder {
    /// Without the file, or if another server on the same directory has it, the leases of earlier runs expire by themselves.
    pub(super) fn new(data_dir: &Path) -> Self {
        let id = rand::random();
        match lock(&data_dir.join(FILE), id) {
            Ok((file, ended)) => Self { id, ended, _file: Some(file) },
            Err(error) => {
                tracing::debug!(%error, "leases of an earlier run expire by themselves");
                Self { id, ended: Vec::new(), _file: None }
            }
        }
    }
}

/// Locks the file, adds this holder, and returns those before it.
fn lock(path: &Path, id: i64) -> io::Result<(File, Vec<i64>)> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.try_lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let mut ended: Vec<i64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    ended.drain(..ended.len().saturating_sub(REMEMBERED));
    let text: String = ended.iter().chain([&id]).map(|id| format!("{id}\n")).collect();
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    Ok((file, ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_of_ended_runs_are_known_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let first = Holder::new(dir.path());
        assert!(first.ended.is_empty());
        let beside = Holder::new(dir.path());
        assert!(beside.ended.is_empty(), "the first still runs");
        let mut ids = vec![first.id];
        drop(first);
        for _ in 0..20 {
            let next = Holder::new(dir.path());
            assert_eq!(next.ended, ids[ids.len().saturating_sub(REMEMBERED)..]);
            ids.push(next.id);
        }
        assert!(!ids.contains(&beside.id));
    }

    #[test]
    fn directory_that_takes_no_file_keeps_no_server_from_starting() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Holder::new(&dir.path().join("missing")).ended.is_empty());
        std::fs::write(dir.path().join(FILE), "what is this\n7\n").unwrap();
        assert_eq!(Holder::new(dir.path()).ended, [7]);
    }
}
