//! What several tests need.

pub(crate) mod api;
pub(crate) mod postgres;
