//! The user that Postgres runs as: our own, or an unprivileged one if we are root.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::Uid;
use tokio::process::Command;
use tokio::time::timeout;

use super::data_dir::DataDir;
use super::error::LocalError;
use super::user::{User, owner_of, unprivileged_user};

/// Time limit for testing a user.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts programs as the user that owns the cluster.
#[derive(Clone, Debug)]
pub(super) struct RunAs {
    user: User,
    /// How the child becomes that user.
    switch: UserSwitch,
}

#[derive(Clone, Copy, Debug)]
enum UserSwitch {
    /// Not needed: we are that user.
    None,
    /// We are root: the child changes its user before it runs the program.
    SetUid,
    /// We are root, and a directory above the data directory is closed to that user (a clone in /root, for example): the
    /// child keeps a single capability through setpriv, `CAP_DAC_READ_SEARCH`. It is the right to enter any directory and
    /// also to read any file of this machine; there is none to enter directories alone.
    SetUidWithSearch,
}

impl RunAs {
    /// Chooses the user for a data directory: the owner of the cluster or of the directory, since Postgres must own its
    /// files. If that would be root, an unprivileged user.
    ///
    /// # Errors
    ///
    /// [`LocalError::ForeignCluster`] if we cannot become the owner, [`LocalError::Unreachable`]
    /// if that user can't reach the directory or run `postgres`.
    pub(super) async fn choose(data_dir: &DataDir, postgres: &Path) -> Result<Self, LocalError> {
        let cluster = data_dir.cluster();
        let owner = owner_of(&cluster).ok();
        let own = Uid::effective();
        if !own.is_root() {
            let user = User { uid: own.as_raw(), gid: nix::unistd::Gid::effective().as_raw() };
            return match owner {
                Some(owner) if owner.uid != user.uid => {
                    Err(LocalError::ForeignCluster { cluster, owner: owner.to_string() })
                }
                _ => Ok(Self { user, switch: UserSwitch::None }),
            };
        }
        let user = match owner {
            Some(owner) => owner,
            None => data_dir.owner()?,
        };
        let user = if user.uid == 0 { unprivileged_user()? } else { user };
        for switch in [UserSwitch::SetUid, UserSwitch::SetUidWithSearch] {
            let run_as = Self { user, switch };
            if run_as.can_reach(data_dir.path(), postgres).await {
                if let UserSwitch::SetUidWithSearch = switch {
                    tracing::warn!(
                        "{} is below a directory that {user} can't enter, so the private Postgres gets the right to read \
                        any file; SHOWTIME_DATA_DIR=/var/lib/showtime does not need that",
                        data_dir.path().display()
                    );
                }
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

    /// A command that runs `program` as that user. Of our environment it gets only PATH: no secrets, and no PG* variable or
    /// locale that would change the cluster.
    pub(super) fn command(&self, program: &Path) -> Command {
        let User { uid, gid } = self.user;
        let mut command = match self.switch {
            UserSwitch::None | UserSwitch::SetUid => Command::new(program),
            UserSwitch::SetUidWithSearch => {
                let mut setpriv = Command::new("setpriv");
                setpriv
                    .args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()])
                    .args(["--clear-groups", "--inh-caps=+dac_read_search"])
                    .args(["--ambient-caps=+dac_read_search", "--"])
                    .arg(program);
                setpriv
            }
        };
        if let UserSwitch::SetUid = self.switch {
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

    /// Tests whether that user can enter the directory and run the server.
    async fn can_reach(&self, dir: &Path, postgres: &Path) -> bool {
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
