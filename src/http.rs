//! One HTTP call to Twitch: bounded in time and size, and repeated while that can help.

use std::error::Error as _;
use std::time::Duration;

use oauth2::http::StatusCode;
use reqwest::header::HeaderMap;
use reqwest::{Client, Request};
use serde::Deserialize;

use crate::clock::Clock;

/// No answer of Twitch's comes near this; what is longer is not read.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// The longest that an error message of Twitch's gets in ours, in characters.
const MAX_MESSAGE: usize = 300;

/// How patient calls are.
#[derive(Clone, Debug)]
pub struct Patience {
    /// For one attempt, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// How often a call is repeated after a 5xx or when there was no answer.
    pub retries: u32,
    /// Before the first repetition. It doubles with each, and up to half of it is left out at
    /// random, so that callers who failed together do not come back together.
    pub backoff: Duration,
    /// The longest that a call waits for points of the rate limit. Twitch's bucket fills within a
    /// minute (helix.md "Common rules").
    pub rate_limit_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: 3,
            backoff: Duration::from_millis(500),
            rate_limit_wait: Duration::from_secs(90),
        }
    }
}

/// Twitch could not be asked. Nothing is wrong with the question: later it may work.
#[derive(Debug, thiserror::Error)]
pub enum Outage {
    /// No connection, or it broke.
    #[error("{host} can't be reached: {reason}")]
    Unreachable {
        /// Whom we called.
        host: String,
        /// The innermost cause, such as `Connection refused`.
        reason: String,
    },
    /// Connected or not, there was no answer in time.
    #[error("{host} did not answer within {} s", within.as_secs_f32())]
    Timeout {
        /// Whom we called.
        host: String,
        /// [`Patience::timeout`].
        within: Duration,
    },
    /// A 5xx, and again when asked again.
    #[error("{host} is in trouble: {message} ({status})")]
    Failing {
        /// Whom we called.
        host: String,
        /// 500 to 599.
        status: u16,
        /// What it said.
        message: String,
    },
    /// More than any genuine answer.
    #[error("{host} sent an answer of more than {MAX_ANSWER} bytes")]
    TooLong {
        /// Whom we called.
        host: String,
    },
    /// The machine's certificates can't be used, so no call can be made.
    #[error("HTTPS can't be set up on this machine: {0}")]
    Setup(String),
}

/// A complete answer that is no 5xx.
pub struct Answer {
    /// Not 500 to 599.
    pub status: StatusCode,
    /// As they came.
    pub headers: HeaderMap,
    /// At most 8 MiB.
    pub body: Vec<u8>,
}

impl Answer {
    /// Twitch's own message (helix.md "Common rules"), or what the status means.
    pub fn message(&self) -> String {
        message(self.status, &self.body)
    }
}

/// An HTTP client that follows no redirects: Twitch's API has none.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    patience: Patience,
    clock: Clock,
}

impl Http {
    /// A client with these time limits and retries; pauses follow `clock`.
    ///
    /// # Errors
    /// [`Outage::Setup`] if this machine's certificates can't be used.
    pub fn new(patience: Patience, clock: Clock) -> Result<Self, Outage> {
        let client = Client::builder()
            .timeout(patience.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("showtime/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Outage::Setup(innermost(&error)))?;
        Ok(Self { client, patience, clock })
    }

    /// Builds requests.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The clock that pauses follow.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Time limits and retries.
    #[must_use]
    pub fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Sends, and sends again with growing pauses while Twitch fails to answer sensibly.
    ///
    /// # Errors
    /// [`Outage`] if the last attempt failed as well.
    pub async fn send(&self, request: Request) -> Result<Answer, Outage> {
        let mut attempt = 0;
        loop {
            let again = request.try_clone().filter(|_| attempt < self.patience.retries);
            let Some(copy) = again else { return self.send_once(request).await };
            match self.send_once(copy).await {
                Err(outage @ Outage::TooLong { .. }) => return Err(outage),
                Err(outage) => tracing::debug!(attempt, %outage, "a call to Twitch failed and is repeated"),
                answered => return answered,
            }
            self.clock.sleep(jitter(self.patience.backoff * 2_u32.saturating_pow(attempt))).await;
            attempt += 1;
        }
    }

    async fn send_once(&self, request: Request) -> Result<Answer, Outage> {
        let host = host(&request);
        let unanswered = |error: reqwest::Error| {
            if error.is_timeout() {
                Outage::Timeout { host: host.clone(), within: self.patience.timeout }
            } else {
                Outage::Unreachable { host: host.clone(), reason: innermost(&error) }
            }
        };
        let mut response = self.client.execute(request).await.map_err(unanswered)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Outage::TooLong { host });
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_server_error() {
            let message = message(status, &body);
            return Err(Outage::Failing { host, status: status.as_u16(), message });
        }
        Ok(Answer { status, headers, body })
    }
}

fn host(request: &Request) -> String {
    let url = request.url();
    let name = url.host_str().unwrap_or("Twitch");
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

/// Half of the span to all of it.
fn jitter(span: Duration) -> Duration {
    span.mul_f64(rand::random_range(0.5..=1.0))
}

/// The cause at the bottom: the layers above it only say "error sending request", and the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.source().is_none() { "the request failed".to_owned() } else { cause.to_string() }
}

fn message(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        message: Option<String>,
        error: Option<String>,
    }
    let said = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.message.or(body.error));
    let said = said.filter(|said| !said.trim().is_empty());
    let said = said.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
    said.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_twitchs_own_or_what_the_status_means() {
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
    fn jitter_leaves_out_up_to_half() {
        for _ in 0..100 {
            let span = jitter(Duration::from_secs(2));
            assert!((Duration::from_secs(1)..=Duration::from_secs(2)).contains(&span), "{span:?}");
        }
    }
}
