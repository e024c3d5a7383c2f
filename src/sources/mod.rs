//! Where messages come from. Each source ends in [`Ingest::submit`](crate::ingest::Ingest::submit).

pub mod backfill;
pub mod body;
mod budget;
pub mod check;
pub mod demo;
pub mod irc;
pub mod polling;
mod refusals;
mod schedule;
pub mod webhook;
pub mod websocket;
