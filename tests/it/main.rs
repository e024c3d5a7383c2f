//! Every integration test, in one binary: linking is what costs time.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod helix;
mod judge;
mod local_db;
mod mock;
mod oauth;
mod simulate;
mod support;
