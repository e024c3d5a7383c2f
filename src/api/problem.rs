//! Problem documents (RFC 9457), the answers for an [`Error`]. They contain nothing internal; the log does.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error as ActixError, HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Error, List, seconds};
use super::problem_type::{ProblemType, urn};
use crate::ingest::IngestError;
use crate::media::MediaError;
use crate::sources::body::BodyError;
use crate::sources::webhook::WebhookError;
use crate::tracking::error::TrackingError;
use crate::twitch::eventsub::webhook::Refusal;

/// Seconds after which a client should try again when something is temporarily unavailable.
const RETRY_AFTER_SECONDS: u32 = 2;

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(description = "A problem document (RFC 9457).")]
pub(super) struct Problem {
    /// The type of the problem. Types never change; programs can rely on them.
    #[serde(rename = "type")]
    #[schema(value_type = ProblemType)]
    kind: &'static str,
    /// The type in words, always the same.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What happened this time, for a person.
    detail: String,
    /// The parameters that are wrong, if any are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    parameters: Vec<String>,
    /// The parameters that the path has, if unknown ones were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    allowed_parameters: Option<Vec<String>>,
    /// The path of the field of the body that is wrong, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    field: Option<String>,
    /// The same as `detail`, on paths below `/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    message: Option<String>,
}

