//! EventSub over WebSocket. <https://dev.twitch.tv/docs/eventsub/handling-websocket-events/>

pub mod gap;
pub mod intake;
mod progress;
mod spool;
