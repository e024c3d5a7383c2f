//! Responses that many operations share, for the specification.

use std::collections::BTreeMap;

use actix_web::ResponseError as _;
use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::error::Error;
use crate::ingest::IngestError;
use crate::outputs::reactions::service::ActionError;
use crate::sources::body::BodyError;
use crate::sources::webhook::{HeaderProblem, WebhookError};
use crate::status::missing_migrations;
use crate::store::actions::ActionState;
use crate::twitch::eventsub::webhook::Refusal;

/// The description of a refusal, with `error` as its example.
pub(super) fn described(description: &str, error: &Error) -> (String, RefOr<Response>) {
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).example(Some(json!(error.problem())));
    let response = ResponseBuilder::new().description(description).content("application/problem+json", content.build());
    (error.status_code().as_str().to_owned(), response.build().into())
}

/// Refusals of every operation: its parameters are wrong.
pub(super) struct BadRequest;

impl IntoResponses for BadRequest {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = Error::UnknownParameters { names: vec!["color".into()], allowed: vec!["limit".into()] };
        [described("A parameter is unknown, repeated or malformed; `detail` names it.", &error)].into()
    }
}

/// Refusals of operations that take a body.
pub(super) struct BadBody;

impl IntoResponses for BadBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let field = Error::InvalidField { name: "title".into(), reason: "missing field `title`".into() };
        [
            described("A field or a parameter is unknown, missing or malformed; `detail` names it.", &field),
            described("The body did not arrive in time.", &BodyError::TooSlow.into()),
            described("The body is larger than 1 MiB.", &BodyError::TooLarge.into()),
            described(
                "The content type is not `application/json`.",
                &Error::UnsupportedMediaType(Some("text/plain".into())),
            ),
        ]
        .into()
    }
}

/// The refusal of operations that name one thing in their path.
pub(super) struct NotFound;

impl IntoResponses for NotFound {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = Error::NotFound { what: "channel", name: "twitchdev".into() };
        [described("Nothing has this name or id.", &error)].into()
    }
}

/// The refusal of a token whose name is taken.
pub(super) struct TokenExists;

impl IntoResponses for TokenExists {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [described("There is a token of this name.", &Error::TokenExists("overlay-1".into()))].into()
    }
}

/// The refusal of a bot whose name is taken.
pub(super) struct BotExists;

impl IntoResponses for BotExists {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [described("There is a bot of this name.", &Error::BotExists("tatsu".into()))].into()
    }
}

/// The refusal of a sink whose name is taken.
pub(super) struct SinkExists;

impl IntoResponses for SinkExists {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [described("There is a sink of this name.", &Error::SinkExists("audit".into()))].into()
    }
}

/// The refusal of a rule whose name is taken.
pub(super) struct RuleExists;

impl IntoResponses for RuleExists {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [described("There is a rule of this name.", &Error::RuleExists("title".into()))].into()
    }
}

/// The refusal to rotate what a sink has not got.
pub(super) struct SinkWithoutKey;

impl IntoResponses for SinkWithoutKey {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [described("The sink is no webhook.", &Error::SinkWithoutKey("amqp".into()))].into()
    }
}

/// The refusal of a test message.
pub(super) struct SinkFailed;

impl IntoResponses for SinkFailed {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = Error::SinkFailed("the broker at 127.0.0.1:5672 can't be reached: start it".into());
        [described("The receiver has not got the message; `detail` says what to do.", &error)].into()
    }
}

/// Refusals of an action.
pub(super) struct ActionKeyReused;

impl IntoResponses for ActionKeyReused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = ActionError::KeyReused("7f9c24e8".into());
        [described(
            "The key was used for another action, or no Twitch application is configured.",
            &Error::KeyReused(error.to_string()),
        )]
        .into()
    }
}

/// The refusal of a change of an action.
pub(super) struct ActionConflict;

impl IntoResponses for ActionConflict {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let reason = "only one that is uncertain can be settled";
        let error = ActionError::WrongState { state: ActionState::Done, reason };
        [described("The action is in another state.", &Error::WrongState(error.to_string()))].into()
    }
}

/// The refusal of what only an application can ask.
pub(super) struct WithoutApplication;

impl IntoResponses for WithoutApplication {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [described("No Twitch application is configured.", &Error::NoApplication)].into()
    }
}

/// Refusals of every operation that asks the database.
pub(super) struct ServerErrors;

impl IntoResponses for ServerErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [
            described("A bug; the server's log has the details.", &Error::Internal(sqlx::Error::RowNotFound)),
            described("The database is away; try again after `Retry-After` seconds.", &Error::Unavailable(None)),
        ]
        .into()
    }
}

/// Refusals of `POST /callback`.
pub(super) struct Callback;

impl IntoResponses for Callback {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let header = WebhookError::Header { name: "Twitch-Eventsub-Message-Id", problem: HeaderProblem::Missing };
        let forged = WebhookError::from(Refusal::Forged);
        [
            described("A header is missing, repeated or malformed, or the signed body is no message.", &header.into()),
            described("The signature is wrong, or the message is older than ten minutes.", &forged.into()),
            described("The body did not arrive in time.", &BodyError::TooSlow.into()),
            described("The body is larger than 1 MiB.", &BodyError::TooLarge.into()),
            described("A bug; the server's log has the details.", &IngestError::Rejected.into()),
            described(
                "The message is not stored, or it is unknown whether it is; Twitch sends it again.",
                &IngestError::Unavailable.into(),
            ),
        ]
        .into()
    }
}

/// The refusal of `/readyz`.
pub(super) struct NotReady;

impl IntoResponses for NotReady {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = Error::NotReady(missing_migrations(&[3]));
        [described("The database is away, lacks migrations, or can't be written to.", &error)].into()
    }
}

/// Refusals of `POST /v1/token`.
pub(super) struct WrongSecret;

impl IntoResponses for WrongSecret {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [
            described("There is no bot of this name, or its secret is another one.", &Error::BotSecretWrong),
            described(
                "Too many wrong secrets came from the same address; wait for `Retry-After` seconds.",
                &Error::TooManyFailures(std::time::Duration::from_secs(1)),
            ),
        ]
        .into()
    }
}
