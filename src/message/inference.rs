//! Messages that Twitch did not send: what Helix showed, in the shape of the event that should have come.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::content::INFERRED;
use super::{Message, MessageType};
use crate::clock::to_microseconds;
use crate::twitch::helix::Answer;
use crate::twitch::id::ChannelId;

/// An event that must have happened, by what Helix shows or no longer shows.
#[derive(Clone, Debug)]
pub struct Inference<'a> {
    /// The type of the event.
    pub kind: &'static str,
    /// The version of that type.
    pub version: &'static str,
    /// What makes the event happen once: with the type, the message's id.
    pub key: String,
    /// The channel that it concerns.
    pub channel_id: &'a ChannelId,
    /// When Helix answered.
    pub observed_at: OffsetDateTime,
    /// In the shape of the type, as far as the state needs it.
    pub event: Value,
}

impl Message {
    /// A message that holds what was inferred from this answer.
    ///
    /// # Errors
    /// Never, unless the inference can't be read back.
    pub fn inferred<T>(answer: &Answer<T>, inference: &Inference<'_>) -> Result<Box<Self>, serde_json::Error> {
        let Inference { kind, version, key, channel_id, observed_at, event } = inference;
        let at = to_microseconds(*observed_at);
        let subject = json!({
            "type": kind,
            "version": version,
            "channel_id": channel_id,
            "source": answer.endpoint(),
            "observed_at": at.format(&Rfc3339).unwrap_or_default(),
        });
        let body = json!({ INFERRED: subject, "event": event });
        Self::own(MessageType::Inferred, format!("inferred:{kind}:{key}"), at, &body)
    }
}
