//! Ids of events in the log.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The id of an event in the log. As a cursor it says that everything up to this event has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct LogId(pub i64);

impl LogId {
    /// The cursor before the first event.
    pub const START: Self = Self(0);

    /// The greatest id.
    pub const MAX: Self = Self(i64::MAX);

    /// The id before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The id after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is no [`LogId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 0 to {}", i64::MAX)]
pub struct LogIdError;

impl FromStr for LogId {
    type Err = LogIdError;

    fn from_str(text: &str) -> Result<Self, LogIdError> {
        text.parse().ok().filter(|id| *id >= 0).map(Self).ok_or(LogIdError)
    }
}
