//! The steps of `init`: a person's consent in the browser, and the proof that Twitch can reach the callback.

pub mod consent;
pub mod probe;
