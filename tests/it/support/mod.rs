//! What several tests need.

pub(crate) mod feeds;
pub(crate) mod messages;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod recorder;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod twitch;
