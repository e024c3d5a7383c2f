//! Delivers messages to a callback as Twitch does: no redirects, limited patience; and says
//! whether an answer is the one that Twitch wants (webhook.md §4).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use crate::http::{self, causes, read_body, root_cause};
use crate::twitch::eventsub::outgoing::Outgoing;

/// How long a callback may take (what Twitch's own command-line tool grants; webhook.md §4).
const PATIENCE: Duration = Duration::from_secs(10);

/// As much of an answer as is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends messages to one callback.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client,
    callback: Url,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The content type, if any.
    pub content_type: Option<String>,
    /// The first 64 KiB of the body.
    pub body: Vec<u8>,
    /// From sending until the answer was complete.
    pub latency: Duration,
}

/// What must come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Any 2xx: the message was taken.
    Taken,
    /// 200 with this text and nothing else.
    Echo(String),
    /// This status: the message was not taken, and for the right reason.
    Status(StatusCode),
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// There is no way to make such a client.
    #[error("no HTTP client can be made: {0}")]
    Client(reqwest::Error),
    /// A header can't hold this.
    #[error("`{0}` can't be a header: only visible ASCII characters can")]
    Header(String),
    /// Nobody listens there.
    #[error("nothing listens at {0}")]
    NobodyThere(Url),
    /// It took too long.
    #[error("no answer from {0} within {PATIENCE:?}")]
    TooSlow(Url),
    /// Something else went wrong on the way.
    #[error("no answer from {url}: {reason}")]
    Broken {
        /// The callback.
        url: Url,
        /// All that is known.
        reason: String,
    },
}

/// The callback of a server that listens at this address of this machine.
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

impl Sender {
    /// Sends to this callback. If `addresses` of its host are given, no others are used.
    ///
    /// # Errors
    /// If this machine's TLS can't be set up.
    pub fn new(callback: Url, addresses: &[SocketAddr]) -> Result<Self, DeliveryError> {
        let user_agent = concat!("showtime-simulate/", env!("CARGO_PKG_VERSION"));
        let mut builder = http::client(PATIENCE).no_proxy().user_agent(user_agent);
        if let Some(host) = callback.domain().filter(|_| !addresses.is_empty()) {
            builder = builder.resolve_to_addrs(host, addresses);
        }
        Ok(Self { client: builder.build().map_err(DeliveryError::Client)?, callback })
    }

    /// Where it sends to.
    #[must_use]
    pub fn callback(&self) -> &Url {
        &self.callback
    }

    /// Delivers a message with this signature, or unsigned.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn deliver(&self, message: &Outgoing, signature: Option<&str>) -> Result<Answer, DeliveryError> {
        let mut headers = HeaderMap::new();
        for (name, value) in message.headers(signature) {
            let unfit = || DeliveryError::Header(value.clone());
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
            headers.insert(name, HeaderValue::from_str(&value).map_err(|_| unfit())?);
        }
        let began = Instant::now();
        let request = self.client.post(self.callback.clone()).headers(headers).body(message.body.clone());
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        let (status, content_type) = (response.status(), content_type(&response));
        let body = read_body(&mut response, MAX_ANSWER).await.map_err(|error| self.failed(&error))?;
        Ok(Answer { status, content_type, body, latency: began.elapsed() })
    }

    /// Asks the server of this callback (`GET channels/{id}` beside it) which stream of a channel
    /// is live, with a token of the server's.
    ///
    /// # Errors
    /// If the answer is none that a showtime server gives.
    pub async fn live_stream(
        &self,
        channel_id: &str,
        token: Option<&SecretString>,
    ) -> Result<Option<String>, DeliveryError> {
        #[derive(Deserialize)]
        struct Channel {
            stream: Option<Stream>,
        }
        #[derive(Deserialize)]
        struct Stream {
            id: String,
        }
        let broken = |reason: String| DeliveryError::Broken { url: self.callback.clone(), reason };
        let url = self.callback.join(&format!("channels/{channel_id}")).map_err(|error| broken(error.to_string()))?;
        let mut request = self.client.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        match response.status() {
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::OK => {}
            status => return Err(broken(format!("asked for its channels, it said {status}"))),
        }
        let body = read_body(&mut response, MAX_ANSWER).await.map_err(|error| self.failed(&error))?;
        let channel: Channel = serde_json::from_slice(&body).map_err(|error| broken(error.to_string()))?;
        Ok(channel.stream.map(|stream| stream.id))
    }

    fn failed(&self, error: &reqwest::Error) -> DeliveryError {
        let url = self.callback.clone();
        let mut kinds = causes(error).filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
        match error.is_timeout() {
            _ if kinds.any(|kind| kind == io::ErrorKind::ConnectionRefused) => DeliveryError::NobodyThere(url),
            true => DeliveryError::TooSlow(url),
            false => DeliveryError::Broken { url, reason: root_cause(error) },
        }
    }
}

fn content_type(response: &Response) -> Option<String> {
    response.headers().get(CONTENT_TYPE)?.to_str().ok().map(str::to_owned)
}

impl Wanted {
    /// What is wrong with an answer; `None` if it is the wanted one.
    #[must_use]
    pub fn objection(&self, answer: &Answer) -> Option<String> {
        let is_text = || answer.content_type.as_deref().is_some_and(|kind| kind.starts_with("text/plain"));
        match self {
            Self::Taken if answer.status.is_success() => None,
            Self::Status(status) if answer.status == *status => None,
            Self::Echo(challenge) if answer.status == StatusCode::OK => match () {
                () if answer.body != challenge.as_bytes() => Some(format!("its body is not just {challenge}")),
                () if !is_text() => Some("its content type is not text/plain".to_owned()),
                () => None,
            },
            _ => Some(format!("its status is {}", answer.status.as_u16())),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("204, or another 2xx"),
            Self::Echo(_) => f.write_str("200 with the challenge as plain text"),
            Self::Status(status) => write!(f, "{}", status.as_u16()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: Some(content_type.to_owned()).filter(|kind| !kind.is_empty()),
            body: body.into(),
            latency: Duration::ZERO,
        }
    }

    #[test]
    fn any_2xx_says_that_a_message_was_taken() {
        for status in [200, 202, 204] {
            assert_eq!(Wanted::Taken.objection(&answer(status, "", "")), None);
        }
        for status in [302, 403, 503] {
            assert_eq!(Wanted::Taken.objection(&answer(status, "", "")), Some(format!("its status is {status}")));
        }
        assert_eq!(Wanted::Status(StatusCode::FORBIDDEN).objection(&answer(403, "", "")), None);
        assert!(Wanted::Status(StatusCode::FORBIDDEN).objection(&answer(204, "", "")).is_some());
    }

    #[test]
    fn a_challenge_is_answered_with_itself_and_nothing_else() {
        let objection = |status, kind, body| Wanted::Echo("abc".to_owned()).objection(&answer(status, kind, body));
        assert_eq!(objection(200, "text/plain", "abc"), None);
        assert_eq!(objection(200, "text/plain; charset=utf-8", "abc"), None);
        for (status, kind, body) in
            [(204, "text/plain", "abc"), (200, "text/html", "abc"), (200, "", "abc"), (200, "text/plain", "\"abc\"")]
        {
            assert!(objection(status, kind, body).is_some(), "{status} {kind} {body}");
        }
    }
}
