//! Sinks that send each event in a signed request.

pub mod settings;
