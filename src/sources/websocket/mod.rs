//! EventSub over WebSocket. <https://dev.twitch.tv/docs/eventsub/handling-websocket-events/>
//!
//! Each user whose channel is served over WebSocket has one session, which one server of the cluster keeps: the one that holds
//! the user's lease. `supervisor` takes leases and starts sessions; a `session` runs what its `machine` decides, over
//! one `connection`, or two while it moves; what is read goes to the `intake`. The reconciler creates the subscriptions
//! on a session; the two know each other only by the table `websocket_session`.

mod check;
mod connection;
pub mod gap;
mod holder;
pub mod intake;
mod machine;
mod progress;
mod session;
mod spool;
mod supervisor;

use std::time::Duration;

use self::intake::Intake;
use self::supervisor::Supervisor;
use crate::config::SecretFileError;
use crate::credentials::application::Application;
use crate::services::{Services, Stopper, Tasks};
use crate::twitch::websocket::{Endpoint, EndpointError};

/// Time limit for closing all connections, reading what is still under way, and giving up the leases.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why sessions can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configured address can't be connected to.
    #[error("TWITCH_EVENTSUB_WEBSOCKET_URL can't be used: {0}")]
    Endpoint(#[from] EndpointError),
    /// The encryption key can't be read or made.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
}

/// Starts the supervisor, if an application is configured, and registers the check `websocket`.
///
/// # Errors
/// [`StartError`]
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) -> Result<Stopper, StartError> {
    check::register(services);
    let stopper = Stopper::new(STOP_TIMEOUT);
    if application.is_none() {
        stopper.stopped.cancel();
        return Ok(stopper);
    }
    let endpoint = Endpoint::new(services.config.twitch.websocket_url.clone())?;
    let supervisor = Supervisor::new(services, endpoint, Intake::spawn(services, tasks)?, stopper.clone());
    tasks.spawn("WebSocket sessions", supervisor.run());
    Ok(stopper)
}
