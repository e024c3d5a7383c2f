//! Connects to an [EventSub WebSocket](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/), and opens those of
//! [IRC](super::irc).
//!
//! reqwest opens the connection and upgrades it, so that TLS, proxies and timeouts are those of every other call; tungstenite
//! does the framing.

use std::time::Duration;

use bytestring::ByteString;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{Client, StatusCode, Upgraded};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use url::{Host, Url};

use super::eventsub::frame::Frame;
use crate::http::{self, TransportError};

/// Time limit from the first packet to the welcome.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest message that is read, in bytes. Twitch's largest are under 250 KB.
const MAX_MESSAGE: usize = 1 << 20;

/// The largest message that is skipped, in bytes. A larger one ends the connection.
const MAX_SKIPPED: usize = 8 << 20;

/// Time limit for a text frame to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit for a close frame to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest reason of a close frame that is kept, in characters. The protocol allows 123 bytes.
const MAX_REASON: usize = 123;

/// Why an address can't be connected to.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Only loopback is reached without TLS.
    #[error("a WebSocket of Twitch's needs an address that begins with wss:// (ws:// only on this machine)")]
    Insecure,
    /// This machine's certificates can't be used.
    #[error(transparent)]
    Client(#[from] TransportError),
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No connection, no TLS, or it broke before the answer.
    #[error("{host} can't be reached: {}", http::root_cause(error))]
    Unreachable {
        /// Name, and port unless it is the usual one.
        host: String,
        /// No source, since the text names the innermost cause.
        error: reqwest::Error,
    },
    /// The answer is no upgrade; a proxy may have given it.
    #[error("{host} answered {status} instead of opening a WebSocket")]
    Refused {
        /// Name, and port unless it is the usual one.
        host: String,
        /// The status of the answer.
        status: StatusCode,
    },
    /// The connection ended before the welcome.
    #[error("no welcome came: {0}")]
    Ended(End),
    /// Something else came.
    #[error("the first frame is no welcome")]
    NoWelcome,
    /// No answer came in time.
    #[error("no answer came within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    /// The WebSocket opened, but nothing came over it in time.
    #[error("no welcome came within {} s", CONNECT_TIMEOUT.as_secs())]
    Silent,
}

/// How a connection ended.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum End {
    /// Twitch closed it, with this [code](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#close-message).
    #[error("{code} {reason}")]
    Closed {
        /// 4000 to 4007 are Twitch's; 1005 stands for none.
        code: u16,
        /// In words; may be empty.
        reason: String,
    },
    /// It broke, or ended without a close frame.
    #[error("{0}")]
    Broken(String),
}

/// What a connection brought.
#[derive(Debug)]
pub enum Received {
    /// A text frame, which may be anything.
    Text(ByteString),
    /// A frame that Twitch never sends, and why.
    Bad(&'static str),
}

/// Proof that a connection leads to Twitch: opened over TLS to the configured host (or to this machine), and welcomed.
/// Only [`Endpoint::connect`] makes one.
#[derive(Debug)]
pub struct Session {
    id: String,
    keepalive: Duration,
}

impl Session {
    /// Twitch's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Twitch is never silent for longer.
    #[must_use]
    pub fn keepalive(&self) -> Duration {
        self.keepalive
    }
}

/// The address of Twitch's server, and a client that connects to it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    url: Url,
    client: Client,
}

impl Endpoint {
    /// The server at this address.
    ///
    /// # Errors
    /// [`EndpointError`]
    pub fn new(url: Url) -> Result<Self, EndpointError> {
        if !is_secure(&url) {
            return Err(EndpointError::Insecure);
        }
        let client = http::client(CONNECT_TIMEOUT).build();
        let client = client.map_err(|error| TransportError::Setup(http::root_cause(&error)))?;
        Ok(Self { url, client })
    }

