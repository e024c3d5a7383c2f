//! Messages that Twitch did not send: what its API showed, put as the event that should have come.

use bytestring::ByteString;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Content, Message, MessageType, Proof};
use crate::clock::to_microseconds;

/// Something that must have happened, by what Helix shows.
#[derive(Clone, Debug)]
pub struct Inference<'a> {
    /// The type of the event.
    pub kind: &'static str,
    /// The version of that type.
    pub version: &'static str,
    /// What makes it happen once: with the type, the message's id.
    pub key: String,
    /// The channel that it concerns.
    pub channel_id: &'a str,
    /// The call that showed it, in Twitch's words.
    pub source: &'static str,
    /// When it was seen.
    pub observed_at: OffsetDateTime,
    /// In the shape of the type, as far as the state needs it.
    pub event: Value,
}

impl Message {
    /// A message that holds an inference. It needs no signature: Helix's answer came over TLS from
    /// a server that we called with our own token, which proves as much.
    ///
    /// # Errors
    /// Never, unless the inference can't be read back from the log.
    pub fn inferred(inference: &Inference<'_>) -> Result<Box<Self>, serde_json::Error> {
        let Inference { kind, version, key, channel_id, source, observed_at, event } = inference;
        let id = format!("inferred:{kind}:{key}");
        let at = to_microseconds(*observed_at);
        let body = json!({
            "inferred": {
                "type": kind,
                "version": version,
                "channel_id": channel_id,
                "source": source,
                "observed_at": at.format(&Rfc3339).unwrap_or_default(),
            },
            "event": event,
        });
        let body = ByteString::from(body.to_string());
        let content = Content::read(&id, &body)?;
        Ok(Box::new(Self { id, at, message_type: MessageType::Inferred, content, body, _proof: Proof(()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Event;
    use crate::twitch::payload;

    fn inference(channel_id: &str) -> Inference<'_> {
        Inference {
            kind: "stream.offline",
            version: "1",
            key: "40952110345".to_owned(),
            channel_id,
            source: "Get Streams",
            observed_at: OffsetDateTime::UNIX_EPOCH,
            event: json!({
                "id": "40952110345",
                "broadcaster_user_id": channel_id,
                "broadcaster_user_login": "twitchdev",
                "broadcaster_user_name": "TwitchDev",
            }),
        }
    }

    #[test]
    fn an_inference_is_a_message_that_says_so() {
        let message = Message::inferred(&inference("141981764")).unwrap();
        assert_eq!(message.id, "inferred:stream.offline:40952110345");
        assert_eq!((message.message_type.as_str(), message.at), ("inferred", OffsetDateTime::UNIX_EPOCH));
        let content = Content::read(&message.id, &message.body).unwrap();
        assert_eq!((content.kind(), content.version()), (Some("stream.offline"), Some("1")));
        assert_eq!(content.channel_id.as_deref(), Some("141981764"));
        assert!(content.subscription.is_none());
        let Some(Event::Twitch(payload::Event::StreamOffline(offline))) = content.event else {
            panic!("{:?}", content.event)
        };
        assert_eq!(offline.id.unwrap().as_str(), "40952110345");
    }

    #[test]
    fn a_field_of_the_same_name_is_no_inference() {
        let body = r#"{ "inferred": true, "event": {} }"#;
        let content = Content::read("1", body).unwrap();
        assert!(content.inferred.is_none() && content.kind().is_none() && content.event.is_none());
    }
}
