//! EventSub subscriptions: which ones each channel should have, which ones Twitch holds, and the reconciler that
//! makes the second equal the first.

pub mod check;
mod create;
pub mod desired;
mod error;
pub mod explain;
mod heartbeat;
pub mod plan;
pub mod problems;
mod progress;
pub mod reconciler;
mod session;
mod sessions;
pub mod switch;
mod watched;
