//! The data directory: its entries and their permissions.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::unistd::{Pid, Uid};

use super::binaries::leading_number;
use super::error::LocalError;
use super::user::{self, User, owner_of};

/// A log longer than this is moved aside.
const LOG_LIMIT_BYTES: u64 = 4 << 20;

/// How much of a log's end an error shows.
const TAIL_BYTES: u64 = 2_000;

/// The port in the name of the Unix socket; no TCP port is ever opened.
pub(super) const PORT: u16 = 5432;

/// An existing data directory, by its canonical path.
#[derive(Clone, Debug)]
pub(super) struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// Opens the directory at `path`, creating it if necessary.
    ///
    /// A new one is accessible only to us and, if we are root, to the group of the user that Postgres runs as, which may
    /// search it but not list it. The permissions of an existing one are not changed.
    pub(super) fn create(path: &Path) -> Result<Self, LocalError> {
        if !path.exists() {
            let group = if Uid::effective().is_root() { Some(user::unprivileged_user()?.gid) } else { None };
            make_private_dir(path, group)?;
        }
        Self::existing(path)
    }

    /// Opens the directory at `path`, which must exist.
    pub(super) fn existing(path: &Path) -> Result<Self, LocalError> {
        let path = fs::canonicalize(path).map_err(LocalError::io("find", path))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The complete cluster.
    pub(super) fn cluster(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// The cluster while initdb creates it: what is found here at a start is incomplete.
    pub(super) fn new_cluster(&self) -> PathBuf {
        self.path.join("postgres.new")
    }

    /// The log of Postgres, initdb and the watchdog.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// A file that exists while the cluster should keep running without a server (`local-db up`).
    pub(super) fn up_marker(&self) -> PathBuf {
        self.path.join("up")
    }

    /// Creates [`DataDir::up_marker`].
    pub(super) fn mark_up(&self) -> Result<(), LocalError> {
        self.open_file("up").map(drop)
    }

    /// The directory of the Unix socket, or a symbolic link to it.
    fn socket_entry(&self) -> PathBuf {
        self.path.join("socket")
    }

    /// The owner of the directory.
    pub(super) fn owner(&self) -> Result<User, LocalError> {
        owner_of(&self.path)
    }

    /// Whether other users may create and replace files in it.
    pub(super) fn is_open_to_others(&self) -> Result<bool, LocalError> {
        let metadata = fs::metadata(&self.path).map_err(LocalError::io("look at", &self.path))?;
        Ok(metadata.mode() & 0o022 != 0)
    }

    /// Changes the owner of the directory itself to the user that Postgres will run as, if we are root.
    pub(super) fn give_to_unprivileged_user(&self) -> Result<(), LocalError> {
        if !Uid::effective().is_root() {
            return Ok(());
        }
        let user = user::unprivileged_user()?;
        lchown(&self.path, Some(user.uid), Some(user.gid)).map_err(LocalError::io("give away", &self.path))
    }

    /// The major version of the cluster, if there is one.
    pub(super) fn cluster_major(&self) -> Result<Option<u32>, LocalError> {
        let cluster = self.cluster();
        match fs::symlink_metadata(&cluster) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LocalError::io("look at", cluster)(error)),
        }
        let not_a_cluster = |reason| LocalError::NotACluster { cluster: cluster.clone(), reason };
        let text = match fs::read_to_string(cluster.join("PG_VERSION")) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(LocalError::ForeignCluster { owner: owner_of(&cluster)?.to_string(), cluster });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(not_a_cluster(error.to_string()));
            }
            Err(error) => return Err(LocalError::io("read", cluster)(error)),
        };
        match leading_number(&text) {
            Some(major) => Ok(Some(major)),
            None => Err(not_a_cluster(format!("it holds {:?}", text.trim()))),
        }
    }

    /// Opens one of our own files, creating it if necessary; only the directory's owner can read it. Does not follow symbolic
    /// links.
    pub(super) fn open_file(&self, name: &str) -> Result<File, LocalError> {
        let path = self.path.join(name);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path)
            .map_err(LocalError::io("open", &path))?;
        if Uid::effective().is_root() {
            // In another user's directory root must leave nothing that its owner can't use later.
            let owner = self.owner()?;
            fchown(&file, Some(owner.uid), Some(owner.gid)).map_err(LocalError::io("give away", &path))?;
        }
        Ok(file)
    }

    /// Opens the log for appending, after moving a long one aside. Also returns the offset of the new part.
    pub(super) fn open_log(&self) -> Result<(File, u64), LocalError> {
        self.rotate_log()?;
        let log = self.open_file("postgres.log")?;
        let length = log.metadata().map_err(LocalError::io("look at", self.log()))?.len();
        Ok((log, length))
    }

    /// Moves a long log aside, in place of an older one. It is copied and truncated, since a server that runs goes on writing
    /// to the same file; what it writes between the two is lost.
    pub(super) fn rotate_log(&self) -> Result<(), LocalError> {
        let mut log = self.open_file("postgres.log")?;
        let rotate = |log: &mut File| {
            if log.metadata()?.len() <= LOG_LIMIT_BYTES {
                return Ok(());
            }
            if let Ok(mut aside) = self.open_file("postgres.log.old") {
                // A full disk is no reason to keep a log that grows.
                let _ = aside.set_len(0).and_then(|()| std::io::copy(log, &mut aside));
            }
            log.set_len(0)
        };
        rotate(&mut log).map_err(LocalError::io("shorten", self.log()))
    }

    /// The end of the log since the offset `from`, for errors.
    pub(super) fn log_tail(&self, from: u64) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut log = File::open(self.log())?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(from.max(length.saturating_sub(TAIL_BYTES)).min(length)))?;
            let mut tail = Vec::new();
            log.take(TAIL_BYTES).read_to_end(&mut tail)?;
            Ok(tail)
        };
        match read() {
            Ok(tail) => String::from_utf8_lossy(&tail).trim_end().to_owned(),
            Err(error) => format!("(it cannot be read: {error})"),
        }
    }

    /// The directory of the Unix socket, if it exists, is private and belongs to the cluster's owner. (A short one lies in a
    /// directory that all users may write to.)
    pub(super) fn socket_dir(&self) -> Option<PathBuf> {
        let entry = self.socket_entry();
        let dir = fs::read_link(&entry).unwrap_or(entry);
        let metadata = fs::symlink_metadata(&dir).ok()?;
        let cluster = fs::symlink_metadata(self.cluster()).ok()?;
        let ours = metadata.is_dir()
            && metadata.uid() == cluster.uid()
            && metadata.mode() & 0o077 == 0
            && can_hold_socket(&dir);
        ours.then_some(dir)
    }

    /// The directory of the Unix socket, created for `user` if necessary.
    ///
    /// It lies in the data directory, unless that path is too long for a socket address or has characters with a meaning in
    /// a connection URL or a list of directories. Then it has a short path elsewhere, with an unguessable name, and a
    /// symbolic link here points to it.
    pub(super) fn make_socket_dir(&self, user: &User) -> Result<PathBuf, LocalError> {
        if let Some(dir) = self.socket_dir() {
            return Ok(dir);
        }
        self.remove_socket_dir();
        let entry = self.socket_entry();
        if can_hold_socket(&entry) {
            make_dir_for(&entry, user)?;
            return Ok(entry);
        }
        let name = format!("showtime-{}", uuid::Uuid::new_v4().simple());
        let parents = [std::env::temp_dir(), PathBuf::from("/tmp")];
        let dir = parents
            .iter()
            .map(|parent| parent.join(&name))
            .find(|dir| can_hold_socket(dir))
            .unwrap_or_else(|| Path::new("/tmp").join(&name));
        make_dir_for(&dir, user)?;
        std::os::unix::fs::symlink(&dir, &entry).map_err(LocalError::io("create", &entry))?;
        Ok(dir)
    }

    /// Removes the link to the directory of the Unix socket, and that directory, after the server has ended, so that nothing
    /// is left outside the data directory.
    pub(super) fn remove_socket_dir(&self) {
        let entry = self.socket_entry();
        if let Ok(short) = fs::read_link(&entry) {
            if self.socket_dir().as_ref() == Some(&short) {
                let _ = fs::remove_dir_all(short);
            }
            let _ = fs::remove_file(entry);
        }
    }
}

