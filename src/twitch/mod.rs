//! What Twitch speaks: messages, signatures, payloads and the catalogue of subscription types.
//! Knows nothing of us.

pub mod catalogue;
pub mod event;
pub mod eventsub;
pub mod samples;
pub mod signature;
