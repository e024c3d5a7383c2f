//! Where messages come from. Each source ends in [`Ingest::submit`](crate::ingest::Ingest::submit).

pub mod helix;
pub mod webhook;