impl Error {
    /// Status, type and title.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoSuchPath(_) => (StatusCode::NOT_FOUND, urn!("no-such-path"), "No such path"),
            Self::MethodNotAllowed { .. } | Self::CallbackTakesPost(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, urn!("method-not-allowed"), "Method not allowed")
            }
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, urn!("not-found"), "Not found"),
            Self::InvalidPath(_) => (StatusCode::BAD_REQUEST, urn!("invalid-path"), "Invalid path"),
            Self::InvalidParameter { .. } => (StatusCode::BAD_REQUEST, urn!("invalid-parameter"), "Invalid parameter"),
            Self::UnknownParameters { .. } => (StatusCode::BAD_REQUEST, urn!("unknown-parameter"), "Unknown parameter"),
            Self::TokenMissing | Self::BotTokenMissing => {
                (StatusCode::UNAUTHORIZED, urn!("token-missing"), "Access token missing")
            }
            Self::TokenUnreadable | Self::TokenUnknown | Self::BotTokenUnknown => {
                (StatusCode::UNAUTHORIZED, urn!("token-invalid"), "Access token invalid")
            }
            Self::BotSecretWrong => (StatusCode::UNAUTHORIZED, urn!("wrong-secret"), "Wrong name or secret"),
            Self::ScopeTooSmall { .. } => (StatusCode::FORBIDDEN, urn!("scope-too-small"), "Scope too small"),
            Self::TooManyFailures(_) => {
                (StatusCode::TOO_MANY_REQUESTS, urn!("too-many-failures"), "Too many wrong tokens")
            }
            Self::TwitchUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, urn!("twitch-unavailable"), "Twitch unavailable")
            }
            Self::UnsupportedMediaType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, urn!("unsupported-media-type"), "Unsupported media type")
            }
            Self::InvalidBody(_) => (StatusCode::BAD_REQUEST, urn!("invalid-body"), "Invalid body"),
            Self::InvalidField { .. } => (StatusCode::BAD_REQUEST, urn!("invalid-field"), "Invalid field"),
            Self::TokenExists(_) => (StatusCode::CONFLICT, urn!("token-exists"), "Token exists"),
            Self::BotExists(_) => (StatusCode::CONFLICT, urn!("bot-exists"), "Bot exists"),
            Self::SinkExists(_) => (StatusCode::CONFLICT, urn!("sink-exists"), "Sink exists"),
            Self::RuleExists(_) => (StatusCode::CONFLICT, urn!("rule-exists"), "Rule exists"),
            Self::SinkWithoutKey(_) => (StatusCode::CONFLICT, urn!("sink-without-key"), "Sink without a key"),
            Self::SinkFailed(_) => (StatusCode::BAD_GATEWAY, urn!("sink-failed"), "The sink's receiver failed"),
            Self::KeyReused(_) => (StatusCode::CONFLICT, urn!("key-reused"), "Key used for another action"),
            Self::WrongState(_) => (StatusCode::CONFLICT, urn!("wrong-state"), "Not possible in this state"),
            Self::NoApplication => (StatusCode::CONFLICT, urn!("no-application"), "No Twitch application"),
            Self::Tracking(error) => tracking_kind(error),
            Self::Undelivered(_) => (StatusCode::SERVICE_UNAVAILABLE, urn!("undelivered"), "Not delivered"),
            Self::Unavailable(_) | Self::Busy(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, urn!("unavailable"), "Temporarily unavailable")
            }
            Self::TooManyReaders(_) => (StatusCode::SERVICE_UNAVAILABLE, urn!("too-many-readers"), "Too many readers"),
            Self::NotWebSocket(_) => (StatusCode::BAD_REQUEST, urn!("invalid-handshake"), "Invalid handshake"),
            Self::NotReady(_) => (StatusCode::SERVICE_UNAVAILABLE, urn!("not-ready"), "Not ready"),
            Self::Body(error) => body_kind(error),
            Self::Media(error) => media_kind(error),
            Self::Callback(error) => callback_kind(error),
            Self::Internal(_) | Self::Broken(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, urn!("internal"), "Internal error")
            }
        }
    }

    /// The document that a client gets.
    pub(super) fn problem(&self) -> Problem {
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
        Problem { kind, title, status, detail, parameters, allowed_parameters, field, message: None }
    }

    /// The value of `WWW-Authenticate` (RFC 6750).
    fn challenge(&self) -> Option<String> {
        let realm = r#"Bearer realm="showtime""#;
        match self {
            Self::TokenMissing | Self::BotTokenMissing | Self::BotSecretWrong => Some(realm.to_owned()),
            Self::TokenUnreadable => Some(format!(r#"{realm}, error="invalid_request""#)),
            Self::TokenUnknown | Self::BotTokenUnknown => Some(format!(r#"{realm}, error="invalid_token""#)),
            Self::ScopeTooSmall { needed, .. } => {
                Some(format!(r#"{realm}, error="insufficient_scope", scope="{}""#, needed.as_str()))
            }
            _ => None,
        }
    }

    fn log(&self) {
        match self {
            Self::Unavailable(Some(error)) => tracing::warn!(%error, "the database is away"),
            Self::Unavailable(None) => tracing::warn!("the database does not answer in time"),
            Self::Internal(error) => tracing::error!(%error, "a request failed"),
            Self::Broken(error) => tracing::error!(error, "a request failed"),
            Self::Media(MediaError::Io(error)) => tracing::error!(%error, "the media folder can't be used"),
            Self::Undelivered(error) => tracing::warn!(error, "a test event did not arrive"),
            _ => {}
        }
    }
}

fn body_kind(error: &BodyError) -> (StatusCode, &'static str, &'static str) {
    match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, urn!("body-too-large"), "Body too large"),
        BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, urn!("body-too-slow"), "Body too slow"),
        BodyError::Crowded => (StatusCode::SERVICE_UNAVAILABLE, urn!("unavailable"), "Temporarily unavailable"),
        BodyError::Incomplete(_) => (StatusCode::BAD_REQUEST, urn!("body-incomplete"), "Body incomplete"),
    }
}

fn media_kind(error: &MediaError) -> (StatusCode, &'static str, &'static str) {
    match error {
        MediaError::TooLarge => body_kind(&BodyError::TooLarge),
        MediaError::TooSlow => body_kind(&BodyError::TooSlow),
        MediaError::Empty | MediaError::CutOff(_) => (StatusCode::BAD_REQUEST, urn!("invalid-body"), "Invalid body"),
        MediaError::Unknown(_) | MediaError::Misnamed { .. } => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, urn!("unsupported-media-type"), "Unsupported media type")
        }
        MediaError::TooMany => (StatusCode::CONFLICT, urn!("wrong-state"), "Not possible in this state"),
        MediaError::Io(_) => (StatusCode::INTERNAL_SERVER_ERROR, urn!("internal"), "Internal error"),
    }
}

