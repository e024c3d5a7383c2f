//! Delivers messages to a callback as Twitch does: no redirects, and with a time limit.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::answer::CallbackAnswer;
use crate::http::{self, causes, read_body, root_cause};
use crate::twitch::eventsub::outgoing::Outgoing;

/// How long a callback may take, as in Twitch's own command-line tool
/// (<https://dev.twitch.tv/docs/cli/event-command/>).
const TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an answer is read.
const MAX_ANSWER: usize = 64 * 1024;

/// What a showtime server tells of a channel.
#[derive(Debug, Deserialize)]
pub struct KnownChannel {
    /// Twitch's id.
    pub id: Option<String>,
    /// The name that viewers see.
    pub display_name: Option<String>,
    /// The stream that is live.
    pub stream: Option<KnownStream>,
}

/// A stream that is live.
#[derive(Debug, Deserialize)]
pub struct KnownStream {
    /// Twitch's id.
    pub id: String,
}

/// An HTTP client for one callback.
#[derive(Clone, Debug)]
pub struct CallbackClient {
    client: Client,
    callback: Url,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// This machine's TLS can't be set up.
    #[error("no HTTP client can be made: {0}")]
    Client(reqwest::Error),
    /// The text is not a header value.
    #[error("`{0}` can't be a header: only visible ASCII characters can")]
    Header(String),
    /// The connection was refused.
    #[error("nothing listens at {0}")]
    NotListening(Url),
    /// No answer within the time limit.
    #[error("no answer from {0} within {TIMEOUT:?}")]
    TimedOut(Url),
    /// The connection failed or broke.
    #[error("no answer from {url}: {reason}")]
    Broken {
        /// The callback.
        url: Url,
        /// All causes.
        reason: String,
    },
}

/// The callback URL of a server that listens at this address of this machine.
///
/// # Errors
/// Never: every address can stand in a URL.
pub fn own_callback(listens_at: SocketAddr) -> Result<Url, url::ParseError> {
    let ip = match listens_at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Url::parse(&format!("http://{}/callback", SocketAddr::new(ip, listens_at.port())))
}

impl CallbackClient {
    /// A client for this callback. If `addresses` of its host are given, no others are used.
    ///
    /// # Errors
    /// If this machine's TLS can't be set up.
    pub fn new(callback: Url, addresses: &[SocketAddr]) -> Result<Self, DeliveryError> {
        let user_agent = concat!("showtime-simulate/", env!("CARGO_PKG_VERSION"));
        let mut builder = http::client(TIMEOUT).no_proxy().user_agent(user_agent);
        if let Some(host) = callback.domain().filter(|_| !addresses.is_empty()) {
            builder = builder.resolve_to_addrs(host, addresses);
        }
        Ok(Self { client: builder.build().map_err(DeliveryError::Client)?, callback })
    }

    /// The callback's URL.
    #[must_use]
    pub fn callback(&self) -> &Url {
        &self.callback
    }

    /// Delivers a message with this signature, or unsigned.
    ///
    /// # Errors
    /// If there is no answer.
    #[tracing::instrument(name = "delivery", level = "debug", skip_all, fields(message.id = message.stamp.message_id))]
    pub async fn deliver(&self, message: &Outgoing, signature: Option<&str>) -> Result<CallbackAnswer, DeliveryError> {
        let mut headers = HeaderMap::new();
        for (name, value) in message.headers(signature) {
            let unfit = || DeliveryError::Header(value.clone());
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
            headers.insert(name, HeaderValue::from_str(&value).map_err(|_| unfit())?);
        }
        let began = Instant::now();
        let request = self.client.post(self.callback.clone()).headers(headers).body(message.body.clone());
        let mut response = request.send().await.map_err(|error| self.error(&error))?;
        let (status, content_type) = (response.status(), content_type(&response));
        let body = read_body(&mut response, MAX_ANSWER).await.map_err(|error| self.error(&error))?;
        Ok(CallbackAnswer { status, content_type, body, latency: began.elapsed() })
    }

    /// Gets a channel, by id or login, from the showtime server of this callback (`GET channels/{channel}` beside it), with
    /// one of its tokens. `None` if the server does not know it.
    ///
    /// # Errors
    /// If there is no answer, or not one of a showtime server.
    pub async fn channel(
        &self,
        channel: &str,
        token: Option<&SecretString>,
    ) -> Result<Option<KnownChannel>, DeliveryError> {
        let broken = |reason: String| DeliveryError::Broken { url: self.callback.clone(), reason };
        let url = self.callback.join(&format!("channels/{channel}")).map_err(|error| broken(error.to_string()))?;
        let mut request = self.client.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        let mut response = request.send().await.map_err(|error| self.error(&error))?;
        match response.status() {
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::OK => {}
            status => return Err(broken(format!("GET channels/{channel} was answered {status}"))),
        }
        let body = read_body(&mut response, MAX_ANSWER).await.map_err(|error| self.error(&error))?;
        serde_json::from_slice(&body).map(Some).map_err(|error| broken(error.to_string()))
    }

    fn error(&self, error: &reqwest::Error) -> DeliveryError {
        let url = self.callback.clone();
        let mut kinds = causes(error).filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
        match error.is_timeout() {
            _ if kinds.any(|kind| kind == io::ErrorKind::ConnectionRefused) => DeliveryError::NotListening(url),
            true => DeliveryError::TimedOut(url),
            false => DeliveryError::Broken { url, reason: root_cause(error) },
        }
    }
}

fn content_type(response: &Response) -> Option<String> {
    response.headers().get(CONTENT_TYPE)?.to_str().ok().map(str::to_owned)
}
