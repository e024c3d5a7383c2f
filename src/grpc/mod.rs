//! Tracking over gRPC, beside the same over HTTP: the interface of `proto/`, and the older one that clients know. Off unless it has a
//! port.

mod api;
mod convert;
pub mod proto;
mod status;
mod tracking;
mod twitch;
mod watch;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use self::api::GrpcApi;
use self::proto::tracking::tracking_service_server::TrackingServiceServer;
use self::proto::twitch::twitch_server::TwitchServer;
use crate::access::Access;
use crate::services::{Services, Stopper, Tasks};
use crate::status::Check;
use crate::tracking::{REQUEST_TIMEOUT, Tracking};

/// The name of the check and of the task.
const NAME: &str = "grpc";

/// The largest message of a client, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

/// Calls at once on one connection.
const MAX_CALLS: usize = 64;

/// The interval of pings, and how long a client may take to answer one.
const PING: Duration = Duration::from_secs(20);

/// How long calls may take to end when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Why gRPC can't be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address or port can't be used.
    #[error("gRPC can't be served on {addr}: {source}; BIND_ADDR and SHOWTIME_GRPC_PORT choose another")]
    Bind {
        /// The configured address.
        addr: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The descriptions of the services do not fit together.
    #[error("gRPC can't be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// What serves gRPC.
#[derive(Clone, Debug)]
pub struct Grpc {
    /// The address, with the port that the system chose if the setting was 0; `None` if gRPC is off.
    pub addr: Option<SocketAddr>,
    /// Lets calls end.
    pub stopper: Stopper,
}

/// Starts serving, if there is a port.
///
/// # Errors
/// [`StartError`]
pub fn spawn(
    services: &Services,
    tracking: &Arc<Tracking>,
    access: &Arc<Access>,
    tasks: &mut Tasks,
) -> Result<Grpc, StartError> {
    let stopper = Stopper::new(STOP_TIMEOUT);
    let Some(port) = services.config.grpc_port else {
        services.checks.add(|| Check::pass(NAME, "gRPC is off: set SHOWTIME_GRPC_PORT to use it"));
        stopper.stopped.cancel();
        return Ok(Grpc { addr: None, stopper });
    };
    let addr = SocketAddr::new(services.config.bind_addr, port);
    let bound = listen(addr).map_err(|source| StartError::Bind { addr, source })?;
    let (incoming, addr) = bound;
    let api = GrpcApi::new(tracking, access);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let router = Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .concurrency_limit_per_connection(MAX_CALLS)
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PING))
        .add_service(reflection)
        .add_service(TrackingServiceServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE))
        .add_service(TwitchServer::new(api).max_decoding_message_size(MAX_MESSAGE));
    let watched = stopper.clone();
    services.checks.add(move || match watched.stopped.is_cancelled() && !watched.stopping.is_cancelled() {
        false => Check::pass(NAME, format!("gRPC is served on {addr}")),
        true => Check::fail(NAME, "gRPC is no longer served: start the server again"),
    });
    let running = stopper.clone();
    tasks.spawn(NAME, async move {
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<TrackingServiceServer<GrpcApi>>().await;
        reporter.set_serving::<TwitchServer<GrpcApi>>().await;
        let stopping = running.stopping.clone().cancelled_owned();
        if let Err(error) = router.add_service(health).serve_with_incoming_shutdown(incoming, stopping).await {
            tracing::error!(%error, "gRPC is no longer served");
        }
        running.stopped.cancel();
        std::future::pending::<Infallible>().await
    });
    Ok(Grpc { addr: Some(addr), stopper })
}

fn listen(addr: SocketAddr) -> io::Result<(TcpIncoming, SocketAddr)> {
    let listener = TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    Ok((
        TcpIncoming::from(tokio::net::TcpListener::from_std(listener)?)
            .with_nodelay(Some(true))
            .with_keepalive(Some(PING)),
        addr,
    ))
}
