//! Tests the callback from outside: sends it a signed challenge, as Twitch would, through its public address.

use std::time::Duration;

use reqwest::StatusCode;
use time::format_description::well_known::Rfc3339;
use tokio::time::timeout;
use url::{Host, Url};

use super::cause::Cause;
use crate::clock::Clock;
use crate::http::{self, read_body};
use crate::twitch::catalogue;
use crate::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription, new_challenge};
use crate::twitch::signature::WebhookSecret;

/// Time limit of an answer. Twitch requires one
/// [within a few seconds](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#responding-to-a-challenge-request).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The part of an answer that is read, in bytes.
const MAX_ANSWER: usize = 4_096;

/// Why Twitch can't use the callback.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProbeError {
    /// The name has no address.
    #[error("name resolution: {0} has no address; is there a DNS record for it?")]
    NameResolution(String),
    /// Nothing listens.
    #[error("refused: nothing listens at {0}; are the server and the reverse proxy running?")]
    Refused(String),
    /// The handshake failed, usually because of the certificate.
    #[error("TLS: {0}; Twitch requires a certificate that browsers trust, with its whole chain")]
    Tls(String),
    /// The server probably speaks plain HTTP.
    #[error("TLS: what listens at {0} does not speak TLS; the reverse proxy must serve https there")]
    NoTls(String),
    /// A redirect, which Twitch does not follow.
    #[error("redirect: the callback answers {status} and redirects to {to}; Twitch follows no redirects")]
    Redirect {
        /// 300 to 399.
        status: u16,
        /// The `Location` header.
        to: String,
    },
    /// Another server answers, or the path is another.
    #[error("404: a server answers there, but has no such path; the proxy must pass on to showtime's /callback")]
    NotFound,
    /// The proxy asks for a password, or the path is another one of showtime.
    #[error(
        "401: the callback requires a password or a token, so it is not showtime's /callback; the proxy must pass requests \
         on to that without a password"
    )]
    Guarded,
    /// The server accepts the message only directly.
    #[error(
        "body changed on the way: the server takes the message directly, but not through the public address; the \
         proxy must pass on body and headers byte for byte"
    )]
    BodyChanged,
    /// The answer isn't the challenge.
    #[error("answer changed: it is 200, but not the challenge; another program answers, or a proxy changes answers")]
    AnswerChanged,
    /// The server does not accept the message directly either.
    #[error(
        "secret differs: the server refuses our signature (403); TWITCH_WEBHOOK_SECRET, or the data directory \
         (SHOWTIME_DATA_DIR), must be the same for both programs"
    )]
    SecretDiffers,
    /// One of the clocks is wrong.
    #[error("clock: the server finds the message too old (403); set the clocks of both machines")]
    Stale,
    /// There was no answer in time.
    #[error("too slow: no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    TooSlow,
    /// The proxy answers 502 to 504.
    #[error("the proxy answers {0}: it can't reach showtime behind it")]
    BadGateway(u16),
    /// Another failure, in words.
    #[error("other: {0}")]
    Other(String),
}

/// Sends a challenge to the callback. If it is refused, sends one to `direct` too (the same server, without a proxy), to find
/// out whether the proxy is the cause.
///
/// # Errors
/// [`ProbeError`]
pub async fn probe(
    callback: &Url,
    direct: Option<&Url>,
    secret: &WebhookSecret,
    clock: &Clock,
) -> Result<(), ProbeError> {
    let outcome = challenge(callback, secret, clock).await;
    match (&outcome, direct) {
        (Err(ProbeError::SecretDiffers), Some(direct)) if direct != callback => {
            match challenge(direct, secret, clock).await {
                Ok(()) => Err(ProbeError::BodyChanged),
                Err(_) => outcome,
            }
        }
        _ => outcome,
    }
}

async fn challenge(callback: &Url, secret: &WebhookSecret, clock: &Clock) -> Result<(), ProbeError> {
    resolve(callback).await?;
    let other = |reason: &str| ProbeError::Other(reason.to_owned());
    let kind = catalogue::find("stream.online", None).ok_or_else(|| other("the catalogue is empty"))?;
    let timestamp = clock.now().format(&Rfc3339).map_err(|error| other(&error.to_string()))?;
    let event = serde_json::json!({ "broadcaster_user_id": "0" });
    let subscription =
        Subscription::new(kind, &event, callback.as_str()).with_status("webhook_callback_verification_pending");
    let text = new_challenge();
    let message = Outgoing::challenge(Stamp::new(timestamp), &subscription, &text);
    let user_agent = concat!("showtime-init/", env!("CARGO_PKG_VERSION"));
    let client = http::client(ANSWER_TIMEOUT).no_proxy().user_agent(user_agent).build();
    let client = client.map_err(|error| other(&error.to_string()))?;
    let headers = message.headers(Some(&message.sign(secret)));
    let request = client.post(callback.clone()).body(message.body.clone());
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let mut response = request.send().await.map_err(|error| unanswered(callback, &error))?;
    let status = response.status();
    let location = response.headers().get(reqwest::header::LOCATION);
    let location = location.and_then(|to| to.to_str().ok()).unwrap_or("nowhere").to_owned();
    let body = read_body(&mut response, MAX_ANSWER).await.map_err(|error| unanswered(callback, &error))?;
    judge(status, location, &body, &text)
}

/// Apart from the call, so that a name without an address is distinguished from a server that does not listen.
async fn resolve(callback: &Url) -> Result<(), ProbeError> {
    let Some(Host::Domain(name)) = callback.host() else { return Ok(()) };
    let port = callback.port_or_known_default().unwrap_or(443);
    let unresolved = || ProbeError::NameResolution(name.to_owned());
    match timeout(ANSWER_TIMEOUT, tokio::net::lookup_host((name, port))).await {
        Ok(Ok(mut addresses)) => addresses.next().map(drop).ok_or_else(unresolved),
        Ok(Err(_)) | Err(_) => Err(unresolved()),
    }
}

fn judge(status: StatusCode, location: String, body: &[u8], challenge: &str) -> Result<(), ProbeError> {
    match status.as_u16() {
        200 if body == challenge.as_bytes() => Ok(()),
        200 => Err(ProbeError::AnswerChanged),
        status @ 300..=399 => Err(ProbeError::Redirect { status, to: location }),
        401 => Err(ProbeError::Guarded),
        404 => Err(ProbeError::NotFound),
        403 if body.windows(13).any(|window| window == b"stale-message") => Err(ProbeError::Stale),
        403 => Err(ProbeError::SecretDiffers),
        status @ 502..=504 => Err(ProbeError::BadGateway(status)),
        status => Err(ProbeError::Other(format!("the callback answers {status} instead of 200 with the challenge"))),
    }
}

fn unanswered(callback: &Url, error: &reqwest::Error) -> ProbeError {
    match Cause::of(error, callback) {
        Cause::TimedOut => ProbeError::TooSlow,
        Cause::NoTls(place) => ProbeError::NoTls(place),
        Cause::Tls(reason) => ProbeError::Tls(reason),
        Cause::Refused(place) => ProbeError::Refused(place),
        Cause::Proxy(reason) | Cause::Other(reason) => ProbeError::Other(reason),
    }
}
