//! What can go wrong with a private cluster, said so that a person knows what to do.

use std::path::PathBuf;
use std::process::ExitStatus;

/// Why the private Postgres could not be found, made, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file operation failed: permissions, a full disk, a read-only place.
    #[error("could not {action} {}: {source}; mend that, or let SHOWTIME_DATA_DIR name another place", .path.display())]
    Io {
        /// What was tried, as in "could not create".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// Another process holds the data directory.
    #[error("another showtime (pid {pid}) uses {}; stop it or set SHOWTIME_DATA_DIR", .dir.display())]
    InUse {
        /// The holder.
        pid: i32,
        /// The data directory.
        dir: PathBuf,
    },

    /// The holder is gone, but its Postgres has not ended within the time we wait for it.
    #[error("the Postgres of an earlier showtime is still ending in {}; see {}", .dir.display(), .dir.join("postgres.log").display())]
    StillEnding {
        /// The data directory.
        dir: PathBuf,
    },

    /// The machine has no Postgres server that we could start.
    #[error(
        "found no PostgreSQL server of version {oldest} or newer (looked in PATH, `pg_config --bindir`, \
         /usr/lib/postgresql/*/bin, Homebrew and Postgres.app); install the package `postgresql`, or set \
         DATABASE_URL, or PGHOST, PGUSER and PGDATABASE, to use a server that runs elsewhere"
    )]
    NoBinaries {
        /// The oldest major version that will do.
        oldest: u32,
    },

    /// The cluster was made by a major version that is not installed (any more).
    #[error(
        "the database in {} was made by PostgreSQL {wanted}, but only {found} is installed; install \
         PostgreSQL {wanted}, or give the data up with `./local-db.sh reset`", .cluster.display()
    )]
    WrongMajor {
        /// The cluster's directory.
        cluster: PathBuf,
        /// The major version that made it.
        wanted: u32,
        /// The major versions at hand.
        found: String,
    },

    /// The cluster's directory holds something that no initdb made.
    #[error("{} is not a PostgreSQL cluster (its PG_VERSION cannot be read: {reason}); remove it with `./local-db.sh reset`", .cluster.display())]
    NotACluster {
        /// The cluster's directory.
        cluster: PathBuf,
        /// What `PG_VERSION` held, or why it could not be read.
        reason: String,
    },

    /// The cluster belongs to another user, as whom we cannot run.
    #[error("{} belongs to {owner}; run as that user or as root, or set SHOWTIME_DATA_DIR", .cluster.display())]
    ForeignCluster {
        /// The cluster's directory.
        cluster: PathBuf,
        /// Its owner, by name or number.
        owner: String,
    },

    /// We are root, which Postgres refuses, and there is no user to step down to.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`; run as an ordinary user"
    )]
    NoUser,

    /// We are root, and the unprivileged user cannot get at the data directory or the binaries.
    #[error(
        "PostgreSQL refuses to run as root, and {user} cannot reach {} or run {}; set SHOWTIME_DATA_DIR to a place \
         whose parent directories are open to all (/var/lib/showtime, say), or install setpriv (package `util-linux`), \
         or run as an ordinary user", .dir.display(), .postgres.display()
    )]
    Unreachable {
        /// The user, by name or number.
        user: String,
        /// The data directory.
        dir: PathBuf,
        /// The server's binary.
        postgres: PathBuf,
    },

    /// initdb or the server ended before it was of use.
    #[error("{program} ended with {status}; its log is {}, and says:\n{tail}", .log.display())]
    Ended {
        /// `initdb` or `postgres`.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The log file.
        log: PathBuf,
        /// What it wrote last.
        tail: String,
    },

    /// The server runs, but gives no answer in time.
    #[error("PostgreSQL did not answer within {seconds} s ({reason}); its log is {}, and says:\n{tail}", .log.display())]
    NotReady {
        /// How long we waited.
        seconds: u64,
        /// What the last attempt came to.
        reason: String,
        /// The log file.
        log: PathBuf,
        /// What it wrote last.
        tail: String,
    },

    /// The server did not end when told to.
    #[error("PostgreSQL (pid {pid}) does not end; see {}", .log.display())]
    WontStop {
        /// The postmaster.
        pid: i32,
        /// The log file.
        log: PathBuf,
    },

    /// Something was wanted of a cluster that does not run.
    #[error("no Postgres runs in {}; start one with `./local-db.sh up`, or start the server", .dir.display())]
    NotRunning {
        /// The data directory.
        dir: PathBuf,
    },

    /// The server refused a statement.
    #[error("PostgreSQL refused: {0}")]
    Database(#[from] sqlx::Error),

    /// A worker thread ended before its work did; happens only while the program ends.
    #[error("interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl LocalError {
    /// For `map_err` on file operations: names what was tried on what.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
