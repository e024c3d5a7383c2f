//! `/v1` and `/v2`: tracking, for Discord bots.

mod caller;
pub(super) mod message;
mod responses;
pub(super) mod token;
pub(super) mod v1;
pub(super) mod v2;
mod webhook;

use tokio::time::timeout;

use super::error::Error;
use crate::tracking::REQUEST_TIMEOUT;
use crate::tracking::error::TrackingError;

/// Awaits what a bot asks for, within [`REQUEST_TIMEOUT`].
async fn in_time<T>(work: impl Future<Output = Result<T, TrackingError>>) -> Result<T, Error> {
    Ok(timeout(REQUEST_TIMEOUT, work).await.map_err(|_| Error::Unavailable(None))??)
}
