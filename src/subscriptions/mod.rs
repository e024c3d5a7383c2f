//! EventSub subscriptions: which ones each channel should have, which ones Twitch holds, and the reconciler that
//! makes the second equal the first.

pub mod check;
pub mod desired;
pub mod explain;
mod heartbeat;
pub mod plan;
mod progress;
pub mod reconciler;
