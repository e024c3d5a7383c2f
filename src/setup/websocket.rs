//! Tests the WebSocket: opens one at Twitch as the server does, waits for the welcome, and closes it.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::timeout;
use url::{Host, Url};

use super::cause::Cause;
use crate::twitch::websocket::{CONNECT_TIMEOUT, ConnectError, Endpoint, EndpointError};

/// The keepalive that is asked for. The connection ends before the first one.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum WebSocketProbeError {
    /// The address can't be connected to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The name has no address.
    #[error("name resolution: {0} has no address; is this machine online, and does it have a DNS server?")]
    NameResolution(String),
    /// Nothing listens, or a firewall rejects the connection.
    #[error(
        "refused: nothing listens at {0}; a firewall may reject the connection, or TWITCH_EVENTSUB_WEBSOCKET_URL is wrong"
    )]
    Refused(String),
    /// The handshake failed.
    #[error("TLS: {0}; a program that inspects TLS on the way, or a wrong clock, may be the cause")]
    Tls(String),
    /// The server speaks plain HTTP.
    #[error("TLS: what listens at {0} does not speak TLS; TWITCH_EVENTSUB_WEBSOCKET_URL may have to begin with ws://")]
    NoTls(String),
    /// The proxy of this machine does not connect.
    #[error(
        "proxy: it does not connect ({0}); the proxy that HTTPS_PROXY or HTTP_PROXY names must let this machine connect to Twitch"
    )]
    Proxy(String),
    /// The answer isn't an upgrade.
    #[error(
        "no upgrade: {host} answers {status} instead of opening a WebSocket; a proxy on the way may refuse WebSockets, or \
         the path of TWITCH_EVENTSUB_WEBSOCKET_URL is wrong"
    )]
    NotUpgraded {
        /// Name, and port unless it is the usual one.
        host: String,
        /// The status of the answer.
        status: StatusCode,
    },
    /// It opened, but the first frame is missing or another one.
    #[error("no welcome: {0}; what answers at TWITCH_EVENTSUB_WEBSOCKET_URL may be no EventSub server")]
    NoWelcome(String),
    /// There was no answer in time.
    #[error("too slow: no answer within {} s; a firewall may drop the packets", CONNECT_TIMEOUT.as_secs())]
    TooSlow,
    /// Another failure, in words.
    #[error("other: {0}")]
    Other(String),
}

/// Opens a WebSocket at this address, waits for its welcome, and closes it.
///
/// # Errors
/// [`WebSocketProbeError`]
pub async fn probe(url: &Url) -> Result<(), WebSocketProbeError> {
    match Endpoint::new(url.clone())?.connect(None, KEEPALIVE).await {
        Ok((_, mut frames)) => {
            frames.close().await;
            Ok(())
        }
        Err(ConnectError::Unreachable { error, .. }) => Err(unreachable(url, &error).await),
        Err(ConnectError::Refused { host, status }) => Err(WebSocketProbeError::NotUpgraded { host, status }),
        Err(ConnectError::Timeout) => Err(WebSocketProbeError::TooSlow),
        Err(error @ (ConnectError::Ended(_) | ConnectError::NoWelcome | ConnectError::Silent)) => {
            Err(WebSocketProbeError::NoWelcome(error.to_string()))
        }
    }
}

async fn unreachable(url: &Url, error: &reqwest::Error) -> WebSocketProbeError {
    use WebSocketProbeError as E;
    match Cause::of(error, url) {
        Cause::TimedOut => E::TooSlow,
        Cause::NoTls(place) => E::NoTls(place),
        Cause::Tls(reason) => E::Tls(reason),
        Cause::Refused(place) => E::Refused(place),
        Cause::Proxy(reason) => E::Proxy(reason),
        Cause::Other(reason) => match url.host() {
            // Only now, since a proxy resolves names by itself.
            Some(Host::Domain(name)) if error.is_connect() && !resolves(name).await => {
                E::NameResolution(name.to_owned())
            }
            _ => E::Other(reason),
        },
    }
}

async fn resolves(name: &str) -> bool {
    let lookup = timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((name, 443))).await;
    lookup.is_ok_and(|found| found.is_ok_and(|mut addresses| addresses.next().is_some()))
}
