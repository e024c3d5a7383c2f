//! `/v1` and `/v2`: tracking, for bots of Discord.

mod caller;
pub(super) mod message;
mod responses;
pub(super) mod token;
pub(super) mod v1;
pub(super) mod v2;
mod webhook;
