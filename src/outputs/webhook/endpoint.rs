//! One attempt to deliver an event, and what its outcome means.

use std::fmt;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::timeout;

use super::guard::{Guard, Lookup};
use super::secret::WebhookSecret;
use super::sign::webhook_id;
use crate::clock::Clock;
use crate::http;

/// Time limit of an attempt, from connecting to the status of the answer.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer's body that are read, so that the connection can be used again; a longer one is closed.
const MAX_ANSWER: usize = 8 * 1024;

/// Time limit of reading them.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest time that a receiver can ask to wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// What becomes of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it (2xx).
    Delivered,
    /// The receiver wants no more events (410).
    Gone,
    /// The receiver asks to slow down.
    Busy {
        /// Its status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// It did not arrive, or was refused.
    Failed(Failure),
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The answer's status; `None` without an answer.
    pub status: Option<u16>,
    /// What is wrong. Holds neither the URL nor anything that the receiver wrote.
    pub problem: String,
}

/// What is sent about an event.
#[derive(Clone, Debug)]
pub struct WebhookMessage {
    /// Twitch's id of the event.
    pub message_id: String,
    /// Whether it is a test event.
    pub is_test: bool,
    /// The body.
    pub body: Vec<u8>,
}

/// The receiver of a webhook.
pub struct Endpoint {
    client: Client,
    url: Url,
    content_type: String,
    secret: WebhookSecret,
    clock: Clock,
}

impl Endpoint {
    /// A receiver that is reached by this URL, as far as its guard allows.
    ///
    /// # Errors
    /// If this machine's certificates can't be used.
    pub fn new(
        (url, guard): (Url, Guard),
        content_type: String,
        secret: WebhookSecret,
        clock: Clock,
        lookup: Lookup,
    ) -> Result<Self, Failure> {
        match guard.client(TIMEOUT, lookup) {
            Ok(client) => Ok(Self { client, url, content_type, secret, clock }),
            Err(error) => Err(Failure {
                status: None,
                problem: format!("HTTPS can't be set up on this machine: {}", http::root_cause(&error)),
            }),
        }
    }

    /// Sends a message once.
    pub async fn send(&self, message: &WebhookMessage) -> Outcome {
        let (id, now) = (webhook_id(&message.message_id), self.clock.now());
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, &self.content_type)
            .header("webhook-id", &id)
            .header("webhook-timestamp", now.unix_timestamp())
            .header("webhook-signature", self.secret.sign(&id, now, &message.body))
            .body(message.body.clone());
        if message.is_test {
            request = request.header("showtime-test", "1");
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(self.explain(&error)),
        };
        let outcome = self.outcome(response.status(), response.headers(), now);
        // The status says it all; a body that hangs or breaks changes nothing.
        let _ = timeout(BODY_TIMEOUT, http::read_body(&mut response, MAX_ANSWER)).await;
        outcome
    }

    fn outcome(&self, status: StatusCode, headers: &HeaderMap, now: OffsetDateTime) -> Outcome {
        let retry_after = retry_after(headers, now);
        let (host, code) = (http::host(&self.url), status.as_u16());
        let hint = match code {
            200..=299 => return Outcome::Delivered,
            410 => return Outcome::Gone,
            429 => return Outcome::Busy { status: code, retry_after },
            503 if retry_after.is_some() => return Outcome::Busy { status: code, retry_after },
            300..=399 => ": redirects are not followed, so set the URL to where it leads",
            401 | 403 | 404 => ": check the URL, and whether the receiver verifies with the newest key",
            400..=499 => ": the receiver does not take this event or its body",
            _ => "",
        };
        Outcome::Failed(Failure { status: Some(code), problem: format!("{host} answered {code}{hint}") })
    }

    fn explain(&self, error: &reqwest::Error) -> Failure {
        let host = http::host(&self.url);
        let problem = if error.is_timeout() {
            format!("{host} did not answer within {} s", TIMEOUT.as_secs())
        } else {
            // Above the innermost cause, errors quote the URL.
            format!("{host} can't be reached: {}", http::root_cause(error))
        };
        Failure { status: None, problem }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("host", &http::host(&self.url)).finish_non_exhaustive()
    }
}

/// The [`Retry-After`](https://www.rfc-editor.org/rfc/rfc9110#field.retry-after) of an answer: seconds, or a time.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => {
            let at = OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok()?;
            Duration::try_from(at - now).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_time_up_to_a_day() {
        let of = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, datetime!(2026-11-26 05:00:00 UTC))
        };
        assert_eq!(of("120"), Some(Duration::from_secs(120)));
        assert_eq!(of("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(of("Thu, 26 Nov 2026 05:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(of("Thu, 26 Nov 2026 04:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("1e99"), None);
        assert_eq!(of("9999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(of("soon"), None);
        assert_eq!(of("-1"), None);
    }
}
