//! Calls to other servers: one set-up of clients, one retry policy, one set of errors.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use oauth2::http::StatusCode;
use reqwest::header::{DATE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Request, Response, Url};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Host;

use crate::backoff::Backoff;
use crate::clock::Clock;

/// The longest answer that is read, in bytes. No genuine one comes near it.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// The longest part of another server's error message that is kept, in characters.
const MAX_MESSAGE: usize = 300;

/// The time limit of a call, and when it is repeated.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// The time limit of one attempt, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// How often a call is repeated after a 5xx or without an answer.
    pub retries: u32,
    /// The pauses before repetitions.
    pub backoff: Backoff,
    /// The longest wait for a rate limit to allow a call. Twitch's bucket fills within a
    /// [minute](https://dev.twitch.tv/docs/api/guide/#twitch-rate-limits).
    pub rate_limit_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: 3,
            backoff: Backoff { first: Duration::from_millis(500), max: Duration::from_secs(30) },
            rate_limit_wait: Duration::from_secs(90),
        }
    }
}

/// A call without a usable answer. The request may be right: the same call may work later.
///
/// Texts are complete: the cause is in the text and not a [`source`](Error::source), since reqwest's layers above it
/// only repeat the URL.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection, or it broke.
    #[error("{host} can't be reached: {reason}")]
    Unreachable {
        /// Name, and port unless it is the usual one.
        host: String,
        /// The innermost cause, such as `Connection refused`.
        reason: String,
        /// Whether there was a connection: without one, nothing was sent.
        was_connected: bool,
    },
    /// No complete answer in time.
    #[error("{host} did not answer within {} s", within.as_secs_f32())]
    Timeout {
        /// Name, and port unless it is the usual one.
        host: String,
        /// [`RetryPolicy::timeout`].
        within: Duration,
    },
    /// A 5xx, after all repetitions.
    #[error("{host} is in trouble: {message} ({status})")]
    ServerError {
        /// Name, and port unless it is the usual one.
        host: String,
        /// 500 to 599.
        status: u16,
        /// The server's message, or the status in words.
        message: String,
    },
    /// An answer longer than any genuine one.
    #[error("{host} sent an answer of more than {MAX_ANSWER} bytes")]
    TooLong {
        /// Name, and port unless it is the usual one.
        host: String,
    },
    /// No call can be made: this machine's certificates can't be used.
    #[error("HTTPS can't be set up on this machine: {0}")]
    Setup(String),
}

/// A complete answer with any status below 500. What a 4xx means is for the caller to say.
pub struct Answer {
    /// 100 to 499.
    pub status: StatusCode,
    /// All headers of the response.
    pub headers: HeaderMap,
    /// At most 8 MiB.
    pub body: Vec<u8>,
}

impl Answer {
    /// The server's error message (the JSON field `message`, or else `error`), or the status in words.
    pub fn message(&self) -> String {
        message(self.status, &self.body)
    }
}

/// The set-up that all clients share: no redirects, and who calls.
fn builder() -> ClientBuilder {
    Client::builder().redirect(Policy::none()).user_agent(concat!("showtime/", env!("CARGO_PKG_VERSION")))
}

/// A client with a time limit for each call.
pub fn client(timeout: Duration) -> ClientBuilder {
    builder().timeout(timeout)
}

/// A client for answers that have no end, with a time limit for connecting and for silence.
pub fn stream_client(silence: Duration) -> ClientBuilder {
    builder().connect_timeout(silence).read_timeout(silence)
}

/// An HTTP client that repeats calls by a [`RetryPolicy`].
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    policy: RetryPolicy,
    clock: Clock,
    /// The date of the last answer, and when it came.
    last_date: Arc<Mutex<Option<(OffsetDateTime, Instant)>>>,
}

impl Http {
    /// A client with this policy, whose pauses follow `clock`.
    ///
    /// # Errors
    /// [`TransportError::Setup`] if this machine's certificates can't be used.
    pub fn new(policy: RetryPolicy, clock: Clock) -> Result<Self, TransportError> {
        let client = client(policy.timeout).build();
        let client = client.map_err(|error| TransportError::Setup(root_cause(&error)))?;
        Ok(Self { client, policy, clock, last_date: Arc::default() })
    }

    /// This client with another policy. Both share their connections.
    #[must_use]
    pub fn with_policy(&self, policy: RetryPolicy) -> Self {
        Self { policy, ..self.clone() }
    }

