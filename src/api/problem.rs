//! Errors as problem documents (RFC 9457): what a handler returns, and what a client then sees.
//! Handlers return [`Error`]; a database error becomes one by `?`. Nothing internal leaves: the
//! log has it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use actix_web::error::PathError;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::json;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::access::challenge;
use crate::access::Denial;
use crate::access::grant::Scope;
use crate::ingest::IngestError;
use crate::outputs::live::hub::SubscribeError;
use crate::outputs::live::reader::OpenError;
use crate::sources::body::BodyError;
use crate::sources::webhook::{HeaderProblem, WebhookError};
use crate::status::missing_migrations;
use crate::store;
use crate::twitch::eventsub::webhook::Refusal;

/// What a client is asked to wait when the database is away.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Why a request has no other answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is served at this path.
    #[error("nothing is served at `{0}`; /docs shows what is")]
    NoSuchPath(String),
    /// Something is, but not by this method.
    #[error("this path takes {}, not {method}", List(.allowed))]
    MethodNotAllowed {
        /// What was tried.
        method: Method,
        /// What works.
        allowed: Vec<Method>,
    },
    /// The path is right, but what it names isn't known.
    #[error("no {what} `{name}` is known")]
    NotFound {
        /// A channel, a broadcast, an event.
        what: &'static str,
        /// As in the path.
        name: String,
    },
    /// A part of the path can't be what it should be.
    #[error("the path names {0}")]
    InvalidPath(String),
    /// A parameter's value can't be what it should be.
    #[error("the parameter `{name}` is {reason}")]
    InvalidParameter {
        /// Its name.
        name: String,
        /// What it is, and what it should be.
        reason: String,
    },
    /// Parameters that mean nothing here.
    #[error("unknown parameter {}: {}", List(.names), Allowed(.allowed))]
    UnknownParameters {
        /// Theirs.
        names: Vec<String>,
        /// Those that there are.
        allowed: Vec<String>,
    },
    /// Nobody said who asks.
    #[error(
        "this wants an access token, as `Authorization: Bearer TOKEN`. The first is in the file `token` of the \
         server's data directory; `token create` makes more"
    )]
    TokenMissing,
    /// Somebody tried to.
    #[error("the header Authorization is there more than once, or is not of the form `Bearer TOKEN`")]
    TokenUnreadable,
    /// The token does not count.
    #[error(
        "the token is not known here: mistyped, revoked, of another server, or Twitch's for somebody whose channel is \
         not served. `token list` shows which there are"
    )]
    TokenUnknown,
    /// The token counts, but not for this.
    #[error(
        "the token's scope is {}, but this wants {needed}: `token create --name NAME --scope {needed}` \
         makes such a token", .held.as_str(), needed = .needed.as_str()
    )]
    ScopeTooSmall {
        /// The token's.
        held: Scope,
        /// What would do.
        needed: Scope,
    },
    /// Wrong tokens, again and again.
    #[error("too many wrong tokens came from this address: wait for {} s", seconds(*.0))]
    TooManyFailures(Duration),
    /// Whether a token of Twitch's counts is not known now.
    #[error("Twitch can't be asked about this token now; the request can be repeated")]
    TwitchUnavailable,
    /// The body isn't said to be JSON, but this, or nothing.
    #[error("the body must be JSON: send `Content-Type: application/json`{}", instead(.0.as_deref()))]
    UnsupportedMediaType(Option<String>),
    /// The body is no JSON object.
    #[error("the body can't be read as a JSON object: {0}")]
    InvalidBody(String),
    /// A field of the body can't be what it should be.
    #[error("the field `{name}` of the body can't be taken: {reason}")]
    InvalidField {
        /// Its path.
        name: String,
        /// What it is, and what it should be.
        reason: String,
    },
    /// A test event did not get into the log.
    #[error("the test event is not in the log: {0}")]
    Undelivered(String),
    /// The database is away, or slow.
    #[error("the database can't be reached or does not answer in time; the request can be repeated")]
    Unavailable(#[source] Option<sqlx::Error>),
    /// The server may not take traffic yet.
    #[error("{0}")]
    NotReady(String),
    /// The body can't be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The message is not accepted.
    #[error(transparent)]
    Callback(#[from] WebhookError),
    /// As many as there may be read the live feeds.
    #[error("{0}")]
    TooManyReaders(SubscribeError),
    /// It asks for a WebSocket, but not as RFC 6455 has it.
    #[error("this is no WebSocket handshake: {0}")]
    NotWebSocket(String),
    /// A bug.
    #[error("something went wrong here, and was logged")]
    Internal(#[source] sqlx::Error),
    /// A bug, in words for the log.
    #[error("something went wrong here, and was logged")]
    Broken(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if store::is_outage(&error) { Self::Unavailable(Some(error)) } else { Self::Internal(error) }
    }
}

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Unknown => Self::TokenUnknown,
            Denial::TooMany(wait) => Self::TooManyFailures(wait),
            // The table may be missing, since migrations may.
            Denial::Unavailable(error) => Self::Unavailable(Some(error)),
            Denial::TwitchUnavailable(error) => {
                let error = error.map_or_else(|| "no answer in time".to_owned(), |error| error.to_string());
                tracing::warn!(error, "a token of Twitch's can't be checked");
                Self::TwitchUnavailable
            }
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Subscribe(full @ SubscribeError::Full) => Self::TooManyReaders(full),
            OpenError::Subscribe(SubscribeError::NotReady) => Self::Unavailable(None),
            OpenError::Database(error) => error.into(),
        }
    }
}