    /// Whether a `reconnect_url` that came over the connection leads to the same service: the same scheme and port, a host
    /// equal to or below the configured one, and no user.
    #[must_use]
    pub fn is_safe_reconnect(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| is_below(&self.url, &url))
    }

    /// Opens a connection, and waits for its welcome; a new session, which asks for this silence at most, or at a
    /// `reconnect_url` the one that it names.
    ///
    /// # Errors
    /// [`ConnectError`], after [`CONNECT_TIMEOUT`] at the latest.
    pub async fn connect(
        &self,
        reconnect_url: Option<&str>,
        keepalive: Duration,
    ) -> Result<(Session, Frames), ConnectError> {
        let url = match reconnect_url.and_then(|url| Url::parse(url).ok()).filter(|url| is_below(&self.url, url)) {
            Some(url) => url,
            None => {
                let mut url = self.url.clone();
                url.query_pairs_mut().append_pair("keepalive_timeout_seconds", &keepalive.as_secs().to_string());
                url
            }
        };
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        let mut frames = timeout_at(deadline, self.open(url)).await.unwrap_or(Err(ConnectError::Timeout))?;
        let first = timeout_at(deadline, frames.next()).await.map_err(|_| ConnectError::Silent)?;
        match first.map_err(ConnectError::Ended)? {
            Received::Text(text) => match Frame::parse(&text) {
                Ok(Frame::Welcome(welcome)) => {
                    Ok((Session { id: welcome.session_id, keepalive: welcome.keepalive }, frames))
                }
                _ => Err(ConnectError::NoWelcome),
            },
            Received::Bad(_) => Err(ConnectError::NoWelcome),
        }
    }

    /// Opens a connection to the configured address.
    pub(super) async fn open_plain(&self) -> Result<Frames, ConnectError> {
        timeout(CONNECT_TIMEOUT, self.open(self.url.clone())).await.unwrap_or(Err(ConnectError::Timeout))
    }

    async fn open(&self, mut url: Url) -> Result<Frames, ConnectError> {
        let scheme = if url.scheme() == "wss" { "https" } else { "http" };
        let _ = url.set_scheme(scheme);
        let host = http::host(&url);
        let unreachable = |error| ConnectError::Unreachable { host: host.clone(), error };
        let key = generate_key();
        let request = self.client.get(url).header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
        let request = request.header(SEC_WEBSOCKET_VERSION, "13").header(SEC_WEBSOCKET_KEY, &key);
        let response = request.send().await.map_err(unreachable)?;
        let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS
            || accept.is_none_or(|accept| *accept != derive_accept_key(key.as_bytes()))
        {
            return Err(ConnectError::Refused { host, status: response.status() });
        }
        let upgraded = response.upgrade().await.map_err(unreachable)?;
        Ok(Frames(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(limits())).await))
    }
}

/// The frames of one connection. To EventSub nothing is ever sent over it but pongs and a close frame.
#[derive(Debug)]
pub struct Frames(WebSocketStream<Upgraded>);

impl Frames {
    /// Waits for a frame; pings are answered meanwhile. Cancel safe.
    ///
    /// # Errors
    /// [`End`] once the connection has ended. Nothing comes after it.
    pub async fn next(&mut self) -> Result<Received, End> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) if text.len() > MAX_MESSAGE => {
                    return Ok(Received::Bad("the frame is larger than 1 MiB"));
                }
                Some(Ok(Message::Text(text))) => {
                    // Both are UTF-8, so this does not fail.
                    let text = ByteString::try_from(bytes::Bytes::from(text));
                    return text.map(Received::Text).or(Ok(Received::Bad("the frame is not UTF-8")));
                }
                Some(Ok(Message::Binary(_))) => return Ok(Received::Bad("the frame is binary")),
                Some(Ok(Message::Close(frame))) => {
                    // The answer to the close frame waits to be written.
                    let _ = timeout(CLOSE_TIMEOUT, self.0.flush()).await;
                    return Err(closed(frame));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(End::Broken(error.to_string())),
                None => return Err(End::Broken("the connection ended without a close frame".to_owned())),
            }
        }
    }

    /// Sends a text frame.
    pub(super) async fn send(&mut self, text: String) -> Result<(), End> {
        match timeout(SEND_TIMEOUT, self.0.send(Message::text(text))).await {
            Ok(sent) => sent.map_err(|error| End::Broken(error.to_string())),
            Err(_) => Err(End::Broken(format!("nothing could be sent for {} s", SEND_TIMEOUT.as_secs()))),
        }
    }

    /// Sends a close frame. What Twitch sent before it arrives can still be read, until the connection ends.
    pub async fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        // An error means that the connection has ended, which the next read tells.
        let _ = timeout(CLOSE_TIMEOUT, self.0.send(Message::Close(Some(frame)))).await;
    }
}

