//! Rate limits and the ban of addresses (<https://docs.discord.com/developers/topics/rate-limits>).

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use strum::{Display, IntoStaticStr};
use time::OffsetDateTime;

use super::answer::Answer;
use super::snowflake::Snowflake;

/// Lengths of the windows.
const WEBHOOK_WINDOW: Duration = Duration::from_secs(2);
const CHANNEL_WINDOW: Duration = Duration::from_secs(60);
const GLOBAL_WINDOW: Duration = Duration::from_secs(1);
const OLD_EDITS_WINDOW: Duration = Duration::from_secs(6);
const PUBLISHED_WINDOW: Duration = Duration::from_secs(3_600);
const INVALID_WINDOW: Duration = Duration::from_secs(600);

/// How long an address is banned.
const BAN: Duration = Duration::from_secs(600);

/// Limit of windows of each kind. When it is reached, those that have ended are cleared.
const MAX_WINDOWS: usize = 100_000;

/// What a rate limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Scope {
    User,
    Global,
    Shared,
}

/// Calls that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
pub(super) enum Bucket {
    #[strum(serialize = "e6b1c0a6d3a1e0a5b7f1d2c3a4b5c6d7")]
    Execute,
    #[strum(serialize = "0f3c9d7f5a2b4e6c8d1a3b5c7e9f0a2b")]
    Webhook,
    #[strum(serialize = "7b2d4f6a8c0e1b3d5f7a9c1e3b5d7f90")]
    ShowMessage,
    #[strum(serialize = "c4a6e8f0b2d4c6a8e0f2b4d6c8a0e2f4")]
    EditMessage,
    #[strum(serialize = "5d7f9b1c3e5a7d9f1b3c5e7a9d1f3b5c")]
    DeleteMessage,
}

/// Calls since a moment.
#[derive(Clone, Copy, Debug)]
struct Window {
    ends_at: OffsetDateTime,
    used: u32,
}

/// What is left of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    pub(super) ends_at: OffsetDateTime,
    /// Until the window ends.
    pub(super) left: Duration,
    pub(super) is_exceeded: bool,
}

/// The windows of all limits.
#[derive(Debug, Default)]
pub(super) struct RateLimiter {
    buckets: HashMap<(Bucket, Snowflake), Window>,
    channels: HashMap<Snowflake, Window>,
    old_edits: HashMap<Snowflake, Window>,
    published_edits: HashMap<Snowflake, Window>,
    crossposts: HashMap<Snowflake, Window>,
    /// By address; that of the bot is without.
    global: HashMap<Option<IpAddr>, Window>,
    invalid: HashMap<IpAddr, Window>,
    bans: HashMap<IpAddr, OffsetDateTime>,
}

/// A limit that no header tells of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hidden {
    /// Messages to a channel.
    Channel,
    /// Edits of old messages in a channel.
    OldEdits,
    /// Edits of a published message.
    PublishedEdits,
    /// Messages of a channel that are published.
    Crossposts,
}

impl RateLimiter {
    pub(super) fn take_bucket(
        &mut self,
        bucket: Bucket,
        webhook: Snowflake,
        limit: u32,
        now: OffsetDateTime,
    ) -> Option<Usage> {
        take(&mut self.buckets, (bucket, webhook), limit, WEBHOOK_WINDOW, now)
    }

    pub(super) fn take_global(&mut self, caller: Option<IpAddr>, limit: u32, now: OffsetDateTime) -> Option<Usage> {
        take(&mut self.global, caller, limit, GLOBAL_WINDOW, now)
    }

    /// Returns how long to wait if the limit is reached.
    pub(super) fn take_hidden(
        &mut self,
        hidden: Hidden,
        key: Snowflake,
        limit: u32,
        now: OffsetDateTime,
    ) -> Option<Duration> {
        let (windows, length) = match hidden {
            Hidden::Channel => (&mut self.channels, CHANNEL_WINDOW),
            Hidden::OldEdits => (&mut self.old_edits, OLD_EDITS_WINDOW),
            Hidden::PublishedEdits => (&mut self.published_edits, PUBLISHED_WINDOW),
            Hidden::Crossposts => (&mut self.crossposts, PUBLISHED_WINDOW),
        };
        take(windows, key, limit, length, now).filter(|usage| usage.is_exceeded).map(|usage| usage.left)
    }