/// Creates a directory that only `user` can use. It must not exist yet.
pub(super) fn make_dir_for(path: &Path, user: &User) -> Result<(), LocalError> {
    DirBuilder::new().mode(0o700).create(path).map_err(LocalError::io("create", path))?;
    if Uid::effective().is_root() {
        lchown(path, Some(user.uid), Some(user.gid)).map_err(LocalError::io("give away", path))?;
    }
    Ok(())
}

/// Creates a directory of our own, and its parents. The group may search it.
fn make_private_dir(path: &Path, group: Option<u32>) -> Result<(), LocalError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(LocalError::io("create", parent))?;
    }
    let mode = if group.is_some() { 0o710 } else { 0o700 };
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        // Another process that started at the same moment was faster; the lock decides which one continues.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(LocalError::io("create", path)(error)),
    }
    if group.is_some() {
        lchown(path, None, group).map_err(LocalError::io("give away", path))?;
        // Again, because the umask may have removed the group's permission.
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(LocalError::io("open up", path))?;
    }
    Ok(())
}

/// Whether the path of a socket in `dir` fits into an address (about 107 bytes), and needs no quoting in a URL, in a shell or
/// in the server's settings.
fn can_hold_socket(dir: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    dir.to_str().is_some_and(|path| path.chars().all(plain)) && SocketAddr::from_pathname(socket_in(dir)).is_ok()
}

