//! Receives the messages that Twitch sends to `POST /callback`.
//! <https://dev.twitch.tv/docs/eventsub/handling-webhook-events/>
//!
//! The order is the promise: size, headers, signature, age, and only then anything that parses or
//! stores.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use actix_web::web::Payload;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::Instrument as _;

use super::body::{BodyError, MAX_BODY, read_body};
use super::budget::BodyBudget;
use super::check;
use super::refusals::Refusals;
use crate::clock::Clock;
use crate::ingest::{Ingest, IngestError, Receipt};
use crate::message::{Incoming, Message};
use crate::metrics::{Metrics, Outcome, Transport};
use crate::services::Services;
use crate::twitch::eventsub::decode::DecodeError;
use crate::twitch::eventsub::parse_timestamp;
use crate::twitch::eventsub::webhook::{
    Headers, MESSAGE_ID, MESSAGE_SIGNATURE, MESSAGE_TIMESTAMP, MESSAGE_TYPE, Refusal, SUBSCRIPTION_TYPE,
    SUBSCRIPTION_VERSION, Verified,
};
use crate::twitch::signature::{Verifier, WebhookSecret};

/// Delay of the answer to a message that is not signed: a connection gets ten forgeries checked per
/// second.
pub const REFUSAL_DELAY: Duration = Duration::from_millis(100);

/// Answers that may be delayed at once. Others are sent at once: delayed ones would hold connections that Twitch needs.
const MAX_DELAYED_REFUSALS: usize = 256;

/// Receives, verifies and submits messages.
#[derive(Debug)]
pub struct Webhook {
    verifier: Verifier,
    clock: Clock,
    ingest: Ingest,
    metrics: Metrics,
    budget: BodyBudget,
    refusals: Arc<Refusals>,
    delayed_refusals: Semaphore,
}

/// What is answered with success.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// A challenge, with exactly this text.
    Challenge(String),
    /// A message that is in the log.
    Stored(Receipt),
}

/// Why a request is not answered with success.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The body can't be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A header isn't as Twitch sends it.
    #[error("the header {name} {problem}")]
    Header {
        /// The header's name.
        name: &'static str,
        /// What is wrong with it.
        problem: HeaderProblem,
    },
    /// There is no signature to check.
    #[error("the header {MESSAGE_SIGNATURE} {0}: only messages signed by Twitch are taken")]
    Unsigned(HeaderProblem),
    /// The request is not genuine, or not recent.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request is genuine, but no message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The message could not be stored.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeaderProblem {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is there more than once.
    #[error("is there more than once")]
    Doubled,
    /// It is not in the format that Twitch gives it.
    #[error("is malformed: expected {0}")]
    Malformed(&'static str),
}

impl Webhook {
    /// Accepts messages that are signed with this secret or the previous one, and registers the checks
    /// `webhook_secret`, `messages` and `payloads`.
    #[must_use]
    pub fn new(services: &Services, secret: &WebhookSecret) -> Self {
        let refusals = Arc::new(Refusals::new(services));
        check::register(services, &refusals);
        let previous = services.config.twitch.previous_webhook_secret.as_ref();
        Self {
            verifier: Verifier::new([Some(secret), previous].into_iter().flatten()),
            clock: services.clock.clone(),
            ingest: services.ingest.clone(),
            metrics: services.metrics.clone(),
            budget: BodyBudget::default(),
            refusals,
            delayed_refusals: Semaphore::new(MAX_DELAYED_REFUSALS),
        }
    }

