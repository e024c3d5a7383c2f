//! Twitch's calls to our `POST /callback` (webhook.md).
//!
//! The order is the promise: size, headers, signature, age, and only then anything that parses or
//! remembers.

use std::time::{Duration, Instant};

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::{Bytes, Payload};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::check;
use crate::clock::Clock;
use crate::ingest::{Ingest, IngestError, Receipt};
use crate::metrics::{Metrics, Outcome};
use crate::services::Services;
use crate::twitch::eventsub::{EnvelopeError, Headers, Incoming, Refusal, Verified, parse_timestamp};
use crate::twitch::signature::{Verifier, WebhookSecret};

/// The largest body that is read, in bytes; Twitch's largest are under 250 KB (webhook.md §9).
pub const MAX_BODY: usize = 1 << 20;

/// How long a sender may take over its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long whoever didn't sign a message waits to hear that it is refused: a connection gets ten
/// forgeries checked per second.
pub const REFUSAL_DELAY: Duration = Duration::from_millis(100);

/// Refusals that wait. Any more are told at once, or else these would hold connections that Twitch needs.
static DELAYED_REFUSALS: Semaphore = Semaphore::const_new(256);

const MESSAGE_ID: &str = "Twitch-Eventsub-Message-Id";
const MESSAGE_RETRY: &str = "Twitch-Eventsub-Message-Retry";
const MESSAGE_TYPE: &str = "Twitch-Eventsub-Message-Type";
const MESSAGE_SIGNATURE: &str = "Twitch-Eventsub-Message-Signature";
const MESSAGE_TIMESTAMP: &str = "Twitch-Eventsub-Message-Timestamp";
const SUBSCRIPTION_TYPE: &str = "Twitch-Eventsub-Subscription-Type";
const SUBSCRIPTION_VERSION: &str = "Twitch-Eventsub-Subscription-Version";

/// Receives, verifies and submits.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Knows the secrets.
    pub verifier: Verifier,
    /// Says how old a message is.
    pub clock: Clock,
    /// Where messages go.
    pub ingest: Ingest,
    /// Counts them.
    pub metrics: Metrics,
}

/// What Twitch is to be told.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Exactly this text.
    Challenge(String),
    /// That we have it, since now or from before.
    Kept(Receipt),
}

/// Why a request is not answered with success.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// More than [`MAX_BODY`] bytes, announced or sent.
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// The body did not arrive.
    #[error("the body could not be read: {0}")]
    Body(actix_web::Error),
    /// The body did not arrive in time.
    #[error("the body did not arrive within {} seconds", BODY_TIMEOUT.as_secs())]
    TooSlow,
    /// A header isn't as Twitch sends it.
    #[error("the header {name} {problem}")]
    Header {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        problem: HeaderProblem,
    },
    /// There is no signature to check.
    #[error("the header {MESSAGE_SIGNATURE} {0}: only messages signed by Twitch are taken")]
    Unsigned(HeaderProblem),
    /// Not genuine, or not recent.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Genuine, but not a message.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A message, but not in the log.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// What can be wrong with a header.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeaderProblem {
    /// Not there.
    #[error("is missing")]
    Missing,
    /// There more than once.
    #[error("is there more than once")]
    Doubled,
    /// Not in the form that Twitch gives it.
    #[error("is malformed: expected {0}")]
    Malformed(&'static str),
}

impl Webhook {
    /// Takes messages that are signed with this secret or the previous one, and registers the check `webhook_secret`.
    #[must_use]
    pub fn new(services: &Services, secret: &WebhookSecret) -> Self {
        let config = services.config.clone();
        services.checks.add(move || check::webhook_secret(&config));
        let previous = services.config.twitch.previous_webhook_secret.as_ref();
        Self {
            verifier: Verifier::new([Some(secret), previous].into_iter().flatten()),
            clock: services.clock.clone(),
            ingest: services.ingest.clone(),
            metrics: services.metrics.clone(),
        }
    }

    /// Takes one request. Nothing of it is remembered unless it is genuine and recent.
    ///
    /// # Errors
    /// Why it isn't taken.
    pub async fn receive(&self, headers: &HeaderMap, body: Payload) -> Result<Answer, WebhookError> {
        let began = Instant::now();
        let answer = self.take(headers, body).await;
        let kind = headers.get(SUBSCRIPTION_TYPE).and_then(|kind| kind.to_str().ok());
        let outcome = outcome(&answer);
        self.metrics.message(kind, outcome, began.elapsed());
        if outcome == Outcome::Forged
            && let Ok(_place) = DELAYED_REFUSALS.try_acquire()
        {
            sleep(REFUSAL_DELAY).await;
        }
        answer
    }

