//! Why a link for a consent leads nowhere, in words for the person who opened it.

use time::OffsetDateTime;

use crate::credentials::consent::ConsentFailure;
use crate::store::consent_links::ConsentLink;
use crate::twitch::oauth::ConsentError;

/// Why a link leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is none with this id.
    #[error("This link is unknown. Ask for a new one.")]
    Unknown,
    /// The consent was given.
    #[error("This link was used already. If something is still missing, ask for a new one.")]
    Used,
    /// It is too old.
    #[error("This link has expired. Ask for a new one.")]
    Expired,
    /// The browser came back with a state that was not sent, or was used.
    #[error("This answer of Twitch was not expected, or came before. Open the link again.")]
    ForeignState,
    /// The person refused, or Twitch did.
    #[error("{0}. To decide otherwise, open the link again.")]
    Denied(ConsentError),
    /// Twitch has a consent, and there is none to keep.
    #[error(transparent)]
    Failed(#[from] ConsentFailure),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl LinkError {
    /// Checks that a link can still be used.
    ///
    /// # Errors
    /// That it was, or has expired.
    pub(super) fn check(link: &ConsentLink, now: OffsetDateTime) -> Result<(), Self> {
        match link {
            ConsentLink { used_at: Some(_), .. } => Err(Self::Used),
            ConsentLink { expires_at, .. } if *expires_at <= now => Err(Self::Expired),
            _ => Ok(()),
        }
    }
}
