//! A Twitch to try things on: it makes the messages that Twitch would send, signs them as Twitch
//! does, and delivers them. Behind `simulate`, `mock-twitch`, and the tests.
//!
//! In the order in which a message comes to be: [`event`] makes the payload of a sample
//! ([`kind`]: of which type, [`cast`]: whom it is about, [`edit`]: what a person wants different),
//! [`notification`] wraps
//! and signs it, [`delivery`] sends it and judges the answer. [`server`] is a whole Twitch around
//! these: consent, tokens, Helix, subscriptions.

pub mod cast;
pub mod delivery;
pub mod edit;
pub mod event;
pub mod kind;
pub mod notification;
pub mod server;