    /// Builds requests for [`send`](Self::send).
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The clock that pauses follow.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The time by the clock of the server that answered last, to the second; `None` without an answer.
    #[must_use]
    pub fn server_time(&self) -> Option<OffsetDateTime> {
        let (date, at) = (*self.last_date.lock().unwrap_or_else(PoisonError::into_inner))?;
        date.checked_add(self.clock.instant().saturating_duration_since(at).try_into().ok()?)
    }

    fn observe_date(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| OffsetDateTime::parse(date.to_str().ok()?, &Rfc2822).ok());
        if let Some(date) = date {
            *self.last_date.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, self.clock.instant()));
        }
    }

    /// Time limits and retries.
    #[must_use]
    pub fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Sends a request, and repeats it after a 5xx or without an answer, as the policy allows. A body that is a stream
    /// is sent once.
    ///
    /// # Errors
    /// [`TransportError`] of the last attempt.
    pub async fn send(&self, mut request: Request) -> Result<Answer, TransportError> {
        request.timeout_mut().get_or_insert(self.policy.timeout);
        let mut failures = 0;
        loop {
            let copy = request.try_clone().filter(|_| failures < self.policy.retries);
            let Some(copy) = copy else { return self.send_once(request).await };
            match self.send_once(copy).await {
                Err(error @ TransportError::TooLong { .. }) => return Err(error),
                Err(error) => tracing::debug!(failures, %error, "a call failed and is repeated"),
                answered => return answered,
            }
            failures += 1;
            self.clock.sleep(self.policy.backoff.pause(failures)).await;
        }
    }

    async fn send_once(&self, request: Request) -> Result<Answer, TransportError> {
        let host = host(request.url());
        let unanswered = |error: reqwest::Error| {
            if error.is_timeout() && !error.is_connect() {
                TransportError::Timeout { host: host.clone(), within: self.policy.timeout }
            } else {
                let was_connected = !error.is_connect();
                TransportError::Unreachable { host: host.clone(), reason: root_cause(&error), was_connected }
            }
        };
        let mut response = self.client.execute(request).await.map_err(unanswered)?;
        let (status, headers) = (response.status(), response.headers().clone());
        self.observe_date(&headers);
        let body = read_body(&mut response, MAX_ANSWER + 1).await.map_err(unanswered)?;
        if body.len() > MAX_ANSWER {
            return Err(TransportError::TooLong { host });
        }
        if status.is_server_error() {
            let message = message(status, &body);
            return Err(TransportError::ServerError { host, status: status.as_u16(), message });
        }
        Ok(Answer { status, headers, body })
    }
}

/// The host that an address leads to, as messages name it: with the port unless it is the usual one.
pub fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or("the server");
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

/// Whether an address leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The first `limit` bytes of a body; the rest is not read.
///
/// # Errors
/// If the connection breaks, or the time limit of the call ends.
pub async fn read_body(response: &mut Response, limit: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < limit
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
    }
    Ok(body)
}

/// The causes of an error, from the outermost to the innermost. What an I/O error wraps is one of them, which its
/// `source` leaves out.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(error.source(), |&cause| match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    })
}

/// The innermost cause: the layers above it only say "error sending request", and the URL.
pub fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

fn message(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        message: Option<String>,
        error: Option<String>,
    }
    let given = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.message.or(body.error));
    let given = given.filter(|text| !text.trim().is_empty());
    let text = given.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
    text.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_the_servers_or_the_status_in_words() {
        let of = |body: &str| message(StatusCode::BAD_REQUEST, body.as_bytes());
        assert_eq!(of(r#"{"error":"Bad Request","status":400,"message":"invalid id"}"#), "invalid id");
        assert_eq!(of(r#"{"error":"redirect_mismatch"}"#), "redirect_mismatch");
        assert_eq!(of(r#"{"message":"","error":null}"#), "Bad Request");
        assert_eq!(of("<html>\n</html>"), "Bad Request");
        assert_eq!(of(""), "Bad Request");
        assert_eq!(of(r#"{"message":"two\nlines"}"#), "twolines");
        assert_eq!(of(&format!(r#"{{"message":"{}"}}"#, "x".repeat(400))).len(), MAX_MESSAGE);
    }

    #[test]
    fn causes_include_what_an_io_error_wraps() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("inner"));
        let texts: Vec<_> = causes(&error).map(ToString::to_string).collect();
        assert_eq!(texts, ["inner", "inner"], "the I/O error itself, then what it wraps");
    }
}