impl From<IngestError> for Error {
    fn from(error: IngestError) -> Self {
        Self::Callback(error.into())
    }
}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        Self::InvalidPath(match error {
            PathError::Deserialize(error) => error.to_string(),
            error => error.to_string(),
        })
    }
}

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(description = "A problem document (RFC 9457).")]
pub struct Problem {
    /// What kind of problem it is. These never change; programs can rely on them.
    #[serde(rename = "type")]
    #[schema(format = "uri")]
    kind: &'static str,
    /// The kind in words, the same each time.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What happened this time, for a person.
    detail: String,
    /// The parameters that are wrong, if any are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    parameters: Vec<String>,
    /// The parameters that there are, if unknown ones were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    allowed_parameters: Option<Vec<String>>,
    /// The path of the field of the body that is wrong, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    field: Option<String>,
}

impl Error {
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoSuchPath(_) => (StatusCode::NOT_FOUND, "urn:showtime:problem:no-such-path", "No such path"),
            Self::MethodNotAllowed { .. } => {
                (StatusCode::METHOD_NOT_ALLOWED, "urn:showtime:problem:method-not-allowed", "Method not allowed")
            }
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "urn:showtime:problem:not-found", "Not found"),
            Self::InvalidPath(_) => (StatusCode::BAD_REQUEST, "urn:showtime:problem:invalid-path", "Invalid path"),
            Self::InvalidParameter { .. } => {
                (StatusCode::BAD_REQUEST, "urn:showtime:problem:invalid-parameter", "Invalid parameter")
            }
            Self::UnknownParameters { .. } => {
                (StatusCode::BAD_REQUEST, "urn:showtime:problem:unknown-parameter", "Unknown parameter")
            }
            Self::TokenMissing => {
                (StatusCode::UNAUTHORIZED, "urn:showtime:problem:token-missing", "Access token missing")
            }
            Self::TokenUnreadable | Self::TokenUnknown => {
                (StatusCode::UNAUTHORIZED, "urn:showtime:problem:token-invalid", "Access token invalid")
            }
            Self::ScopeTooSmall { .. } => {
                (StatusCode::FORBIDDEN, "urn:showtime:problem:scope-too-small", "Scope too small")
            }
            Self::TooManyFailures(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "urn:showtime:problem:too-many-failures", "Too many wrong tokens")
            }
            Self::TwitchUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "urn:showtime:problem:twitch-unavailable", "Twitch unavailable")
            }
            Self::UnsupportedMediaType(_) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "urn:showtime:problem:unsupported-media-type",
                "Unsupported media type",
            ),
            Self::InvalidBody(_) => (StatusCode::BAD_REQUEST, "urn:showtime:problem:invalid-body", "Invalid body"),
            Self::InvalidField { .. } => {
                (StatusCode::BAD_REQUEST, "urn:showtime:problem:invalid-field", "Invalid field")
            }
            Self::Undelivered(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "urn:showtime:problem:undelivered", "Not delivered")
            }
            Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "urn:showtime:problem:unavailable", "Temporarily unavailable")
            }
            Self::TooManyReaders(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "urn:showtime:problem:too-many-readers", "Too many readers")
            }
            Self::NotWebSocket(_) => {
                (StatusCode::BAD_REQUEST, "urn:showtime:problem:invalid-handshake", "Invalid handshake")
            }
            Self::NotReady(_) => (StatusCode::SERVICE_UNAVAILABLE, "urn:showtime:problem:not-ready", "Not ready"),
            Self::Body(error) => body_kind(error),
            Self::Callback(error) => callback_kind(error),
            Self::Internal(_) | Self::Broken(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "urn:showtime:problem:internal", "Internal error")
            }
        }
    }

    /// The document that a client sees.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (status, kind, title) = self.kind();
        let (parameters, allowed_parameters) = match self {
            Self::InvalidParameter { name, .. } => (vec![name.clone()], None),
            Self::UnknownParameters { names, allowed } => (names.clone(), Some(allowed.clone())),
            _ => (Vec::new(), None),
        };
        let field = match self {
            Self::InvalidField { name, .. } => Some(name.clone()),
            _ => None,
        };
        let (status, detail) = (status.as_u16(), self.to_string());
        Problem { kind, title, status, detail, parameters, allowed_parameters, field }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.kind().0
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Unavailable(Some(error)) => tracing::warn!(%error, "the database is away"),
            Self::Unavailable(None) => tracing::warn!("the database does not answer in time"),
            Self::Internal(error) => tracing::error!(%error, "a request failed"),
            Self::Broken(error) => tracing::error!(error, "a request failed"),
            Self::Undelivered(error) => tracing::warn!(error, "a test event did not arrive"),
            _ => {}
        }
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        if let Self::MethodNotAllowed { allowed, .. } = self {
            response.insert_header((header::ALLOW, List(allowed).to_string()));
        }
        if let Some(challenge) = challenge(self) {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Self::TooManyFailures(wait) = self {
            response.insert_header((header::RETRY_AFTER, seconds(*wait)));
        }
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
        }
        // Not `.json`, which would look for a JSON content type.
        response.body(serde_json::to_string(&self.problem()).unwrap_or_default())
    }
}

