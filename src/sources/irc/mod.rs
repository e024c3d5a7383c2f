//! Chats over IRC, where EventSub does not deliver them, and who comes and leaves, which EventSub does not tell.
//! <https://dev.twitch.tv/docs/chat/irc/>
//!
//! One server of the cluster is the `leader`: it shares the channels out to connections of at most 90. A `connection` joins its
//! channels and notices when it is dead; the `reader` takes what the lines say: messages for the log, and who is there for the
//! `presence` of the chat. Twitch tells the same line over two connections; the log keeps it once, by Twitch's id.

mod account;
mod check;
mod connection;
mod joins;
mod leader;
mod presence;
mod reader;

use std::sync::Arc;
use std::time::Duration;

use self::account::Accounts;
use self::connection::Context;
use self::joins::Joins;
use self::leader::Leader;
use self::reader::Reader;
use crate::credentials::application::Application;
use crate::services::{Services, Stopper, Tasks};
use crate::status::Check;
use crate::twitch::irc::Endpoint;
use crate::twitch::websocket::EndpointError;

/// Time limit for what was read to enter the log when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

const OTHER_TWITCH: &str = "TWITCH_IRC_URL and TWITCH_API_URL lead to different Twitches, so no chat is read over IRC: \
    mock-twitch prints both of its own";

/// Chats can't be read.
#[derive(Debug, thiserror::Error)]
#[error("TWITCH_IRC_URL can't be used: {0}")]
pub struct StartError(#[from] EndpointError);

/// Starts the reader, if an application is configured, and registers the check `chat`.
///
/// # Errors
/// [`StartError`]
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) -> Result<Stopper, StartError> {
    let stopper = Stopper::new(STOP_TIMEOUT);
    let off = match application {
        None => Some(Check::pass("chat", "no application is configured, so no chat is read over IRC")),
        Some(_) if !services.config.twitch.has_own_chat() => Some(Check::warn("chat", OTHER_TWITCH)),
        Some(_) => None,
    };
    let overview = check::register(services, off.clone());
    let Some(application) = application.filter(|_| off.is_none()) else {
        stopper.stopped.cancel();
        return Ok(stopper);
    };
    let (reader, submitting) = Reader::new(services.ingest.clone(), services.incidents.clone(), services.clock.clone());
    tasks.spawn("messages of chats", submitting);
    let context = Arc::new(Context {
        endpoint: Endpoint::new(services.config.twitch.irc_url.clone())?,
        accounts: Accounts { application: application.clone(), pool: services.pool.clone() },
        reader,
        joins: Joins::default(),
        clock: services.clock.clone(),
        metrics: services.metrics.clone(),
    });
    tasks.spawn("chats", Leader::new(services, context, overview, stopper.clone()).run());
    Ok(stopper)
}
