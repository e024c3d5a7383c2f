//! What a call that did not succeed says about its effect.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Answer, TransportError};

/// The longest part of Discord's message that is kept, in characters.
const MAX_MESSAGE: usize = 200;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum DiscordError {
    /// Nothing was sent.
    #[error("{0}")]
    NotSent(TransportError),
    /// The request was sent, and its answer is lost or says nothing about what was done.
    #[error("{0}")]
    Lost(TransportError),
    /// Too many requests: nothing was done.
    #[error(transparent)]
    Limited(Limited),
    /// Discord refuses it: nothing was done.
    #[error(transparent)]
    Refused(Refusal),
}

impl From<TransportError> for DiscordError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Unreachable { was_connected: false, .. } | TransportError::Setup(_) => Self::NotSent(error),
            error => Self::Lost(error),
        }
    }
}

impl DiscordError {
    /// How long to wait before the next request on this webhook.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Limited(Limited { wait, scope: LimitScope::Webhook | LimitScope::Shared }) => Some(*wait),
            _ => None,
        }
    }

    /// Whether it refuses the name that a message was to have.
    #[must_use]
    pub const fn is_of_name(&self) -> bool {
        matches!(self, Self::Refused(Refusal { is_of_name: true, .. }))
    }

    /// Whether it says something of the address that calls: that it met a limit, or came closer to a ban.
    #[must_use]
    pub fn is_of_address(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Lost(_) => false,
            Self::Limited(limited) => limited.scope != LimitScope::Shared,
            Self::Refused(refusal) => refusal.is_invalid(),
        }
    }
}

/// What too many requests were made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitScope {
    /// This webhook.
    Webhook,
    /// The channel or server, which others write to as well; Discord does not count such an answer as invalid.
    Shared,
    /// The address that calls.
    Global,
    /// The address that calls is banned for a time that is not said.
    Banned,
}

/// An answer with the status 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Discord wants no request for {} s", .wait.as_secs_f32().ceil())]
pub struct Limited {
    /// How long to wait.
    pub wait: Duration,
    /// Before which requests.
    pub scope: LimitScope,
}

/// An answer that refuses a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Discord refuses it: {message} ({status}{})", .code.map(|code| format!(", code {code}")).unwrap_or_default())]
pub struct Refusal {
    /// 300 to 499.
    pub status: u16,
    /// Of Discord's [list](https://docs.discord.com/developers/topics/opcodes-and-status-codes); `None` if the answer is not
    /// Discord's JSON.
    pub code: Option<u64>,
    /// In Discord's words.
    pub message: String,
    /// Whether it is about the name that a message was to have.
    pub is_of_name: bool,
}

impl Refusal {
    pub(super) fn new(answer: &Answer) -> Self {
        #[derive(Deserialize)]
        struct Body {
            code: Option<u64>,
            #[serde(default)]
            errors: Value,
        }
        let body = serde_json::from_slice::<Body>(&answer.body).ok();
        let is_of_name = body.as_ref().is_some_and(|body| body.errors.get("username").is_some());
        let message = answer.message().chars().take(MAX_MESSAGE).collect();
        Self { status: answer.status.as_u16(), code: body.and_then(|body| body.code), message, is_of_name }
    }

    /// Whether the webhook was deleted, or never had this token.
    #[must_use]
    pub fn is_webhook_gone(&self) -> bool {
        matches!((self.status, self.code), (404, Some(10_015)) | (401, Some(50_027)))
    }

    /// Whether the message was deleted.
    #[must_use]
    pub fn is_message_gone(&self) -> bool {
        (self.status, self.code) == (404, Some(10_008))
    }

    /// Whether the thread of a message is not there, archived or locked.
    #[must_use]
    pub fn is_thread_closed(&self) -> bool {
        matches!(self.code, Some(10_003 | 50_083 | 160_005))
    }

    /// What a bot's settings have to do with it, if they do
    /// (<https://docs.discord.com/developers/topics/opcodes-and-status-codes#json>).
    fn advice(&self) -> Option<&'static str> {
        Some(match self.code? {
            10_003 => "the thread does not exist in this channel",
            10_087 => "the forum has no such tag as `forum.tags` names",
            40_067 => "the forum wants a tag: set `forum.tags`",
            50_083 => "the thread is archived",
            160_005 => "the thread is locked",
            160_006 => "the channel has as many active threads as it may",
            220_001 => "the channel is a forum: set `forum` or `thread_id`",
            220_002 => "`forum` and `thread_id` exclude each other",
            220_003 => "the channel is not a forum, so `forum` can't be set",
            220_004 => "this webhook can't post in a forum",
            _ => return None,
        })
    }

    /// What is wrong, with what a bot's settings have to do with it.
    #[must_use]
    pub fn explained(&self) -> String {
        self.advice().map_or_else(|| self.to_string(), |advice| format!("{advice}: {self}"))
    }

    /// Whether another answer may come later: the edge of Discord said it, and not Discord.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self.status {
            404 => self.code.is_none(),
            401 => self.code.is_none_or(|code| code == 0),
            403 => self.code.is_none_or(|code| code == 0 || code == 40_333),
            _ => false,
        }
    }

    /// Whether Discord counts it towards the ban of the address.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        matches!(self.status, 401 | 403)
    }
}
