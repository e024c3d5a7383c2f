//! Reads the bodies of requests, Twitch's and those of the API's clients, within the same limits.

use std::time::Duration;

use actix_web::web::{Bytes, Payload};
use tokio::time::timeout;

/// The largest body that is read, in bytes. Twitch's largest are under 250 KB.
pub const MAX_BODY: usize = 1 << 20;

/// Time limit for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More than [`MAX_BODY`] bytes, announced or sent.
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// The connection failed.
    #[error("the body could not be read: {0}")]
    Incomplete(actix_web::Error),
    /// The body did not arrive in time.
    #[error("the body did not arrive within {} seconds", BODY_TIMEOUT.as_secs())]
    TooSlow,
}

/// Reads a whole body, of at most [`MAX_BODY`] bytes and within `BODY_TIMEOUT`.
pub(crate) async fn read_body(body: Payload) -> Result<Bytes, BodyError> {
    match timeout(BODY_TIMEOUT, body.to_bytes_limited(MAX_BODY)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(error))) => Err(BodyError::Incomplete(error)),
        Ok(Err(_)) => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::TooSlow),
    }
}
