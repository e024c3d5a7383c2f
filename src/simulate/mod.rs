//! Messages as Twitch would send them, made from samples: for `simulate`, for test events and for the mock.
//!
//! In the order of the work: [`template`] turns a sample into a fresh event, with [`people`] replacing the people in
//! it and [`edit`] single fields, by the types that [`value_type`] knows; [`crate::twitch::eventsub::outgoing`] wraps the event in a message and signs it;
//! [`delivery`] posts it to a callback, and [`answer`] judges what comes back. [`test_event`] does all of this for one
//! test event, against the server's own callback. [`demo`] is the script of the demo show.

pub mod answer;
pub mod delivery;
pub mod demo;
pub mod edit;
pub mod people;
pub mod template;
pub mod test_event;
pub mod test_mark;
pub mod value_type;
