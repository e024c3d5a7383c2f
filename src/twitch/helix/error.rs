//! Why a call of Helix failed, in words for a person.

use time::OffsetDateTime;

use crate::http::TransportError;
use crate::twitch::oauth::OAuthError;

/// Part of Twitch's message about a WebSocket session that has ended: its status, 400, stands for other things, too.
const SESSION_ENDED: &str = "session does not exist";

/// Part of Twitch's message about one WebSocket session too many.
pub const SESSION_LIMIT_MESSAGE: &str = "websocket transports limit exceeded";

/// Why a call brought nothing. `call` completes the sentence "Twitch refused to …".
#[derive(Debug, thiserror::Error)]
pub enum HelixError {
    /// No usable answer.
    #[error("can't {call}: {error}")]
    Transport {
        /// What was tried.
        call: &'static str,
        /// Why there is no answer.
        error: TransportError,
    },
    /// There is no token to call with.
    #[error("can't get {token}: {error}")]
    Token {
        /// [`TokenSource::name`](crate::twitch::token_source::TokenSource::name).
        token: String,
        /// Why there is none.
        error: OAuthError,
    },
    /// Twitch refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The rate limit ends later than the longest wait.
    #[error("can't {call}: Twitch's rate limit is used up until {until}")]
    RateLimited {
        /// What was tried.
        call: &'static str,
        /// When calls are possible again.
        until: OffsetDateTime,
    },
    /// An answer that can't be parsed.
    #[error("can't {call}: Twitch's answer can't be read: {reason}")]
    Malformed {
        /// What was tried.
        call: &'static str,
        /// Where it is wrong.
        reason: String,
    },
}

impl HelixError {
    /// The kind of refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<RefusalKind> {
        match self {
            Self::Refused(refusal) => Some(refusal.kind),
            _ => None,
        }
    }

    /// What is known of the effect of a call that was to change something.
    #[must_use]
    pub fn certainty(&self) -> Certainty {
        match self {
            Self::Transport { error: TransportError::Unreachable { was_connected: false, .. }, .. }
            | Self::Transport { error: TransportError::Setup(_), .. }
            | Self::RateLimited { .. } => Certainty::NotDone,
            Self::Transport { error: TransportError::ServerError { status: 503, .. }, .. } => Certainty::Unavailable,
            Self::Transport { .. } | Self::Malformed { .. } => Certainty::Unknown,
            Self::Token { error, .. } if error.is_transient() => Certainty::NotDone,
            Self::Token { .. } => Certainty::Refused,
            Self::Refused(refusal) => match refusal.kind {
                RefusalKind::AlreadyExists | RefusalKind::LimitReached => Certainty::NotDone,
                _ => Certainty::Refused,
            },
        }
    }

    /// Whether the same call may work later by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::RateLimited { .. } => true,
            Self::Token { error, .. } => error.is_transient(),
            Self::Refused(_) | Self::Malformed { .. } => false,
        }
    }
}

/// What is known of the effect of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// It had none, and may work later: there was no connection or no token, a limit was reached, or another change was
    /// under way.
    NotDone,
    /// 503: Twitch advises [one retry](https://dev.twitch.tv/docs/api/guide/#twitch-api-errors).
    Unavailable,
    /// It had none, and never will: Twitch refused it.
    Refused,
    /// It may have had one: the answer was lost, is an error of the server, or can't be read.
    Unknown,
}

/// An answer that refuses a call.
#[derive(Debug, thiserror::Error)]
#[error("Twitch refused to {call}: {message} ({status}: {})", kind.meaning())]
pub struct Refusal {
    /// What was tried.
    pub call: &'static str,
    /// What it means.
    pub kind: RefusalKind,
    /// The HTTP status.
    pub status: u16,
    /// Twitch's own message.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(call: &'static str, status: u16, message: String) -> Self {
        let kind = match status {
            400 if message.contains(SESSION_ENDED) => RefusalKind::SessionEnded,
            400 => RefusalKind::BadRequest,
            401 => RefusalKind::TokenRefused,
            403 => RefusalKind::NoConsent,
            404 => RefusalKind::NotFound,
            409 => RefusalKind::AlreadyExists,
            410 => RefusalKind::Withdrawn,
            429 if message.contains(SESSION_LIMIT_MESSAGE) => RefusalKind::TooManySessions,
            429 => RefusalKind::LimitReached,
            _ => RefusalKind::Other,
        };
        Self { call, kind, status, message }
    }
}

/// What a refusal means, by its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// 400: a parameter is missing or wrong.
    BadRequest,
    /// 401, even with a new token.
    TokenRefused,
    /// 403: a user has not consented to what this needs.
    NoConsent,
    /// 404.
    NotFound,
    /// 400: there is no such WebSocket session, or no longer.
    SessionEnded,
    /// 409: the same type and condition at the same place; of a call that changes something, that another change is under way.
    AlreadyExists,
    /// 409: all places are taken.
    NoPlaceLeft,
    /// 410.
    Withdrawn,
    /// 429 that isn't about the rate of calls: too many subscriptions of a kind, or too costly.
    LimitReached,
    /// 429 that isn't about the rate of calls either: too many WebSocket sessions of this user.
    TooManySessions,
    /// Anything else.
    Other,
}

impl RefusalKind {
    fn meaning(self) -> &'static str {
        match self {
            Self::BadRequest => "Twitch does not take the request as it is; repeating it can't help",
            Self::TokenRefused => {
                "the access token was refused, a new one too: client id and secret must belong together"
            }
            Self::NoConsent => "the user has not granted this application a scope that it needs",
            Self::NotFound => "it does not exist, or no longer",
            Self::SessionEnded => "the WebSocket session has ended",
            Self::AlreadyExists => "the same type and condition is subscribed to at the same place already",
            Self::NoPlaceLeft => "all places are taken",
            Self::Withdrawn => "Twitch no longer offers this",
            Self::LimitReached => {
                "a limit on subscriptions, not on the rate of calls: waiting can't help, deleting some can"
            }
            Self::TooManySessions => {
                "Twitch counts more WebSocket sessions of this user than it allows: other programs may have some, and a \
                 dead one counts for about a minute"
            }
            Self::Other => "unexpected",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn certainty_tells_what_may_be_sent_again() {
        let host = || "api.twitch.tv".to_owned();
        let transport = |error| HelixError::Transport { call: "ban the user", error };
        let unreachable = |was_connected| {
            transport(TransportError::Unreachable { host: host(), reason: String::new(), was_connected })
        };
        let server = |status| transport(TransportError::ServerError { host: host(), status, message: String::new() });
        let refused = |status| HelixError::Refused(Refusal::new("ban the user", status, "no".to_owned()));
        let token = |error| HelixError::Token { token: "a token".to_owned(), error };
        for (error, certainty) in [
            (unreachable(false), Certainty::NotDone),
            (unreachable(true), Certainty::Unknown),
            (transport(TransportError::Timeout { host: host(), within: Duration::ZERO }), Certainty::Unknown),
            (server(500), Certainty::Unknown),
            (server(502), Certainty::Unknown),
            (server(503), Certainty::Unavailable),
            (HelixError::Malformed { call: "ban the user", reason: String::new() }, Certainty::Unknown),
            (token(OAuthError::NeedsConsent(String::new())), Certainty::Refused),
            (token(OAuthError::NotShared(String::new())), Certainty::NotDone),
            (refused(400), Certainty::Refused),
            (refused(401), Certainty::Refused),
            (refused(409), Certainty::NotDone),
            (refused(429), Certainty::NotDone),
        ] {
            assert_eq!(error.certainty(), certainty, "{error:?}");
        }
    }
}
