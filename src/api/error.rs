//! Errors of the API: what a handler returns in place of an answer. A database error becomes one by `?`.

use std::fmt;
use std::time::Duration;

use actix_web::error::PathError;
use actix_web::http::Method;

use crate::access::Denial;
use crate::access::grant::Scope;
use crate::ingest::IngestError;
use crate::media::MediaError;
use crate::outputs::live::hub::SubscribeError;
use crate::outputs::live::reader::OpenError;
use crate::sources::body::BodyError;
use crate::sources::webhook::WebhookError;
use crate::store;
use crate::tracking::authority::AuthError;
use crate::tracking::error::TrackingError;
use crate::tracking::feed::FeedError;

/// Why a request fails. The texts are shown to the client; a source is for the log alone.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// No route has this path.
    #[error("nothing is served at `{0}`; /docs lists all paths")]
    NoSuchPath(String),
    /// The path is served, but not by this method.
    #[error("{method} is not allowed here; allowed: {}", List(.allowed))]
    MethodNotAllowed {
        /// The request's.
        method: Method,
        /// The methods of this path.
        allowed: Vec<Method>,
    },
    /// The callback, opened in a browser.
    #[error("the callback can be reached; Twitch sends its messages here by POST, and there is nothing to see by {0}")]
    CallbackTakesPost(Method),
    /// The path is right, but what it names isn't known.
    #[error("no {what} `{name}` is known")]
    NotFound {
        /// `channel`, `broadcast`, `event`, …
        what: &'static str,
        /// The name or id in the path.
        name: String,
    },
    /// A part of the path is malformed.
    #[error("invalid path: {0}")]
    InvalidPath(String),
    /// A parameter is malformed.
    #[error("invalid parameter `{name}`: {reason}")]
    InvalidParameter {
        /// Of the parameter.
        name: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// Parameters that this path does not have.
    #[error("unknown parameter `{}`; {}", names.join("`, `"), Allowed(.allowed))]
    UnknownParameters {
        /// The unknown ones.
        names: Vec<String>,
        /// Those that the path has.
        allowed: Vec<String>,
    },
    /// The request has no token.
    #[error(
        "an access token is required, as `Authorization: Bearer TOKEN`. The first is in the file `token` of the \
         server's data directory; `token create` makes more"
    )]
    TokenMissing,
    /// The header holds no token.
    #[error("the header Authorization is given more than once, or is not of the form `Bearer TOKEN`")]
    TokenUnreadable,
    /// No such token, or one of Twitch's that does not count here.
    #[error(
        "unknown token: mistyped, revoked, of another server, or a Twitch token of a user whose channel is not served. \
         `token list` shows all tokens"
    )]
    TokenUnknown,
    /// The token is valid, but not for this.
    #[error(
        "the token's scope is {}, but {needed} is required: `token create --name NAME --scope {needed}` makes such a \
         token", .held.as_str(), needed = .needed.as_str()
    )]
    ScopeTooSmall {
        /// The token's scope.
        held: Scope,
        /// The smallest scope that is allowed.
        needed: Scope,
    },
    /// A request of a bot has no token.
    #[error("a token of `POST /v1/token` is required, as `Authorization: Bearer TOKEN`")]
    BotTokenMissing,
    /// Not a token of a bot, or one that is no longer valid.
    #[error(
        "the token is wrong, has expired, or is of a secret that was rotated: get another one from `POST /v1/token`"
    )]
    BotTokenUnknown,
    /// No bot of this name, or another secret.
    #[error(
        "the name or the secret is wrong; `server bot list` shows the bots, `server bot rotate NAME` makes another secret"
    )]
    BotSecretWrong,
    /// Too much is being done at once.
    #[error("{0}; try again later")]
    Busy(String),
    /// Too many wrong tokens from one address.
    #[error("too many wrong tokens came from this address; wait for {} s", seconds(*.0))]
    TooManyFailures(Duration),
    /// Twitch does not answer.
    #[error("Twitch can't be asked now; try again later")]
    TwitchUnavailable,
    /// The content type is this, or missing.
    #[error("the body must be JSON: send `Content-Type: application/json`{}", instead(.0.as_deref()))]
    UnsupportedMediaType(Option<String>),
    /// The body is no JSON object.
    #[error("the body can't be read as a JSON object: {0}")]
    InvalidBody(String),
    /// A field of the body is unknown, missing or malformed.
    #[error("invalid field `{name}`: {reason}")]
    InvalidField {
        /// The field's path.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is a token of this name.
    #[error("there is a token named `{0}` already: choose another name, or revoke it first")]
    TokenExists(String),
    /// There is a bot of this name.
    #[error("there is a bot named `{0}` already: choose another name, or rotate its secret")]
    BotExists(String),
    /// There is a sink of this name.
    #[error("there is a sink named `{0}` already: choose another name, or remove it first")]
    SinkExists(String),
    /// There is a rule of this name.
    #[error("there is a rule named `{0}` already: choose another name, or replace it")]
    RuleExists(String),
    /// Only webhooks have keys.
    #[error("the sink `{0}` is for RabbitMQ, which has no key: name a webhook")]
    SinkWithoutKey(String),
    /// The receiver of a sink has not got the test message.
    #[error("{0}")]
    SinkFailed(String),
    /// The key of an action was used for another one.
    #[error("{0}")]
    KeyReused(String),
    /// An action is in a state in which that can't be done.
    #[error("{0}")]
    WrongState(String),
    /// Nothing can be done on Twitch.
    #[error(
        "no Twitch application is configured, so nothing can be done on Twitch: set TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET"
    )]
    NoApplication,
    /// A bot asks for what can't be.
    #[error(transparent)]
    Tracking(TrackingError),
    /// A test event did not get into the log.
    #[error("the test event is not in the log: {0}")]
    Undelivered(String),
    /// The database is away, or slow.
    #[error("the database can't be reached or does not answer in time; try again later")]
    Unavailable(#[source] Option<sqlx::Error>),
    /// The server may not take traffic yet.
    #[error("{0}")]
    NotReady(String),
    /// The body can't be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A file for overlays is not taken.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The callback refuses a message.
    #[error(transparent)]
    Callback(#[from] WebhookError),
    /// All places for readers of the live feeds are taken.
    #[error("{0}")]
    TooManyReaders(String),
    /// A request to upgrade that RFC 6455 does not allow.
    #[error("invalid WebSocket handshake: {0}")]
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

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::WrongSecret => Self::BotSecretWrong,
            AuthError::WrongToken => Self::BotTokenUnknown,
            AuthError::Busy => Self::Busy(error.to_string()),
            AuthError::Key(_) | AuthError::Sign(_) => Self::Broken(error.to_string()),
            AuthError::Database(error) => error.into(),
        }
    }
}

