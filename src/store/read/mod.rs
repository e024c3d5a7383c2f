//! Queries of the API, the live feeds, `/status` and `/metrics`. A look-up returns `None` for a missing row; a page takes the
//! maximal number of rows and the key of the row to start after.

pub mod activity;
pub mod broadcasts;
pub mod channels;
pub mod delivery;
pub mod events;
pub mod health;
pub mod live;
pub mod metrics;
pub mod scan;
pub mod segments;
pub mod viewers;
