//! showtime: a self-hosted Twitch event backend.

pub mod clock;
pub mod config;
pub mod mock;
pub mod store;
pub mod twitch;
