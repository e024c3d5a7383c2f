//! Errors of the private Postgres. Their texts say what to do.

use std::path::PathBuf;
use std::process::ExitStatus;

use crate::program::Program;

/// Why the private Postgres could not be found, created, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file operation failed: permissions, a full disk, a read-only place.
    #[error("could not {action} {}: {source}; fix that, or set SHOWTIME_DATA_DIR to another place", .path.display())]
    Io {
        /// The operation, as in "could not create".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
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

    /// The holder has ended, but its Postgres has not ended within the time limit.
    #[error("the Postgres of an earlier showtime is still ending in {}; see {}", .dir.display(), .dir.join("postgres.log").display())]
    StillEnding {
        /// The data directory.
        dir: PathBuf,
    },

    /// No suitable Postgres server is installed.
    #[error(
        "found no PostgreSQL server of version {oldest} or newer (looked in PATH, `pg_config --bindir`, \
         /usr/lib/postgresql/*/bin, Homebrew and Postgres.app); install the package `postgresql`, or set \
         DATABASE_URL, or PGHOST, PGUSER and PGDATABASE, to use a server that runs elsewhere"
    )]
    NoBinaries {
        /// The oldest suitable major version.
        oldest: u32,
    },

    /// The cluster was created by a major version that is not installed.
    #[error(
        "the database in {} was made by PostgreSQL {required}, but only {found} is installed; install \
         PostgreSQL {required} beside it, and then move the data with `{server} local-db upgrade`, or delete the data with \
         `{server} local-db reset --force`", .cluster.display(), server = Program::Server
    )]
    WrongMajor {
        /// The cluster's directory.
        cluster: PathBuf,
        /// The major version that created it.
        required: u32,
        /// The installed major versions.
        found: String,
    },

    /// The cluster's directory was not created by initdb.
    #[error(
        "{} is not a PostgreSQL cluster (its PG_VERSION cannot be read: {reason}); remove it with `{} local-db reset --force`",
        .cluster.display(), Program::Server
    )]
    NotACluster {
        /// The cluster's directory.
        cluster: PathBuf,
        /// The content of `PG_VERSION`, or why it could not be read.
        reason: String,
    },

    /// The cluster belongs to another user, and we can't run as that user.
    #[error("{} belongs to {owner}; run as that user or as root, or set SHOWTIME_DATA_DIR", .cluster.display())]
    ForeignCluster {
        /// The cluster's directory.
        cluster: PathBuf,
        /// Its owner, by name or number.
        owner: String,
    },

    /// We are root, which Postgres refuses, and there is no unprivileged user to run it as.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`; run as an ordinary user"
    )]
    NoUser,

    /// We are root, and the unprivileged user can't reach the data directory or the programs.
    #[error(
        "PostgreSQL refuses to run as root, and {user} can't reach {} or run {}; set SHOWTIME_DATA_DIR to a place \
         whose parent directories are open to all (/var/lib/showtime, say), or install setpriv (package `util-linux`), \
         or run as an ordinary user", .dir.display(), .postgres.display()
    )]
    Unreachable {
        /// The user, by name or number.
        user: String,
        /// The data directory.
        dir: PathBuf,
        /// The server program.
        postgres: PathBuf,
    },

    /// initdb failed, or the server ended before it was ready.
    #[error("{program} ended with {status}; its log is {}, and ends with:\n{tail}", .log.display())]
    Ended {
        /// `initdb` or `postgres`.
        program: &'static str,
        /// The exit status.
        status: ExitStatus,
        /// The log file.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },

    /// The server runs, but does not answer in time.
    #[error("PostgreSQL did not answer within {seconds} s ({reason}); its log is {}, and ends with:\n{tail}", .log.display())]
    NotReady {
        /// The time limit.
        seconds: u64,
        /// The error of the last attempt.
        reason: String,
        /// The log file.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },

    /// The server did not stop in time.
    #[error("PostgreSQL (pid {pid}) does not end; see {}", .log.display())]
    WontStop {
        /// The postmaster.
        pid: i32,
        /// The log file.
        log: PathBuf,
    },

    /// There is no program of PostgreSQL that can read or write a dump of this database.
    #[error(
        "found no {program} of PostgreSQL {major} or newer, the version of the database; install the package \
         `postgresql-client-{major}`"
    )]
    NoClient {
        /// `pg_dump` or `pg_restore`.
        program: &'static str,
        /// The major version of the database.
        major: u32,
    },

    /// A dump can't be written or read.
    #[error("{program} failed ({status}): {text}")]
    Dump {
        /// `pg_dump` or `pg_restore`.
        program: &'static str,
        /// The exit status.
        status: ExitStatus,
        /// What it says.
        text: String,
    },

    /// The cluster runs because of `local-db up`.
    #[error("a Postgres runs in {}; stop it with `{} local-db down`", .dir.display(), Program::Server)]
    IsUp {
        /// The data directory.
        dir: PathBuf,
    },

    /// The cluster does not run.
    #[error("no Postgres runs in {}; start one with `{} local-db up`, or start the server", .dir.display(), Program::Server)]
    NotRunning {
        /// The data directory.
        dir: PathBuf,
    },

    /// A statement or connection failed.
    #[error("PostgreSQL refused: {0}")]
    Database(#[from] sqlx::Error),

    /// A worker thread was cancelled; happens only while the program ends.
    #[error("interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl LocalError {
    /// Whether another attempt to start the server can't succeed: its programs or its cluster are gone.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::NoBinaries { .. } | Self::WrongMajor { .. } | Self::NotACluster { .. } | Self::ForeignCluster { .. }
        )
    }

    /// For `map_err` on file operations: names the operation and the path.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
