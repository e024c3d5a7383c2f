//! What keeps the server in working order, and says whether it is.

pub mod access;
pub mod attempt;
pub mod consent;
pub mod probe;
pub mod reconcile;
pub mod status;
pub mod subscribe;
pub mod test_event;
pub mod tokens;
pub mod vault;
pub mod wanted;