impl From<TrackingError> for Error {
    fn from(error: TrackingError) -> Self {
        match error {
            TrackingError::Database(error) => error.into(),
            TrackingError::InvalidSetting { field: name, reason } => Self::InvalidField { name, reason },
            TrackingError::Secret(_) | TrackingError::Vault(_) => Self::Broken(error.to_string()),
            error => Self::Tracking(error),
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Subscribe(full @ SubscribeError::Full(..)) => Self::TooManyReaders(full.to_string()),
            OpenError::Subscribe(SubscribeError::NotReady) => Self::Unavailable(None),
            OpenError::Database(error) => error.into(),
        }
    }
}

impl From<FeedError> for Error {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Full => Self::TooManyReaders(error.to_string()),
            FeedError::NotReady | FeedError::Stopping => Self::Unavailable(None),
            FeedError::Database(error) => error.into(),
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

/// Whole seconds, rounded up.
pub(super) fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn instead(given: Option<&str>) -> String {
    given.map(|given| format!(", not `{}`", given.escape_default())).unwrap_or_default()
}

/// `a, b`.
pub(super) struct List<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The parameters of a path, for an error message.
struct Allowed<'a>(&'a [String]);

impl fmt::Display for Allowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("this path has none") } else { write!(f, "allowed: {}", List(self.0)) }
    }
}