/// The socket in its directory, as Postgres names it.
pub(super) fn socket_in(dir: &Path) -> PathBuf {
    dir.join(format!(".s.PGSQL.{PORT}"))
}

/// Whether a process with this id exists.
pub(super) fn is_alive(pid: Pid) -> bool {
    pid.as_raw() > 0 && kill(pid, None) != Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_log_is_moved_aside_while_it_is_written() {
        use std::io::Write as _;
        let place = tempfile::tempdir().unwrap();
        let data_dir = DataDir::existing(place.path()).unwrap();
        let (mut writer, from) = data_dir.open_log().unwrap();
        assert_eq!(from, 0);
        writer.write_all(&vec![b'x'; usize::try_from(LOG_LIMIT_BYTES).unwrap()]).unwrap();
        data_dir.rotate_log().unwrap();
        assert_eq!(fs::metadata(data_dir.log()).unwrap().len(), LOG_LIMIT_BYTES, "not longer than the limit");
        writer.write_all(b"before").unwrap();
        data_dir.rotate_log().unwrap();
        writer.write_all(b"after").unwrap();
        assert_eq!(fs::read_to_string(data_dir.log()).unwrap(), "after");
        let aside = fs::read_to_string(place.path().join("postgres.log.old")).unwrap();
        assert!(aside.starts_with("xxx") && aside.ends_with("before"));
        assert_eq!(data_dir.log_tail(LOG_LIMIT_BYTES), "", "the part began in the old file");
    }

    #[test]
    fn only_short_and_plain_paths_can_hold_the_socket() {
        assert!(can_hold_socket(Path::new("/home/jane/showtime/.showtime/socket")));
        assert!(!can_hold_socket(Path::new("/Users/Jane Doe/showtime/.showtime/socket")));
        assert!(!can_hold_socket(Path::new("/home/jane/other?host=/evil/socket")));
        assert!(!can_hold_socket(&Path::new("/home").join("x".repeat(90)).join("socket")));
    }
}
