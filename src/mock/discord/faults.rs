//! Faults on purpose: a chance and a countdown for each kind. Chances are drawn from a seeded generator: the same seed and
//! the same order of calls give the same faults.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use strum::{Display, EnumIter, EnumString};

use super::answer::{Answer, Refusal};
use super::form::FormErrors;
use super::limits::{Scope, rate_limited};
use crate::mock::chances::is_chance;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, Display, EnumIter, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DiscordFault {
    /// The call is late by [`DiscordFaults::delay_ms`].
    Delay,
    /// The connection is closed, without an effect.
    ResetBefore,
    /// No answer comes for [`DiscordFaults::hang_ms`], and there is no effect.
    HangBefore,
    /// [`DiscordFaults::error_status`], without an effect.
    ErrorBefore,
    /// 502 with a page of the proxy in front of Discord, without an effect.
    BadGateway,
    /// 503 with the code 130000, without an effect.
    Overloaded,
    /// 429 with scope `user`.
    RateLimited,
    /// 429 with scope `global`.
    RateLimitedGlobally,
    /// 429 with the code 20028 and scope `shared`: the channel is written to too often.
    ChannelWriteLimit,
    /// 429 with the code 20029 and scope `shared`: the server is written to too often.
    ServerWriteLimit,
    /// 429 with the code 40062 and scope `shared`: the resource is rate limited.
    ResourceRateLimit,
    /// 429 with a page instead of JSON.
    RateLimitedWithoutJson,
    /// 403 with the code 50013: permissions are missing.
    Forbidden,
    /// 403 with the code 40333: the edge refuses the client.
    BlockedByEdge,
    /// 400 with the code 200000: auto moderation refuses the message.
    AutoModeration,
    /// 400 with the code 240000: the message has a harmful link.
    HarmfulLink,
    /// 400 with the code 160006: the channel has too many threads.
    TooManyThreads,
    /// 400 with the code 50035: the name of the message is refused.
    NameRefused,
    /// 404 with a page instead of JSON, without an effect.
    NotFoundWithoutJson,
    /// The connection is closed after the effect.
    ResetAfter,
    /// No answer comes for [`DiscordFaults::hang_ms`] after the effect.
    HangAfter,
    /// [`DiscordFaults::error_status`] after the effect.
    ErrorAfter,
    /// The answer breaks off after the effect.
    Truncated,
}

impl DiscordFault {
    pub(super) fn is_after_the_effect(self) -> bool {
        matches!(self, Self::ResetAfter | Self::HangAfter | Self::ErrorAfter | Self::Truncated)
    }

    /// The answer instead of the call's own. `None` for those that take the answer away.
    pub(super) fn answer(self, faults: &DiscordFaults, version: u32) -> Option<Answer> {
        let wait = Duration::from_millis(faults.retry_after_ms);
        let limited = |scope, code| rate_limited(wait, scope, code, version);
        Some(match self {
            Self::Delay
            | Self::ResetBefore
            | Self::HangBefore
            | Self::ResetAfter
            | Self::HangAfter
            | Self::Truncated => {
                return None;
            }
            Self::ErrorBefore | Self::ErrorAfter => {
                let status = faults.error_status;
                let body = json!({ "message": format!("{status}: Internal Server Error"), "code": 0 });
                Answer::json(status, body)
            }
            Self::BadGateway => Answer::html(502, "<html><head><title>502 Bad Gateway</title></head></html>"),
            Self::RateLimitedWithoutJson => Answer::html(429, "<html><title>Access denied</title></html>"),
            Self::NotFoundWithoutJson => Answer::html(404, "<html><title>404 Not Found</title></html>"),
            Self::Overloaded => {
                let message = "API resource is currently overloaded. Try again a little later";
                Refusal::new(503, 130_000, message).0
            }
            Self::RateLimited => limited(Scope::User, None),
            Self::RateLimitedGlobally => limited(Scope::Global, None),
            Self::ChannelWriteLimit => limited(
                Scope::Shared,
                Some((20_028, "The write action you are performing on the channel has hit the write rate limit.")),
            ),
            Self::ServerWriteLimit => limited(
                Scope::Shared,
                Some((20_029, "The write action you are performing on the server has hit the write rate limit.")),
            ),
            Self::ResourceRateLimit => {
                limited(Scope::Shared, Some((40_062, "Service resource is being rate limited.")))
            }
            Self::Forbidden => Refusal::new(403, 50_013, "Missing Permissions").0,
            Self::BlockedByEdge => Refusal::new(403, 40_333, "internal network error").0,
            Self::AutoModeration => Refusal::new(400, 200_000, "Message was blocked by automatic moderation").0,
            Self::HarmfulLink => Refusal::new(400, 240_000, "Message blocked by harmful links filter").0,
            Self::NameRefused => FormErrors::refusal("username", "USERNAME_INVALID", "Username cannot be this").0,
            Self::TooManyThreads => Refusal::new(400, 160_006, "Maximum number of active threads reached").0,
        })
    }
}

/// What goes wrong.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct DiscordFaults {
    /// Chances between 0 (never) and 1 (always), drawn anew for each call.
    pub chances: BTreeMap<DiscordFault, f64>,
    /// How many of the next calls meet the fault.
    pub next: BTreeMap<DiscordFault, u32>,
    /// The delay, in milliseconds.
    pub delay_ms: u64,
    /// How long a call hangs, in milliseconds, before the connection is closed.
    pub hang_ms: u64,
    /// 500, 502, 503 or 504.
    pub error_status: u16,
    /// `retry_after` of a 429, in milliseconds.
    pub retry_after_ms: u64,
}

impl Default for DiscordFaults {
    fn default() -> Self {
        Self {
            chances: BTreeMap::new(),
            next: BTreeMap::new(),
            delay_ms: 1_000,
            hang_ms: 60_000,
            error_status: 500,
            retry_after_ms: 1_000,
        }
    }
}

impl DiscordFaults {
    /// The next calls meet this fault.
    #[must_use]
    pub fn next(fault: DiscordFault, count: u32) -> Self {
        Self { next: [(fault, count)].into(), ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), InvalidDiscordFaults> {
        if let Some((fault, _)) = self.chances.iter().find(|(_, chance)| !is_chance(**chance)) {
            return Err(InvalidDiscordFaults::Chance(*fault));
        }
        match self.error_status {
            500 | 502..=504 => Ok(()),
            other => Err(InvalidDiscordFaults::Status(other)),
        }
    }
}

/// Faults that can't be set.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDiscordFaults {
    /// A chance isn't between 0 and 1.
    #[error("`{0}` is a chance: it must be a number from 0 to 1")]
    Chance(DiscordFault),
    /// Discord has no such status.
    #[error("`error_status` must be 500, 502, 503 or 504, not {0}")]
    Status(u16),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_faults_are_named() {
        let error = |faults: DiscordFaults| faults.check().unwrap_err().to_string();
        let chances = [(DiscordFault::ResetAfter, 1.5)].into();
        let chance = error(DiscordFaults { chances, ..DiscordFaults::default() });
        assert_eq!(chance, "`reset_after` is a chance: it must be a number from 0 to 1");
        let status = error(DiscordFaults { error_status: 404, ..DiscordFaults::default() });
        assert!(status.ends_with("not 404"), "{status}");
    }
}
