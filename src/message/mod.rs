//! What enters the log: messages of Twitch's and of showtime's own.

mod event;
pub mod segment;

pub use self::event::Event;
