//! The answers to those who submit messages.

/// Whether a message that is in the log is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It was new.
    Appended,
    /// It had been there before; nothing changed.
    Duplicate,
}

/// Why a message is not known to be in the log. All but [`IngestError::Rejected`] are temporary.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum IngestError {
    /// Too many messages are waiting already.
    #[error("too many messages are waiting for the database")]
    QueueFull,
    /// The database was away, or failed.
    #[error("the database can't be reached")]
    Unavailable,
    /// No commit within [`ANSWER_BUDGET`](super::ANSWER_BUDGET). It may still happen.
    #[error("the database did not commit in time")]
    TooSlow,
    /// The database refused this message.
    #[error("the database can't store this message")]
    Rejected,
}
