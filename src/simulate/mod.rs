//! Messages as Twitch would send them, made from samples: for `simulate`, for test events and for the mock.

pub mod delivery;
pub mod edit;
pub mod event;
pub mod people;
pub mod test_event;
