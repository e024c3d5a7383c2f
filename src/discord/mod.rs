//! Discord's webhooks, and nothing of ours: ids, messages, calls, limits, errors
//! (<https://docs.discord.com/developers/resources/webhook>).

pub mod client;
pub mod error;
mod limits;
pub mod markdown;
pub mod message;
pub mod name;
pub mod shard;
pub mod snowflake;
