//! The live feeds: a tail copies the log into a ring, and each reader follows it at its own pace.

pub mod entry;
pub mod frame;
pub mod hub;
pub mod reader;
mod ring;
pub mod tail;
