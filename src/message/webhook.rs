//! Messages that Twitch sends to the webhook.

use super::email::without_email;
use super::{Content, Message, MessageType};
use crate::twitch::eventsub::decode::{DecodeError, Decoded};
use crate::twitch::eventsub::webhook::Verified;

/// A verified request, read.
#[derive(Debug)]
pub enum Incoming {
    /// Twitch asks whether the callback wants a subscription: the text to answer with.
    Challenge(String),
    /// A message for the log.
    Message(Box<Message>),
}

impl Message {
    /// Reads a verified request.
    ///
    /// # Errors
    /// If the body isn't what its message type promises.
    pub fn from_webhook(verified: &Verified<'_>) -> Result<Incoming, DecodeError> {
        let headers = verified.headers();
        let (message_type, envelope) = match verified.decode()? {
            Decoded::Challenge(text) => return Ok(Incoming::Challenge(text)),
            Decoded::Notification(envelope) => (MessageType::Notification, envelope),
            Decoded::Revocation(envelope) => (MessageType::Revocation, envelope),
            Decoded::Other(envelope) => (MessageType::Other(headers.message_type.to_owned()), envelope),
        };
        let content = Content::new(envelope);
        // The signature is of the body as it came, and was checked before.
        let body = without_email(content.kind(), verified.body());
        let (id, at) = (headers.message_id.to_owned(), verified.sent_at());
        Ok(Incoming::Message(Box::new(Self { id, at, message_type, content, body })))
    }
}
