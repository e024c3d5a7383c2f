//! The live feeds.

mod alerts;
mod crowd;
mod cursor;
mod description;
mod endings;
mod feeds;
mod filters;
mod outage;
mod refusals;
mod replay;
