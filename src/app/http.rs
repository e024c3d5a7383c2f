//! The HTTP server.

use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_web::dev::Server;
use actix_web::{App as Routes, HttpServer, web};

use super::AppError;
use crate::api;

/// Time limit of requests in progress when the server stops. The messages that they submitted are written after that,
/// within a time limit of the writer.
const DRAIN_SECONDS: u64 = 10;

/// Time limit for the client to acknowledge data that was sent, in milliseconds.
#[cfg(target_os = "linux")]
const STALL_TIMEOUT_MS: u32 = 60_000;

/// One thread verifies tens of thousands of messages per second, far more than the database takes.
const MAX_WORKERS: usize = 4;

/// Listens on this address, on a port that the system chooses if it is 0.
pub(super) fn bind(addr: SocketAddr) -> Result<TcpListener, AppError> {
    let listener = TcpListener::bind(addr).map_err(|source| AppError::Bind { addr, source })?;
    listener.set_nonblocking(true)?;
    // Accepted connections inherit it: the system closes those whose client has stopped reading. Without it, a stalled
    // reader would keep its connection forever.
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(&listener, nix::sys::socket::sockopt::TcpUserTimeout, &STALL_TIMEOUT_MS)
        .map_err(io::Error::from)?;
    Ok(listener)
}

/// Starts to serve the API; the server runs when it is awaited.
pub(super) fn serve(listener: TcpListener, context: api::Context) -> Result<Server, AppError> {
    let context = web::Data::new(context);
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_WORKERS));
    let server = HttpServer::new(move || Routes::new().configure(api::configure(context.clone())))
        .workers(workers)
        .disable_signals()
        .tcp_nodelay(true)
        // A client that has left is noticed at once, and so is its feed, which may have nothing to send for long.
        .h1_allow_half_closed(false)
        .shutdown_timeout(DRAIN_SECONDS)
        .listen(listener)?
        .run();
    Ok(server)
}
