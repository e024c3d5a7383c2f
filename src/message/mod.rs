//! What enters the log.
//!
//! A [`Message`] is made from a witness: a value that only the verification of its source can make. So nothing
//! unproved reaches the store. Each source has one constructor, in a file of its own:
//!
//! | source | constructor | witness | made by |
//! |---|---|---|---|
//! | EventSub, webhook | [`Message::from_webhook`] | [`Verified`](crate::twitch::eventsub::webhook::Verified) | a valid, recent signature |
//! | EventSub, WebSocket | [`Message::from_websocket`] | [`Session`](crate::twitch::websocket::Session) | a connection to Twitch that was welcomed |
//! | IRC | [`Message::from_irc`], [`Message::presence`] | [`Login`](crate::twitch::irc::Login) | a connection to Twitch's chat whose login was accepted |
//! | spool | [`Seal::open`](sealed::Seal::open) | the key and the authentication tag | [`Seal::seal`](sealed::Seal::seal), of a [`Message`] |
//! | backfill | [`Message::inferred`] | [`Answer`](crate::twitch::helix::Answer) | an answer of Helix |
//! | demo | [`Message::demo`] | [`Scene`](crate::simulate::demo::Scene) | the script, on a channel that Twitch can't have |
//! | segments | [`Message::segment`] | [`Grant`](crate::access::grant::Grant) | a valid access token |
//!
//! The witness of a source stands in `twitch/`, beside the code that opens the connection to Twitch and reads what comes over
//! it, and only that code can make one. Witnesses are borrowed, so that tests can use one from a mock for many messages.
//!
//! The body of each message is stored as it came or was made, but without the e-mail address of an account, and
//! [`Content::read`] reads it again when the state is rebuilt. Bodies that do not come from EventSub have the field `inferred`,
//! `segment`, `irc` or `demo` in place of `subscription`.

mod content;
mod demo;
mod email;
mod event;
mod inference;
pub mod irc;
pub mod sealed;
pub mod segment;
pub mod viewers;
mod webhook;
mod websocket;

use bytestring::ByteString;
use time::OffsetDateTime;

pub use self::content::{Content, Origin, Subject};
pub use self::event::Event;
pub use self::inference::Inference;
pub use self::webhook::Incoming;
pub use self::websocket::NoticeError;

/// The types of events that Twitch does not have.
pub const OWN_TYPES: [&str; 6] = [
    segment::SEGMENT_BEGIN,
    segment::SEGMENT_END,
    segment::SEGMENT_CHANGE,
    segment::SEGMENT_REMOVE,
    irc::PRESENCE,
    viewers::STREAM_VIEWERS,
];

/// A message that may enter the log.
#[derive(Clone, Debug)]
pub struct Message {
    id: String,
    at: OffsetDateTime,
    message_type: MessageType,
    content: Content,
    body: ByteString,
}

/// The kinds of messages in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// Something happened.
    Notification,
    /// A subscription ended; its status says why.
    Revocation,
    /// Helix showed that something had happened.
    Inferred,
    /// A broadcaster marked a segment.
    Segment,
    /// It came over IRC.
    Irc,
    /// It is of the demo show.
    Demo,
    /// A kind that Twitch added later.
    Other(String),
}

impl Message {
    /// Unique; redeliveries have the same.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When Twitch sent it, or when it was made here, to the microsecond.
    #[must_use]
    pub fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// Its kind.
    #[must_use]
    pub fn message_type(&self) -> &MessageType {
        &self.message_type
    }

    /// What showtime understands of the body.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// JSON, as it came, but without an e-mail address.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// A message that showtime makes itself: its content is what a rebuild will read from the log.
    fn own(
        message_type: MessageType,
        id: String,
        at: OffsetDateTime,
        body: &serde_json::Value,
    ) -> Result<Box<Self>, serde_json::Error> {
        let body = ByteString::from(body.to_string());
        let content = Content::read(&body)?;
        Ok(Box::new(Self { id, at, message_type, content, body }))
    }
}

impl MessageType {
    /// The name in the log: Twitch's, or `inferred`, `segment`, `irc` or `demo`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Notification => "notification",
            Self::Revocation => "revocation",
            Self::Inferred => "inferred",
            Self::Segment => "segment",
            Self::Irc => "irc",
            Self::Demo => "demo",
            Self::Other(name) => name,
        }
    }

    /// The type with this name.
    fn from_name(name: String) -> Self {
        let known = [Self::Notification, Self::Revocation, Self::Inferred, Self::Segment, Self::Irc, Self::Demo];
        known.into_iter().find(|known| known.as_str() == name).unwrap_or(Self::Other(name))
    }
}
