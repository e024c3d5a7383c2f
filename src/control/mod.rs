//! What keeps the server in working order, and says whether it is.

pub mod attempt;
pub mod reconcile;
pub mod status;
pub mod subscribe;
pub mod wanted;
