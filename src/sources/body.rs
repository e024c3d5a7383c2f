//! Reads the bodies of requests, Twitch's and those of the API's clients, within the same limits.

use std::time::Duration;

use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::budget::{BodyBudget, Dropped, Reservation};

/// The largest body that is read, in bytes. Twitch's largest are under 250 KB.
pub const MAX_BODY: usize = 1 << 20;

/// The largest body that needs no room in the [`BodyBudget`], in bytes. Nearly all of Twitch's are smaller.
const SMALL_BODY: usize = 16 << 10;

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
    /// Its memory was needed for others.
    #[error("too many large bodies are arriving at once, and this one has waited longest; send it again later")]
    Crowded,
}

impl From<Dropped> for BodyError {
    fn from(_: Dropped) -> Self {
        Self::Crowded
    }
}

/// Reads a whole body, of at most [`MAX_BODY`] bytes and within `BODY_TIMEOUT`. Until its sender is proved, a body larger
/// than `SMALL_BODY` counts in the budget.
pub(crate) async fn read_body(body: Payload, budget: Option<&BodyBudget>) -> Result<Bytes, BodyError> {
    timeout(BODY_TIMEOUT, read(body, budget)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn read(mut body: Payload, budget: Option<&BodyBudget>) -> Result<Bytes, BodyError> {
    let mut bytes = BytesMut::new();
    let mut reservation: Option<Reservation<'_>> = None;
    loop {
        let chunk = match &mut reservation {
            None => body.next().await,
            Some(reservation) => tokio::select! {
                biased;
                dropped = reservation.dropped() => return Err(dropped.into()),
                chunk = body.next() => chunk,
            },
        };
        let Some(chunk) = chunk else { return Ok(bytes.freeze()) };
        let chunk = chunk.map_err(|error| BodyError::Incomplete(error.into()))?;
        let length = bytes.len() + chunk.len();
        if length > MAX_BODY {
            return Err(BodyError::TooLarge);
        }
        if let (Some(budget), true) = (budget, length > SMALL_BODY) {
            match &mut reservation {
                Some(reservation) => reservation.grow(chunk.len())?,
                None => reservation.insert(budget.enter()).grow(length)?,
            }
        }
        bytes.extend_from_slice(&chunk);
    }
}