fn closed(frame: Option<CloseFrame>) -> End {
    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
        let reason = frame.reason.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
        (frame.code.into(), reason)
    });
    End::Closed { code, reason }
}

/// Small buffers, because there may be a thousand connections, and each is mostly silent.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(16 << 10)
        .max_message_size(Some(MAX_SKIPPED))
        .max_frame_size(Some(MAX_SKIPPED))
}

fn is_secure(url: &Url) -> bool {
    match url.scheme() {
        "wss" => url.has_host(),
        "ws" => http::is_loopback(url),
        _ => false,
    }
}

fn is_below(configured: &Url, url: &Url) -> bool {
    let is_host_below = match (configured.host(), url.host()) {
        (Some(Host::Domain(above)), Some(Host::Domain(name))) => {
            name.strip_suffix(above).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        }
        (above, host) => above == host,
    };
    is_host_below
        && url.scheme() == configured.scheme()
        && url.port_or_known_default() == configured.port_or_known_default()
        && url.username().is_empty()
        && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::new(url.parse().unwrap())
    }

    #[test]
    fn reconnect_url_stays_at_the_configured_service() {
        let twitch = endpoint("wss://eventsub.wss.twitch.tv/ws").unwrap();
        for (url, is_safe) in [
            ("wss://eventsub.wss.twitch.tv/ws?challenge=1&id=2", true),
            ("wss://cell-a.eventsub.wss.twitch.tv/ws?challenge=1", true),
            ("wss://cell-a.eventsub.wss.twitch.tv:443/other", true),
            ("ws://cell-a.eventsub.wss.twitch.tv/ws", false),
            ("https://cell-a.eventsub.wss.twitch.tv/ws", false),
            ("wss://eventsub.wss.twitch.tv:8443/ws", false),
            ("wss://wss.twitch.tv/ws", false),
            ("wss://evileventsub.wss.twitch.tv/ws", false),
            ("wss://eventsub.wss.twitch.tv.example/ws", false),
            ("wss://user@eventsub.wss.twitch.tv/ws", false),
            ("wss://:pass@eventsub.wss.twitch.tv/ws", false),
            ("wss://eventsub.wss.twitch.tv@example.com/ws", false),
            ("wss://127.0.0.1/ws", false),
            ("/ws", false),
            ("", false),
        ] {
            assert_eq!(twitch.is_safe_reconnect(url), is_safe, "{url}");
        }
        let mock = endpoint("ws://127.0.0.1:8080/ws").unwrap();
        assert!(mock.is_safe_reconnect("ws://127.0.0.1:8080/ws?id=1"));
        assert!(!mock.is_safe_reconnect("ws://127.0.0.2:8080/ws") && !mock.is_safe_reconnect("ws://127.0.0.1:8081/ws"));
    }

    #[test]
    fn plain_websocket_leads_to_this_machine_only() {
        for url in ["wss://eventsub.wss.twitch.tv/ws", "ws://localhost:1/ws", "ws://127.0.0.9/ws", "ws://[::1]:1/ws"] {
            assert!(endpoint(url).is_ok(), "{url}");
        }
        for url in ["ws://eventsub.wss.twitch.tv/ws", "ws://10.0.0.1/ws", "https://eventsub.wss.twitch.tv/ws"] {
            assert!(endpoint(url).unwrap_err().to_string().contains("wss://"), "{url}");
        }
    }
}
