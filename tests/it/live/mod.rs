//! The live feeds.

pub(crate) mod alerts;
mod connections;
mod cursor;
mod description;
mod feeds;
mod filters;
mod many_readers;
mod names;
mod outage;
mod refusals;
mod replay;
mod sentences;
mod walks;
