//! Every integration test, in one binary: linking is what costs time.

mod local_db;
mod support;