    pub(super) fn is_banned(&self, address: IpAddr, now: OffsetDateTime) -> bool {
        self.bans.get(&address).is_some_and(|until| *until > now)
    }

    /// The addresses that are banned.
    pub(super) fn bans(&self, now: OffsetDateTime) -> Vec<IpAddr> {
        self.bans.iter().filter(|(_, until)| **until > now).map(|(address, _)| *address).collect()
    }

    pub(super) fn lift_bans(&mut self) {
        self.bans.clear();
        self.invalid.clear();
    }

    /// Counts an answer that makes the call an invalid one, and bans the address that had too many.
    pub(super) fn count_invalid(&mut self, address: IpAddr, answer: &Answer, limit: u32, now: OffsetDateTime) {
        let is_shared = answer.header("x-ratelimit-scope") == Some("shared");
        if !matches!(answer.status, 401 | 403 | 429) || is_shared {
            return;
        }
        let usage = take(&mut self.invalid, address, limit, INVALID_WINDOW, now);
        if usage.is_some_and(|usage| usage.remaining == 0) {
            if self.bans.len() >= MAX_WINDOWS {
                self.bans.clear();
            }
            self.bans.insert(address, now + BAN);
            self.invalid.remove(&address);
        }
    }
}

/// Takes one of a window. `None` if there is no limit.
fn take<K: Hash + Eq>(
    windows: &mut HashMap<K, Window>,
    key: K,
    limit: u32,
    length: Duration,
    now: OffsetDateTime,
) -> Option<Usage> {
    if limit == 0 {
        return None;
    }
    if windows.len() >= MAX_WINDOWS {
        windows.retain(|_, window| window.ends_at > now);
    }
    let window = windows.entry(key).or_insert(Window { ends_at: now, used: 0 });
    if window.ends_at <= now {
        *window = Window { ends_at: now + length, used: 0 };
    }
    let is_exceeded = window.used >= limit;
    window.used += u32::from(!is_exceeded);
    let left = (window.ends_at - now).unsigned_abs();
    Some(Usage { limit, remaining: limit - window.used, ends_at: window.ends_at, left, is_exceeded })
}

impl Usage {
    /// The headers that each answer has.
    pub(super) fn headers(&self, bucket: Bucket) -> [(&'static str, String); 5] {
        let reset = self.ends_at.unix_timestamp_nanos() / 1_000_000;
        [
            ("x-ratelimit-limit", self.limit.to_string()),
            ("x-ratelimit-remaining", self.remaining.to_string()),
            ("x-ratelimit-reset", format!("{}.{:03}", reset / 1_000, reset % 1_000)),
            ("x-ratelimit-reset-after", format!("{:.3}", self.left.as_secs_f64())),
            ("x-ratelimit-bucket", <&str>::from(bucket).to_owned()),
        ]
    }
}

/// The answer to a call that is over a limit. Before version 8 times were in milliseconds.
pub(super) fn rate_limited(wait: Duration, scope: Scope, code: Option<(u64, &str)>, version: u32) -> Answer {
    let ms = wait.as_millis().max(1);
    let (retry_after, header) =
        if version < 8 { (json!(ms), ms) } else { (json!(wait.as_secs_f64()), ms.div_ceil(1_000)) };
    let message = code.map_or("You are being rate limited.", |(_, message)| message);
    let mut body = json!({ "message": message, "retry_after": retry_after, "global": scope == Scope::Global });
    if let Some((code, _)) = code {
        body["code"] = code.into();
    }
    let mut answer = Answer::json(429, body);
    answer.headers.push(("retry-after", header.to_string()));
    answer.headers.push(("x-ratelimit-scope", scope.to_string()));
    if scope == Scope::Global {
        answer.headers.push(("x-ratelimit-global", "true".to_owned()));
    }
    answer
}

/// The answer to each call of a banned address: a static page of the edge, without headers of limits.
pub(super) fn banned() -> Answer {
    let message = "You are being blocked from accessing our API temporarily due to exceeding our rate limits \
                   frequently. Please read our docs at https://discord.com/developers/docs/topics/rate-limits to prevent \
                   this moving forward.";
    Answer::json(429, json!({ "code": 0, "message": message }))
}
