//! The integration tests: real child processes, real HTTP.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod judge;
mod simulate;
mod support;
