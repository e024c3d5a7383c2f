//! What was acknowledged, written down before it counts: a generator that is killed leaves the
//! proof behind.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::numbers::Numbers;

/// A file with the numbers of acknowledged messages, eight bytes each.
#[derive(Debug)]
pub struct Journal(NamedTempFile);

impl Journal {
    /// A new one, in the directory for temporary files.
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn create() -> io::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("showtime-acknowledged-").append(true).tempfile()?))
    }

    /// A new one that stays in this directory.
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn create_in(dir: &Path) -> io::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("acknowledged-").append(true).disable_cleanup(true).tempfile_in(dir)?))
    }

    /// Hands a number to the kernel, which keeps it whatever becomes of us. Blocks for no longer
    /// than it takes to copy eight bytes into the page cache: shorter than any way around that.
    ///
    /// # Errors
    /// If the file takes no more.
    pub fn note(&self, number: u64) -> io::Result<()> {
        self.0.as_file().write_all(&number.to_le_bytes())
    }

    /// All that was noted.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn read(&self) -> io::Result<Numbers> {
        let mut numbers = Numbers::default();
        let mut file = BufReader::new(File::open(self.0.path())?);
        let mut number = [0; 8];
        loop {
            match file.read_exact(&mut number) {
                Ok(()) => numbers.insert(u64::from_le_bytes(number)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(numbers),
                Err(error) => return Err(error),
            };
        }
    }

    /// Keeps the file, which would go otherwise, and tells where it is.
    ///
    /// # Errors
    /// If it can't be kept.
    pub fn keep(self) -> io::Result<PathBuf> {
        self.0.keep().map(|(_, path)| path).map_err(|error| error.error)
    }
}
