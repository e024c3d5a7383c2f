//! The tables of tracking: bots of Discord, where they want to know of what, and what was posted. Times are those of the
//! caller's clock.

pub mod bots;
pub mod destinations;
pub mod events;
pub mod signing_keys;
pub mod tracks;
