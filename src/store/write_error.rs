//! Why nothing can be written to the log.

use strum::IntoStaticStr;

use super::is_outage;

/// Why nothing can be written to the log, with what to do. The texts are shown to all, so they name no host, user or
/// database.
#[derive(Clone, Copy, Debug, IntoStaticStr, PartialEq, Eq, thiserror::Error)]
#[strum(serialize_all = "snake_case")]
pub enum WriteError {
    /// Transactions are read-only.
    #[error(
        "the database only reads: perhaps it is a standby, or `default_transaction_read_only` is on; let the server \
         connect to one that can be written to"
    )]
    ReadOnly,
    /// Another transaction holds the append lock.
    #[error(
        "the log is locked by another program, such as `server rebuild`: messages are refused until it ends, and Twitch \
         sends them again"
    )]
    Locked,
    /// There is no room.
    #[error("the database's disk is full: make room")]
    DiskFull,
    /// The role lacks a privilege.
    #[error("the database refuses to write for this user: make it the owner of the tables, or grant it their use")]
    Forbidden,
    /// No commit in time.
    #[error("the database does not commit in time: check its load and its disk")]
    TooSlow,
    /// No connection, or it broke.
    #[error("the database can't be reached: check that it runs and what the log says")]
    Unreachable,
    /// All else.
    #[error("the database can't be written to: the server's log says why")]
    Other,
}

impl From<&sqlx::Error> for WriteError {
    /// By [the code](https://www.postgresql.org/docs/current/errcodes-appendix.html).
    fn from(error: &sqlx::Error) -> Self {
        match error.as_database_error().and_then(|error| error.code()).as_deref() {
            Some("25006") => Self::ReadOnly,
            Some("53100") => Self::DiskFull,
            Some("42501") => Self::Forbidden,
            Some("55P03") => Self::Locked,
            Some("57014") => Self::TooSlow,
            _ if is_outage(error) => Self::Unreachable,
            _ => Self::Other,
        }
    }
}
