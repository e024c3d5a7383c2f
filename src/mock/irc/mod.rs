//! Chat over IRC: `GET /irc` (<https://dev.twitch.tv/docs/chat/irc/>).
//!
//! A connection is a task that owns the TCP connection, which has left the HTTP server, and takes commands; the table of
//! connections holds the other ends.

mod client;
mod commands;
pub(super) mod connections;
mod control;
mod events;
mod line;

use actix_http::ws::HandshakeError;
use actix_web::web;

pub use self::connections::IrcEnd;

/// The path of the WebSocket.
pub(super) const PATH: &str = "/irc";

/// The control API, and requests that ask for no upgrade.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route(PATH, web::get().to(async || Err::<&str, _>(HandshakeError::NoWebsocketUpgrade)))
        .configure(control::routes);
}
