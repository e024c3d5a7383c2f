//! What others see: events of the log as alerts and chat messages. Pure, from log rows.

pub mod alert;
pub mod chat;
mod fields;

pub use self::fields::Person;
