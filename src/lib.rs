//! showtime: a self-hosted Twitch event backend.

pub mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod control;
pub mod ingest;
pub mod mock;
pub mod sources;
pub mod store;
pub mod stream;
pub mod tasks;
pub mod twitch;