/// Rounded up.
fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// What every operation can answer: its parameters were wrong.
pub(super) struct BadRequest;

/// What every operation can answer that takes a body.
pub(super) struct BadBody;

/// What an operation can answer that names one thing.
pub(super) struct NotFound;

/// What every operation can answer that asks the database.
pub(super) struct ServerErrors;

impl IntoResponses for BadRequest {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = Error::UnknownParameters { names: vec!["color".into()], allowed: vec!["limit".into()] };
        [described("A parameter is unknown, doubled or malformed; `detail` says which.", &error)].into()
    }
}

impl IntoResponses for BadBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let field = Error::InvalidField { name: "title".into(), reason: "missing field `title`".into() };
        [
            described("A field or a parameter is unknown, missing or malformed; `detail` says which.", &field),
            described("The body did not arrive in time.", &BodyError::TooSlow.into()),
            described("The body is larger than 1 MiB.", &BodyError::TooLarge.into()),
            described("The body isn't said to be JSON.", &Error::UnsupportedMediaType(Some("text/plain".into()))),
        ]
        .into()
    }
}

impl IntoResponses for NotFound {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = Error::NotFound { what: "channel", name: "nobody".into() };
        [described("Nothing of that name is known.", &error)].into()
    }
}

impl IntoResponses for ServerErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [
            described("A bug; the server's log has the details.", &Error::Internal(sqlx::Error::RowNotFound)),
            described("The database is away; try again after `Retry-After` seconds.", &Error::Unavailable(None)),
        ]
        .into()
    }
}

