//! The steps of `init`: a person's consent in the browser, and the proof that Twitch can reach the callback, or that this
//! machine can reach Twitch's WebSocket.

mod cause;
pub mod consent;
pub mod probe;
pub mod websocket;
