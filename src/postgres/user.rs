//! Users of this machine: the owner of a file, and the user that root runs Postgres as.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;

use super::error::LocalError;

/// A user and its group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match nix::unistd::User::from_uid(Uid::from_raw(self.uid)) {
            Ok(Some(user)) => write!(f, "user {}", user.name),
            _ => write!(f, "user {}", self.uid),
        }
    }
}

/// The user that root runs Postgres as by default: `postgres`, else `nobody`.
pub(super) fn unprivileged_user() -> Result<User, LocalError> {
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| nix::unistd::User::from_name(name).ok().flatten())
        .map(|user| User { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
        .ok_or(LocalError::NoUser)
}

/// The owner of the file or directory at `path`.
pub(super) fn owner_of(path: &Path) -> Result<User, LocalError> {
    let metadata = fs::symlink_metadata(path).map_err(LocalError::io("look at", path))?;
    Ok(User { uid: metadata.uid(), gid: metadata.gid() })
}
