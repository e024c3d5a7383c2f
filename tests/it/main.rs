//! Every integration test, in one binary: linking is what costs time.

mod api;
mod health;
mod local_db;
mod openapi;
mod support;
