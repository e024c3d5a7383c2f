//! Messages that Twitch sends over a WebSocket.

use serde::Deserialize;
use time::OffsetDateTime;

use super::email::without_email;
use super::{Content, Message, MessageType};
use crate::clock::to_microseconds;
use crate::twitch::eventsub::decode::{DecodeError, Decoded, Subscription, decode};
use crate::twitch::eventsub::frame::Notice;
use crate::twitch::eventsub::webhook::MAX_AGE;
use crate::twitch::payload::Ident;
use crate::twitch::tolerant::optional;
use crate::twitch::websocket::Session;

/// Why a notice that came over a WebSocket is not accepted as a message.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// It is too old, or Twitch's clock is far ahead.
    #[error("the message is dated {0} seconds away from this server's clock, and at most 600 are allowed")]
    Stale(i64),
    /// It is for another session.
    #[error("the message is for {0}, and not for this session")]
    OtherSession(String),
    /// The metadata contradict the payload.
    #[error("the metadata have the {field} `{metadata}`, but the payload has `{payload}`")]
    Contradiction {
        /// The field of the metadata.
        field: &'static str,
        /// Its value.
        metadata: String,
        /// The payload's value.
        payload: String,
    },
    /// The payload can't be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// The `transport` of a subscription.
#[derive(Deserialize)]
struct Transport {
    #[serde(default, deserialize_with = "optional")]
    method: Option<Ident>,
    #[serde(default, deserialize_with = "optional")]
    session_id: Option<Ident>,
}

impl Message {
    /// Reads a notice that came over the connection of this session. Its body is the payload as it came, which has the shape
    /// of a webhook's body.
    ///
    /// # Errors
    /// [`NoticeError`] if it is more than ten minutes old, for another session, contradicts itself or can't be read.
    pub fn from_websocket(session: &Session, notice: &Notice, now: OffsetDateTime) -> Result<Box<Self>, NoticeError> {
        let age = now - notice.sent_at;
        if age.abs() > MAX_AGE {
            return Err(NoticeError::Stale(age.whole_seconds()));
        }
        let message_type = if notice.is_revocation { MessageType::Revocation } else { MessageType::Notification };
        let decoded = decode(message_type.as_str(), &notice.payload)?;
        if let Some(subscription) = decoded.subscription() {
            must_be_of_session(session, subscription)?;
            must_agree("subscription_type", notice.subscription_type.as_ref(), subscription.kind.as_str())?;
            if let Some(version) = &subscription.version {
                must_agree("subscription_version", notice.subscription_version.as_ref(), version.as_str())?;
            }
        }
        let (Decoded::Notification(envelope) | Decoded::Revocation(envelope) | Decoded::Other(envelope)) = decoded
        else {
            // Only a webhook is challenged.
            return Err(DecodeError::Missing { message_type: message_type.as_str().to_owned(), field: "event" }.into());
        };
        let content = Content::new(envelope);
        let body = without_email(content.kind(), &notice.payload);
        let (id, at) = (notice.message_id.clone(), to_microseconds(notice.sent_at));
        Ok(Box::new(Self { id, at, message_type, content, body }))
    }
}

/// A subscription that says how it is delivered must be delivered to this session.
fn must_be_of_session(session: &Session, subscription: &Subscription) -> Result<(), NoticeError> {
    let transport = subscription.transport.as_ref().and_then(|json| serde_json::from_str(json.get()).ok());
    match transport {
        Some(Transport { session_id: Some(id), .. }) if id.as_str() != session.id() => {
            Err(NoticeError::OtherSession(format!("the session {}", id.as_str())))
        }
        Some(Transport { method: Some(method), .. }) if method.as_str() != "websocket" => {
            Err(NoticeError::OtherSession(format!("the transport {}", method.as_str())))
        }
        _ => Ok(()),
    }
}

fn must_agree(field: &'static str, metadata: Option<&Ident>, payload: &str) -> Result<(), NoticeError> {
    match metadata {
        Some(metadata) if metadata.as_str() != payload => Err(NoticeError::Contradiction {
            field,
            metadata: metadata.as_str().to_owned(),
            payload: payload.to_owned(),
        }),
        _ => Ok(()),
    }
}
