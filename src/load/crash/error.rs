//! Why a crash run has no report.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::load::LoadError;
use crate::postgres::LocalError;

/// Why a crash run has no report.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    /// The generator failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The private Postgres failed.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// A query failed.
    #[error("the database can't be queried: {0}")]
    Database(#[from] sqlx::Error),
    /// An operation on files or processes failed.
    #[error("could not {action}: {source}")]
    System {
        /// The operation, as in "could not start the server".
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The server ended although it was not killed.
    #[error("the server ended by itself ({0})")]
    ServerEnded(ExitStatus),
    /// The server did not recover.
    #[error("the server was not ready within {} s", .0.as_secs())]
    NotReady(Duration),
    /// A message was refused again and again.
    #[error("message {message_id} was not acknowledged within {} s by a server that said it was ready", .limit.as_secs())]
    NeverAcknowledged {
        /// The message.
        message_id: String,
        /// How long it was retried.
        limit: Duration,
    },
    /// One of the above; the server's directory is kept.
    #[error("{reason}; the server's files are kept in {}", .dir.display())]
    Kept {
        /// The server's directory, with its log and its database.
        dir: PathBuf,
        /// The error.
        reason: Box<CrashError>,
    },
    /// The whole run took too long.
    #[error("the run took longer than {} s", .0.as_secs())]
    TookTooLong(Duration),
}

impl CrashError {
    /// For `map_err`: names the operation that failed.
    pub(super) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}
