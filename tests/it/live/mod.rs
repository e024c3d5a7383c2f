//! The live feeds.

mod feeds;
