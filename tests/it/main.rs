//! Every integration test, in one binary: linking is what costs time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, outside of test functions, may fail the test as well"
)]

mod api;
mod health;
mod local_db;
mod openapi;
mod support;
