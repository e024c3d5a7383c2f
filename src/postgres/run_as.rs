//! As whom Postgres runs: as ourselves, or as somebody unprivileged if we are root.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::Uid;
use tokio::process::Command;
use tokio::time::timeout;

use super::data_dir::{DataDir, owner_of};
use super::error::LocalError;

/// How long the try-out of a user may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A user of this machine, by its numbers.
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

/// Whom root steps down to when nothing else decides: `postgres`, else `nobody`.
pub(super) fn unprivileged_user() -> Result<User, LocalError> {
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| nix::unistd::User::from_name(name).ok().flatten())
        .map(|user| User { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
        .ok_or(LocalError::NoUser)
}

/// Starts programs as the user that owns the cluster.
#[derive(Clone, Debug)]
pub(super) struct RunAs {
    user: User,
    /// How to become that user.
    step_down: StepDown,
}

#[derive(Clone, Copy, Debug)]
enum StepDown {
    /// We are that user.
    No,
    /// We are root: the child changes its user before it runs the program.
    Plainly,
    /// We are root, and a directory above the data directory is closed to that user (a clone in
    /// /root, say): the child keeps the one right to look into any directory, through setpriv.
    WithSearchRight,
}

impl RunAs {
    /// The user for a data directory: whoever owns the cluster or the directory, since Postgres
    /// insists on owning its files; root steps down where that would be root.
    ///
    /// # Errors
    ///
    /// [`LocalError::ForeignCluster`] if we cannot become the owner, [`LocalError::Unreachable`]
    /// if that user would not get at the directory or at `postgres`.
    pub(super) async fn choose(data_dir: &DataDir, postgres: &Path) -> Result<Self, LocalError> {
        let cluster = data_dir.cluster();
        let owner = owner_of(&cluster).ok();
        let me = Uid::effective();
        if !me.is_root() {
            let user = User { uid: me.as_raw(), gid: nix::unistd::Gid::effective().as_raw() };
            return match owner {
                Some(owner) if owner.uid != user.uid => {
                    Err(LocalError::ForeignCluster { cluster, owner: owner.to_string() })
                }
                _ => Ok(Self { user, step_down: StepDown::No }),
            };
        }
        let user = match owner {
            Some(owner) => owner,
            None => data_dir.owner()?,
        };
        let user = if user.uid == 0 { unprivileged_user()? } else { user };
        for step_down in [StepDown::Plainly, StepDown::WithSearchRight] {
            let run_as = Self { user, step_down };
            if run_as.reaches(data_dir.path(), postgres).await {
                return Ok(run_as);
            }
        }
        Err(LocalError::Unreachable {
            user: user.to_string(),
            dir: data_dir.path().to_owned(),
            postgres: postgres.to_owned(),
        })
    }

    pub(super) fn user(&self) -> &User {
        &self.user
    }

    /// A command that runs `program` as that user, with nothing of our environment but PATH: our
    /// secrets stay with us, and no PG* variable or locale of the caller changes the cluster.
    pub(super) fn command(&self, program: &Path) -> Command {
        let User { uid, gid } = self.user;
        let mut command = match self.step_down {
            StepDown::No | StepDown::Plainly => Command::new(program),
            StepDown::WithSearchRight => {
                let mut setpriv = Command::new("setpriv");
                setpriv
                    .args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()])
                    .args(["--clear-groups", "--inh-caps=+dac_read_search"])
                    .args(["--ambient-caps=+dac_read_search", "--"])
                    .arg(program);
                setpriv
            }
        };
        if let StepDown::Plainly = self.step_down {
            command.uid(uid).gid(gid); // and without any supplementary group
        }
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }

    /// Tries whether that user can enter the directory and run the server.
    async fn reaches(&self, dir: &Path, postgres: &Path) -> bool {
        let mut command = self.command(&PathBuf::from("/bin/sh"));
        command
            .args(["-c", r#"cd -- "$1" && [ -x "$2" ]"#, "sh"])
            .args([dir, postgres])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        matches!(timeout(PROBE_TIMEOUT, command.status()).await, Ok(Ok(status)) if status.success())
    }
}
