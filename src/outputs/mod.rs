//! What goes out as it happens. The [`tail`] follows the log into the [`hub`]; each [`reader`]
//! goes along it at its own pace, and sees the events of its feed as [`frame`]s.

pub mod alert;
pub mod chat;
pub mod entry;
mod fields;
pub mod frame;
pub mod hub;
pub mod reader;
mod ring;
pub mod tail;

pub use self::fields::Person;
