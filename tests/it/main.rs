//! Every integration test, in one binary: linking is what costs time.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod judge;
mod local_db;
mod simulate;
mod support;
