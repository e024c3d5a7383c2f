//! Twitch's chat over IRC (<https://dev.twitch.tv/docs/chat/irc/>).
//!
//! [`Line`] takes a line apart, [`ServerMessage`] says what it means, and [`ChatLine`] is a chat message, which can be shown in
//! the shape that EventSub has for it. Pure, but for the [`Connection`].

mod chat;
mod connection;
mod line;
mod message;

pub use self::chat::ChatLine;
pub use self::connection::{Connection, Credentials, Endpoint, Input, Login, LoginError};
pub use self::line::{Line, LineError};
pub use self::message::ServerMessage;

/// Logins that read a chat without an account begin so.
pub const ANONYMOUS: &str = "justinfan";