    /// Handles one request. Nothing of it is stored unless it is genuine and recent.
    ///
    /// # Errors
    /// [`WebhookError`]
    pub async fn receive(&self, headers: &HeaderMap, body: Payload) -> Result<Answer, WebhookError> {
        let began = Instant::now();
        let twitch = TwitchHeaders::read(headers);
        let kind = twitch.get(SUBSCRIPTION_TYPE).ok();
        // Made for each of some thousand messages a second, so not at the level of the usual log.
        let span =
            tracing::debug_span!("message", message.id = twitch.get(MESSAGE_ID).ok(), subscription.r#type = kind);
        let result = self.verify_and_submit(content_length(headers), &twitch, body).instrument(span.clone()).await;
        let (outcome, took) = (outcome_of(&result), began.elapsed());
        match &result {
            Ok(Answer::Stored(_)) => self.refusals.reset(),
            Ok(Answer::Challenge(_)) => {}
            Err(WebhookError::Refused(Refusal::Stale(age))) => self.refusals.record_stale(*age),
            Err(error @ (WebhookError::Refused(Refusal::NotUtf8 { .. }) | WebhookError::Decode(_))) => {
                self.refusals.record_malformed(error);
            }
            Err(_) => {}
        }
        self.metrics.message(Transport::Webhook, kind, outcome, took);
        tracing::debug!(parent: &span, ?outcome, message.duration_ms = took.as_millis(), "answered");
        if outcome == Outcome::Forged
            && let Ok(_permit) = self.delayed_refusals.try_acquire()
        {
            sleep(REFUSAL_DELAY).await;
        }
        result
    }

    async fn verify_and_submit(
        &self,
        content_length: Option<usize>,
        headers: &TwitchHeaders<'_>,
        body: Payload,
    ) -> Result<Answer, WebhookError> {
        if content_length.is_some_and(|length| length > MAX_BODY) {
            return Err(BodyError::TooLarge.into());
        }
        let headers = headers.all()?;
        let timestamp = parse_timestamp(headers.timestamp).ok_or(WebhookError::Header {
            name: MESSAGE_TIMESTAMP,
            problem: HeaderProblem::Malformed("an RFC 3339 time such as 2026-03-14T18:02:11.480213377Z"),
        })?;
        let body = read_body(body, Some(&self.budget)).await?;
        let now = self.clock.now();
        let verified = match Verified::new(headers, timestamp, body, &self.verifier, now) {
            Ok(verified) => verified,
            Err(unproved) => {
                let refusal = unproved.refusal;
                Box::pin(self.refusals.record_unproved(unproved)).await;
                return Err(refusal.into());
            }
        };
        match Message::from_webhook(&verified)? {
            Incoming::Challenge(text) => Ok(Answer::Challenge(text)),
            Incoming::Message(message) => {
                let receipt = self.ingest.submit(message).await?;
                if receipt == Receipt::Appended {
                    self.metrics.delivery_lag(now - timestamp);
                }
                Ok(Answer::Stored(receipt))
            }
        }
    }
}

/// How a request is counted.
fn outcome_of(result: &Result<Answer, WebhookError>) -> Outcome {
    match result {
        Ok(Answer::Stored(Receipt::Appended)) => Outcome::Accepted,
        Ok(Answer::Stored(Receipt::Duplicate)) => Outcome::Duplicate,
        Ok(Answer::Challenge(_)) => Outcome::Challenge,
        Err(WebhookError::Unsigned(_) | WebhookError::Refused(Refusal::Forged)) => Outcome::Forged,
        Err(WebhookError::Refused(Refusal::Stale(_))) => Outcome::Stale,
        Err(WebhookError::Ingest(IngestError::Rejected)) => Outcome::Rejected,
        Err(WebhookError::Ingest(_)) => Outcome::Unavailable,
        Err(
            WebhookError::Body(_)
            | WebhookError::Header { .. }
            | WebhookError::Refused(Refusal::NotUtf8 { .. })
            | WebhookError::Decode(_),
        ) => Outcome::Malformed,
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The headers that matter, as a request has them. Read in one pass: a look-up by name hashes the name, and copies it first.
#[derive(Debug)]
struct TwitchHeaders<'a>([Result<&'a str, HeaderProblem>; NAMES.len()]);

/// The names of these headers.
const NAMES: [&str; 6] =
    [MESSAGE_SIGNATURE, MESSAGE_ID, MESSAGE_TYPE, MESSAGE_TIMESTAMP, SUBSCRIPTION_TYPE, SUBSCRIPTION_VERSION];

impl<'a> TwitchHeaders<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let mut values = [Err(HeaderProblem::Missing); NAMES.len()];
        for (name, value) in headers {
            if let Some(place) = NAMES.iter().position(|it| it.eq_ignore_ascii_case(name.as_str())) {
                let is_first = values[place] == Err(HeaderProblem::Missing);
                values[place] = if is_first { read_word(value) } else { Err(HeaderProblem::Doubled) };
            }
        }
        Self(values)
    }

    fn get(&self, name: &str) -> Result<&'a str, HeaderProblem> {
        let place = NAMES.iter().position(|it| *it == name);
        place.map_or(Err(HeaderProblem::Missing), |place| self.0[place])
    }

    fn all(&self) -> Result<Headers<'a>, WebhookError> {
        let required = |name| self.get(name).map_err(|problem| WebhookError::Header { name, problem });
        let optional = |name| match required(name) {
            Err(WebhookError::Header { problem: HeaderProblem::Missing, .. }) => Ok(None),
            other => other.map(Some),
        };
        let signature = self.get(MESSAGE_SIGNATURE).map_err(WebhookError::Unsigned)?;
        Ok(Headers {
            message_id: required(MESSAGE_ID)?,
            message_type: required(MESSAGE_TYPE)?,
            timestamp: required(MESSAGE_TIMESTAMP)?,
            signature,
            subscription_type: optional(SUBSCRIPTION_TYPE)?,
            subscription_version: optional(SUBSCRIPTION_VERSION)?,
        })
    }
}

fn read_word(value: &HeaderValue) -> Result<&str, HeaderProblem> {
    let is_word = |text: &&str| (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let text = value.to_str().ok().filter(is_word);
    text.ok_or(HeaderProblem::Malformed("1 to 256 printable ASCII characters without spaces"))
}
