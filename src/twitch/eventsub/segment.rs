//! Messages that a broadcaster caused, not Twitch: marks of what is on.

use bytestring::ByteString;
use serde_json::json;
use time::OffsetDateTime;

use super::{Content, Message, MessageType, Proof};
use crate::clock::to_microseconds;
use crate::message::segment::{SEGMENT_BEGIN, SEGMENT_END};
use crate::twitch::payload::Broadcaster;

/// A mark that a broadcaster set.
#[derive(Clone, Debug)]
pub struct Marked<'a> {
    /// On which channel.
    pub broadcaster: &'a Broadcaster,
    /// The segment that it is about.
    pub segment_id: &'a str,
    /// When it was set.
    pub at: OffsetDateTime,
    /// What it says.
    pub mark: Mark<'a>,
}

/// What a mark says.
#[derive(Clone, Copy, Debug)]
pub enum Mark<'a> {
    /// From now on, this is on.
    Begin {
        /// What.
        title: &'a str,
        /// Where to find it.
        reference: Option<&'a str>,
    },
    /// It is over.
    End,
}

impl Message {
    /// A message that holds a mark. No signature stands behind it, but the request of somebody who
    /// may change things here: only the API's handlers for these make one. A segment begins once
    /// and is told to end once, however often that is said: the message's id follows from both.
    ///
    /// # Errors
    /// Never, unless the mark can't be read back from the log.
    pub fn marked(marked: &Marked<'_>) -> Result<Box<Self>, serde_json::Error> {
        let Marked { broadcaster, segment_id, at, mark } = marked;
        let mut event = json!({
            "id": segment_id,
            "broadcaster_user_id": broadcaster.id.as_str(),
            "broadcaster_user_login": broadcaster.login.as_str(),
            "broadcaster_user_name": broadcaster.display_name.as_str(),
        });
        let kind = match mark {
            Mark::Begin { title, reference } => {
                event["title"] = (*title).into();
                event["reference"] = (*reference).into();
                SEGMENT_BEGIN
            }
            Mark::End => SEGMENT_END,
        };
        let id = format!("{kind}:{segment_id}");
        let segment = json!({ "type": kind, "version": "1", "channel_id": broadcaster.id.as_str() });
        let body = ByteString::from(json!({ "segment": segment, "event": event }).to_string());
        let content = Content::read(&id, &body)?;
        let at = to_microseconds(*at);
        Ok(Box::new(Self { id, at, message_type: MessageType::Segment, content, body, _proof: Proof(()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Event;
    use crate::twitch::payload::Ident;

    fn ident(text: &str) -> Ident {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn a_mark_is_a_message_that_says_so() {
        let broadcaster =
            Broadcaster { id: ident("141981764"), login: ident("twitchdev"), display_name: ident("TwitchDev") };
        let mark = Mark::Begin { title: "Tape 12", reference: None };
        let mut marked = Marked { broadcaster: &broadcaster, segment_id: "s-1", at: OffsetDateTime::UNIX_EPOCH, mark };
        let message = Message::marked(&marked).unwrap();
        assert_eq!((message.id.as_str(), message.message_type.as_str()), ("showtime.segment.begin:s-1", "segment"));
        assert_eq!((message.content.kind(), message.content.version()), (Some("showtime.segment.begin"), Some("1")));
        assert_eq!(message.content.channel_id.as_deref(), Some("141981764"));
        let Some(Event::SegmentBegin(begin)) = &message.content.event else { panic!("{:?}", message.content.event) };
        assert_eq!((begin.title.as_str(), &begin.reference, &begin.broadcaster), ("Tape 12", &None, &broadcaster));

        marked.mark = Mark::End;
        let message = Message::marked(&marked).unwrap();
        assert_eq!(message.id, "showtime.segment.end:s-1");
        assert!(matches!(&message.content.event, Some(Event::SegmentEnd(end)) if end.id == begin.id));
    }
}
