//! The close codes of [Twitch's](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#close-message).

use actix_http::ws::{CloseCode, CloseReason};
use serde::Deserialize;
use strum::{EnumIter, IntoEnumIterator as _};

use crate::twitch::subscription_status::SubscriptionStatus;

/// Why a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter)]
#[repr(u16)]
pub(in crate::mock) enum Close {
    Normal = 1000,
    InternalError = 4000,
    InboundTraffic = 4001,
    FailedPingPong = 4002,
    Unused = 4003,
    GraceExpired = 4004,
    NetworkTimeout = 4005,
    NetworkError = 4006,
    InvalidReconnect = 4007,
}

/// A code that Twitch does not close with.
#[derive(Debug, thiserror::Error)]
#[error("there is no close code {0}; there are: 1000, 4000 to 4007, and \"abort\"")]
pub(in crate::mock) struct UnknownCode(String);

impl Close {
    /// What is said beside the code.
    fn words(self) -> &'static str {
        match self {
            Self::Normal => "client disconnected",
            Self::InternalError => "internal server error",
            Self::InboundTraffic => "sent inbound traffic",
            Self::FailedPingPong => "failed ping pong",
            Self::Unused => "connection unused",
            Self::GraceExpired => "client reconnect grace time expired",
            Self::NetworkTimeout => "network timeout",
            Self::NetworkError => "network error",
            Self::InvalidReconnect => "invalid reconnect attempt",
        }
    }

    pub(super) fn reason(self) -> CloseReason {
        CloseReason { code: CloseCode::from(self as u16), description: Some(self.words().to_owned()) }
    }

    /// The status of the session's subscriptions afterwards.
    pub(super) fn status(self) -> SubscriptionStatus {
        use SubscriptionStatus as S;
        match self {
            Self::Normal | Self::InvalidReconnect => S::WebsocketDisconnected,
            Self::InternalError => S::WebsocketInternalError,
            Self::InboundTraffic => S::WebsocketReceivedInboundTraffic,
            Self::FailedPingPong => S::WebsocketFailedPingPong,
            Self::Unused => S::WebsocketConnectionUnused,
            Self::GraceExpired => S::WebsocketFailedToReconnect,
            Self::NetworkTimeout => S::WebsocketNetworkTimeout,
            Self::NetworkError => S::WebsocketNetworkError,
        }
    }
}

impl TryFrom<u16> for Close {
    type Error = UnknownCode;

    fn try_from(code: u16) -> Result<Self, UnknownCode> {
        Self::iter().find(|close| *close as u16 == code).ok_or_else(|| UnknownCode(code.to_string()))
    }
}

/// How the control API ends a socket: a code, or `"abort"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Ending {
    Code(u16),
    Word(String),
}

impl Ending {
    /// The code; `None` for a reset of the connection.
    pub(super) fn close(self) -> Result<Option<Close>, UnknownCode> {
        match self {
            Self::Code(code) => code.try_into().map(Some),
            Self::Word(word) if word == "abort" => Ok(None),
            Self::Word(word) => Err(UnknownCode(word)),
        }
    }
}