    async fn take(&self, headers: &HeaderMap, body: Payload) -> Result<Answer, WebhookError> {
        if announced_length(headers).is_some_and(|length| length > MAX_BODY) {
            return Err(WebhookError::TooLarge);
        }
        let headers = read_headers(headers)?;
        let timestamp = parse_timestamp(headers.timestamp).ok_or(WebhookError::Header {
            name: MESSAGE_TIMESTAMP,
            problem: HeaderProblem::Malformed("an RFC 3339 time such as 2026-03-14T18:02:11.480213377Z"),
        })?;
        let body = read_body(body).await?;
        let now = self.clock.now();
        let verified = Verified::new(headers, timestamp, body, &self.verifier, now)?;
        match verified.parse()? {
            Incoming::Challenge(challenge) => Ok(Answer::Challenge(challenge)),
            Incoming::Message(message) => {
                let receipt = self.ingest.submit(message).await?;
                if receipt == Receipt::Appended {
                    self.metrics.delivery_lag(now - timestamp);
                }
                Ok(Answer::Kept(receipt))
            }
        }
    }
}

fn outcome(answer: &Result<Answer, WebhookError>) -> Outcome {
    match answer {
        Ok(Answer::Kept(Receipt::Appended)) => Outcome::Accepted,
        Ok(Answer::Kept(Receipt::Duplicate)) => Outcome::Duplicate,
        Ok(Answer::Challenge(_)) => Outcome::Challenge,
        Err(WebhookError::Unsigned(_) | WebhookError::Refused(Refusal::Forged)) => Outcome::Forged,
        Err(WebhookError::Refused(Refusal::Stale(_))) => Outcome::Stale,
        Err(WebhookError::Ingest(IngestError::Rejected)) => Outcome::Rejected,
        Err(WebhookError::Ingest(_)) => Outcome::Unavailable,
        Err(
            WebhookError::TooLarge
            | WebhookError::TooSlow
            | WebhookError::Body(_)
            | WebhookError::Header { .. }
            | WebhookError::Envelope(_),
        ) => Outcome::Malformed,
    }
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn read_headers(headers: &HeaderMap) -> Result<Headers<'_>, WebhookError> {
    let required =
        |name, form: Form| header(headers, name, form).map_err(|problem| WebhookError::Header { name, problem });
    let signature = header(headers, MESSAGE_SIGNATURE, WORD).map_err(WebhookError::Unsigned)?;
    let message_id = required(MESSAGE_ID, WORD)?;
    required(MESSAGE_RETRY, NUMBER)?;
    let message_type = required(MESSAGE_TYPE, WORD)?;
    let timestamp = required(MESSAGE_TIMESTAMP, WORD)?;
    // A conduit shard's challenge belongs to no subscription (webhook.md §4).
    let is_optional = message_type == "webhook_callback_verification";
    let subscription = |name| match required(name, WORD) {
        Err(WebhookError::Header { problem: HeaderProblem::Missing, .. }) if is_optional => Ok(None),
        other => other.map(Some),
    };
    Ok(Headers {
        message_id,
        message_type,
        timestamp,
        signature,
        subscription_type: subscription(SUBSCRIPTION_TYPE)?,
        subscription_version: subscription(SUBSCRIPTION_VERSION)?,
    })
}

/// What a header's value must look like.
struct Form {
    expected: &'static str,
    is_met: fn(&str) -> bool,
}

const WORD: Form = Form {
    expected: "1 to 256 printable ASCII characters without spaces",
    is_met: |value| (1..=256).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic()),
};

const NUMBER: Form = Form { expected: "a number such as 0", is_met: |value| value.parse::<u32>().is_ok() };

fn header<'a>(headers: &'a HeaderMap, name: &str, form: Form) -> Result<&'a str, HeaderProblem> {
    let mut values = headers.get_all(name);
    let value = values.next().ok_or(HeaderProblem::Missing)?;
    if values.next().is_some() {
        return Err(HeaderProblem::Doubled);
    }
    value.to_str().ok().filter(|value| (form.is_met)(value)).ok_or(HeaderProblem::Malformed(form.expected))
}

/// Reads a body, of at most [`MAX_BODY`] bytes and within `BODY_TIMEOUT`.
pub(crate) async fn read_body(body: Payload) -> Result<Bytes, WebhookError> {
    match tokio::time::timeout(BODY_TIMEOUT, body.to_bytes_limited(MAX_BODY)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(error))) => Err(WebhookError::Body(error)),
        Ok(Err(_)) => Err(WebhookError::TooLarge),
        Err(_) => Err(WebhookError::TooSlow),
    }
}
