//! Why a comparison failed.

use crate::twitch::helix::{HelixError, RefusalKind};

/// Why a cycle failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CycleError {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Helix(#[from] HelixError),
}

impl CycleError {
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Database(_) => true,
            Self::Helix(error) => error.is_transient(),
        }
    }

    /// The kind of Twitch's refusal, if it is one.
    pub(super) fn refusal(&self) -> Option<RefusalKind> {
        match self {
            Self::Database(_) => None,
            Self::Helix(error) => error.refusal(),
        }
    }
}

/// Whether there is no token that Twitch accepts, so that every call fails alike.
pub(super) fn is_about_the_token(error: &HelixError) -> bool {
    matches!(error, HelixError::Token { .. }) || error.refusal() == Some(RefusalKind::TokenRefused)
}
