//! Statuses of calls that fail, with the type of the problem as `google.rpc.ErrorInfo` has it.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::store::is_outage;
use crate::tracking::authority::AuthError;
use crate::tracking::error::TrackingError;
use crate::tracking::feed::FeedError;

/// The domain of the reasons.
const DOMAIN: &str = "showtime";

/// A status with the type of a problem: the last part of its URN, in upper case, is the reason.
fn status(code: Code, problem: &str, message: impl Into<String>) -> Status {
    let reason = problem.rsplit(':').next().unwrap_or(problem).to_ascii_uppercase().replace('-', "_");
    let metadata = HashMap::from([("type".to_owned(), problem.to_owned())]);
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, metadata))
}

/// A field of the request is malformed.
pub(super) fn invalid(field: &str, reason: impl Display) -> Status {
    status(Code::InvalidArgument, "urn:showtime:problem:invalid-field", format!("invalid field `{field}`: {reason}"))
}

/// The call has no token.
pub(super) fn missing_token() -> Status {
    let message =
        "a token of IssueToken or `POST /v1/token` is required, as the metadata `authorization: Bearer TOKEN`";
    status(Code::Unauthenticated, "urn:showtime:problem:token-missing", message)
}

/// A bot gets no token, or is not admitted.
pub(super) fn refused_token(error: AuthError) -> Status {
    match error {
        AuthError::WrongSecret => status(Code::Unauthenticated, "urn:showtime:problem:wrong-secret", error.to_string()),
        AuthError::WrongToken => status(Code::Unauthenticated, "urn:showtime:problem:token-invalid", error.to_string()),
        AuthError::Busy => status(Code::Unavailable, "urn:showtime:problem:unavailable", error.to_string()),
        AuthError::Database(error) => database(&error),
        AuthError::Key(_) | AuthError::Sign(_) => internal(&error),
    }
}

/// Too many wrong secrets came from one address.
pub(super) fn too_many_failures(wait: Duration) -> Status {
    let message = format!("too many wrong secrets came from this address; wait for {} s", wait.as_secs() + 1);
    status(Code::ResourceExhausted, "urn:showtime:problem:too-many-failures", message)
}

/// What a bot asks for can't be.
pub(super) fn refused(error: TrackingError) -> Status {
    use TrackingError as E;
    let code = match &error {
        E::UnknownChannel(_)
        | E::UnknownGuild(_)
        | E::UnknownDelivery(_)
        | E::NotTracked { .. }
        | E::UnknownStreamer(_) => Code::NotFound,
        E::NotUncertain(_)
        | E::WebhookMismatch { .. }
        | E::WebhookInUse(_)
        | E::WebhookGone(_)
        | E::WebhookElsewhere { .. }
        | E::WebhookUnusable(_)
        | E::Refused(_)
        | E::TwitchNotConfigured(_) => Code::FailedPrecondition,
        E::InvalidSetting { field, reason } => return invalid(&format!("settings_json.{field}"), reason),
        E::TooManyTracks { .. } | E::TooManyTests(_) => Code::ResourceExhausted,
        E::Discord(_) | E::Busy | E::Twitch(_) => Code::Unavailable,
        E::Database(error) => return database(error),
        E::Secret(_) | E::Vault(_) => return internal(&error),
    };
    status(code, error.problem(), error.to_string())
}

/// The type of a problem, and the problem in words.
pub(super) fn problem(error: TrackingError) -> (String, String) {
    let kind = error.problem().to_owned();
    (kind, refused(error).message().to_owned())
}

/// Events can't be followed.
pub(super) fn ended(error: FeedError) -> Status {
    match error {
        FeedError::Full => status(Code::ResourceExhausted, "urn:showtime:problem:too-many-readers", error.to_string()),
        FeedError::NotReady | FeedError::Stopping => {
            status(Code::Unavailable, "urn:showtime:problem:unavailable", error.to_string())
        }
        FeedError::Database(error) => database(&error),
    }
}

fn database(error: &sqlx::Error) -> Status {
    if !is_outage(error) {
        return internal(error);
    }
    tracing::warn!(%error, "the database is away");
    let message = "the database can't be reached or does not answer in time; try again later";
    status(Code::Unavailable, "urn:showtime:problem:unavailable", message)
}

fn internal(error: &dyn Display) -> Status {
    tracing::error!(%error, "a call failed");
    status(Code::Internal, "urn:showtime:problem:internal", "something went wrong here, and was logged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discord::snowflake::Snowflake;

    #[test]
    fn status_has_the_type_of_the_problem() {
        let status = refused(TrackingError::WebhookGone(Snowflake(1)));
        assert_eq!(status.code(), Code::FailedPrecondition);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("WEBHOOK_GONE", "showtime"));
        assert_eq!(info.metadata["type"], "urn:showtime:problem:webhook-gone");
    }

    #[test]
    fn database_error_shows_nothing_internal() {
        let status = refused(TrackingError::Database(sqlx::Error::RowNotFound));
        assert_eq!((status.code(), status.message()), (Code::Internal, "something went wrong here, and was logged"));
    }
}