fn tracking_kind(error: &TrackingError) -> (StatusCode, &'static str, &'static str) {
    use TrackingError as E;
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    let (status, title) = match error {
        E::UnknownChannel(_)
        | E::UnknownGuild(_)
        | E::UnknownDelivery(_)
        | E::NotTracked { .. }
        | E::UnknownStreamer(_) => (StatusCode::NOT_FOUND, "Not found"),
        E::NotUncertain(_) => (StatusCode::CONFLICT, "Not possible in this state"),
        E::WebhookMismatch { .. } => (StatusCode::CONFLICT, "The channel has another webhook"),
        E::WebhookInUse(_) => (StatusCode::CONFLICT, "The webhook is that of another channel"),
        E::TooManyTracks { .. } => (StatusCode::CONFLICT, "Too many tracks"),
        E::WebhookGone(_) => (unprocessable, "No such webhook"),
        E::WebhookElsewhere { .. } => (unprocessable, "The webhook posts elsewhere"),
        E::WebhookUnusable(_) => (unprocessable, "Not an incoming webhook"),
        E::TwitchNotConfigured(_) => (unprocessable, "No Twitch application"),
        E::Refused(_) => (unprocessable, "Discord refuses the message"),
        E::TooManyTests(_) => (StatusCode::TOO_MANY_REQUESTS, "Too many tests"),
        E::Discord(_) | E::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Discord unavailable"),
        E::Twitch(_) => (StatusCode::SERVICE_UNAVAILABLE, "Twitch unavailable"),
        E::InvalidSetting { .. } => (StatusCode::BAD_REQUEST, "Invalid field"),
        E::Secret(_) | E::Vault(_) | E::Database(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
    };
    (status, error.problem(), title)
}

fn callback_kind(error: &WebhookError) -> (StatusCode, &'static str, &'static str) {
    match error {
        WebhookError::Body(error) => body_kind(error),
        WebhookError::Header { .. } => (StatusCode::BAD_REQUEST, urn!("invalid-header"), "Invalid header"),
        WebhookError::Unsigned(_) | WebhookError::Refused(Refusal::Forged) => {
            (StatusCode::FORBIDDEN, urn!("bad-signature"), "Bad signature")
        }
        WebhookError::Refused(Refusal::Stale(_)) => (StatusCode::FORBIDDEN, urn!("stale-message"), "Stale message"),
        WebhookError::Refused(Refusal::NotUtf8 { .. }) | WebhookError::Decode(_) => {
            (StatusCode::BAD_REQUEST, urn!("invalid-message"), "Invalid message")
        }
        WebhookError::Ingest(IngestError::Rejected) => {
            (StatusCode::INTERNAL_SERVER_ERROR, urn!("internal"), "Internal error")
        }
        WebhookError::Ingest(_) => (StatusCode::SERVICE_UNAVAILABLE, urn!("unavailable"), "Temporarily unavailable"),
    }
}

/// Answers with a problem document where the framework would answer 500 in plain text, as for an answer that can't be
/// serialized.
pub(super) async fn problems_only<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, ActixError> {
    let response = next.call(req).await?;
    let is_problem = |response: &ServiceResponse<B>| {
        response.headers().get(header::CONTENT_TYPE).is_some_and(|it| it == "application/problem+json")
    };
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR || is_problem(&response) {
        return Ok(response.map_into_left_body());
    }
    let cause = response.response().error().map_or_else(|| "no reason given".to_owned(), ToString::to_string);
    let problem = Error::Broken(cause).error_response().map_into_right_body();
    Ok(ServiceResponse::new(response.into_parts().0, problem))
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.kind().0
    }

    fn error_response(&self) -> HttpResponse {
        self.log();
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        match self {
            Self::MethodNotAllowed { allowed, .. } => {
                response.insert_header((header::ALLOW, List(allowed).to_string()));
            }
            Self::CallbackTakesPost(_) => {
                response.insert_header((header::ALLOW, "POST"));
            }
            _ => {}
        }
        if let Some(challenge) = self.challenge() {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Self::TooManyFailures(wait) | Self::Tracking(TrackingError::TooManyTests(wait)) = self {
            response.insert_header((header::RETRY_AFTER, seconds(*wait)));
        }
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
        }
        // Not `.json`, which would look for a JSON content type.
        response.body(serde_json::to_string(&self.problem()).unwrap_or_default())
    }
}
