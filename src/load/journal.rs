//! Record of acknowledged messages, written before they are counted: it survives if the generator is killed.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use roaring::RoaringTreemap;
use tempfile::NamedTempFile;

/// A file with the numbers of acknowledged messages, eight bytes each.
#[derive(Debug)]
pub struct Journal(NamedTempFile);

impl Journal {
    /// Creates a journal in the directory for temporary files.
    ///
    /// # Errors
    /// If the file can't be created.
    pub fn create() -> io::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("showtime-acknowledged-").append(true).tempfile()?))
    }

    /// Creates a journal in this directory that is not removed.
    ///
    /// # Errors
    /// If the file can't be created.
    pub fn create_in(dir: &Path) -> io::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("acknowledged-").append(true).disable_cleanup(true).tempfile_in(dir)?))
    }

    /// Records a number. The kernel keeps it even if this process is killed. Blocks only for a copy of eight bytes into the page
    /// cache, which is faster than handing it to another thread.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn record(&self, number: u64) -> io::Result<()> {
        self.0.as_file().write_all(&number.to_le_bytes())
    }

    /// Reads all recorded numbers.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn read(&self) -> io::Result<RoaringTreemap> {
        let mut numbers = RoaringTreemap::new();
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

    /// Keeps the file, which would otherwise be removed, and returns its path.
    ///
    /// # Errors
    /// If it can't be kept.
    pub fn keep(self) -> io::Result<PathBuf> {
        self.0.keep().map(|(_, path)| path).map_err(|error| error.error)
    }
}
