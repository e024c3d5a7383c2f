//! The reading side: what the API asks. Lookups answer `None` for what isn't there; pages take how
//! many rows to return at most and the key of the row to start after.

pub mod broadcasts;
pub mod channels;
pub mod events;
pub mod health;
pub mod live;
pub mod metrics;
pub mod scan;
pub mod segments;
pub mod viewers;
