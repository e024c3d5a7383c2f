//! `/v2`: a bot's Discord channels, what is tracked in them, and what the bot is told.

pub(in crate::api) mod batch;
pub(in crate::api) mod channels;
pub(in crate::api) mod deliveries;
mod event;
pub(in crate::api) mod events;
pub(in crate::api) mod previews;
pub(in crate::api) mod settings;
mod shard;
mod stream;
pub(in crate::api) mod tracks;
pub(in crate::api) mod webhooks;
