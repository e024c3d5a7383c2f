//! Settings of the fake Discord.

use std::net::{IpAddr, Ipv4Addr};

use crate::clock::Clock;

/// Settings of the fake Discord.
#[derive(Clone, Debug)]
pub struct DiscordConfig {
    /// Address of this machine to listen on.
    pub ip: IpAddr,
    /// Port; 0 for any free one.
    pub port: u16,
    /// Clock for ids, timestamps and limits.
    pub clock: Clock,
    /// Seed that decides which calls the [`DiscordFaults`](super::DiscordFaults) hit.
    pub seed: u64,
    /// Token of the one bot. Printed by `--help`, so no secret type.
    pub bot_token: String,
    /// How many calls are allowed.
    pub limits: Limits,
}

/// How many calls are allowed. 0 is no limit.
///
/// Discord publishes none of these numbers but `global` and `invalid`; the others have been
/// [observed](https://github.com/discord/discord-api-docs/issues/367).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls of one kind with one webhook in two seconds.
    pub webhook: u32,
    /// Messages of webhooks to one channel in a minute. No header tells of this limit.
    pub channel: u32,
    /// Calls of one address in a second.
    pub global: u32,
    /// Edits of messages older than an hour to one channel in six seconds.
    pub old_edits: u32,
    /// Edits of one published message in an hour.
    pub published_edits: u32,
    /// Messages of one channel that are published in an hour.
    pub crossposts: u32,
    /// Answers 401, 403 and 429 to one address in ten minutes, after which it is banned.
    pub invalid: u32,
}

impl Limits {
    /// No limit at all, for measurements.
    pub const NONE: Self =
        Self { webhook: 0, channel: 0, global: 0, old_edits: 0, published_edits: 0, crossposts: 0, invalid: 0 };
}

impl Default for Limits {
    fn default() -> Self {
        Self { webhook: 5, channel: 30, global: 50, old_edits: 3, published_edits: 3, crossposts: 10, invalid: 10_000 }
    }
}

impl Default for DiscordConfig {
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            clock: Clock::default(),
            seed: 0,
            bot_token: "mock-bot-token".to_owned(),
            limits: Limits::default(),
        }
    }
}