fn body_kind(error: &BodyError) -> (StatusCode, &'static str, &'static str) {
    match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "urn:showtime:problem:body-too-large", "Body too large"),
        BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "urn:showtime:problem:body-too-slow", "Body too slow"),
        BodyError::Incomplete(_) => {
            (StatusCode::BAD_REQUEST, "urn:showtime:problem:body-incomplete", "Body incomplete")
        }
    }
}

fn callback_kind(error: &WebhookError) -> (StatusCode, &'static str, &'static str) {
    match error {
        WebhookError::Body(error) => body_kind(error),
        WebhookError::Header { .. } => {
            (StatusCode::BAD_REQUEST, "urn:showtime:problem:invalid-header", "Invalid header")
        }
        WebhookError::Unsigned(_) | WebhookError::Refused(Refusal::Forged) => {
            (StatusCode::FORBIDDEN, "urn:showtime:problem:bad-signature", "Bad signature")
        }
        WebhookError::Refused(Refusal::Stale(_)) => {
            (StatusCode::FORBIDDEN, "urn:showtime:problem:stale-message", "Stale message")
        }
        WebhookError::Refused(Refusal::NotUtf8 { .. }) | WebhookError::Decode(_) => {
            (StatusCode::BAD_REQUEST, "urn:showtime:problem:invalid-message", "Invalid message")
        }
        WebhookError::Ingest(IngestError::Rejected) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "urn:showtime:problem:internal", "Internal error")
        }
        WebhookError::Ingest(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "urn:showtime:problem:unavailable", "Temporarily unavailable")
        }
    }
}

/// What `POST /callback` answers to what it doesn't take.
pub(super) struct Callback;

impl IntoResponses for Callback {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let header = WebhookError::Header { name: "Twitch-Eventsub-Message-Id", problem: HeaderProblem::Missing };
        [
            described("A header is missing, doubled or malformed, or the signed body is no message.", &header.into()),
            described(
                "Not signed with the webhook secret, or not recent.",
                &WebhookError::from(Refusal::Forged).into(),
            ),
            described("The body did not arrive in time.", &BodyError::TooSlow.into()),
            described("The body is larger than 1 MiB.", &BodyError::TooLarge.into()),
            described("A bug; the server's log has the details.", &WebhookError::from(IngestError::Rejected).into()),
            described(
                "Not stored, or not known to be; Twitch sends it again.",
                &WebhookError::from(IngestError::Unavailable).into(),
            ),
        ]
        .into()
    }
}

/// What `/readyz` answers when it says no.
pub(super) struct NotReady;

impl IntoResponses for NotReady {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = Error::NotReady(missing_migrations(&[3]));
        [described("The database is away, or lacks migrations.", &error)].into()
    }
}

/// The description of an answer that an operation can give, with `error` as its example.
pub(super) fn described(description: &str, error: &Error) -> (String, RefOr<Response>) {
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).example(Some(json!(error.problem())));
    let response = ResponseBuilder::new().description(description).content("application/problem+json", content.build());
    (error.status_code().as_str().to_owned(), response.build().into())
}

fn instead(said: Option<&str>) -> String {
    said.map(|said| format!(", not `{}`", said.escape_default())).unwrap_or_default()
}

/// `a, b`.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// What there is, said in a sentence.
struct Allowed<'a>(&'a [String]);

impl fmt::Display for Allowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("this path takes none") } else { write!(f, "there is {}", List(self.0)) }
    }
}
