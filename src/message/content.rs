//! What showtime understands of the body of a message.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Event;
use crate::simulate::test_mark::TEST_MARK;
use crate::twitch::eventsub::decode::{Envelope, Subscription};
use crate::twitch::id::{ChannelId, EventType};
use crate::twitch::payload::{Ident, Ids};
use crate::twitch::tolerant::optional;

/// The field that stands in place of `subscription` in a message that was inferred.
pub(super) const INFERRED: &str = "inferred";

/// The field that stands in place of `subscription` in a message about a segment.
pub(super) const SEGMENT: &str = "segment";

/// The field that stands in place of `subscription` in a message that came over IRC.
pub(super) const IRC: &str = "irc";

/// The field that stands in place of `subscription` in a message of the demo show.
pub(super) const DEMO: &str = "demo";

/// What showtime understands of a body. Read again from the log when the state is rebuilt.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// How the message came; message types that Twitch adds later may not say so.
    pub origin: Option<Origin>,
    /// Whether it is a test, which changes no state.
    pub is_test: bool,
    /// The channel that it concerns, or the user if its type is not about channels.
    pub channel_id: Option<ChannelId>,
    /// What changes the state; `None` for what is only stored and delivered.
    pub event: Option<Event>,
    /// Why the payload could not be read, if it should change the state. It is stored and delivered all the same.
    pub payload_error: Option<String>,
    /// What it is about, for some of the types that change no state.
    pub ids: Option<Ids>,
}

/// How a message came.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Twitch sent it through this subscription.
    Subscription(Subscription),
    /// Helix showed that it had happened.
    Inferred(Subject),
    /// A broadcaster marked a segment.
    Segment(Subject),
    /// It came over IRC.
    Irc(Subject),
    /// It is of the demo show.
    Demo(Subject),
}

/// What stands in place of the `subscription` in the body of a message that does not come from EventSub.
#[derive(Clone, Debug, Deserialize)]
pub struct Subject {
    /// For example `stream.online`.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// For example `1`.
    pub version: Ident,
    /// The channel that it concerns.
    pub channel_id: ChannelId,
}

/// The fields of a condition that name what the subscription is about. Unused fields of `channel.raid` may be there as empty
/// strings.
#[derive(Default, Deserialize)]
struct Condition {
    #[serde(default, deserialize_with = "optional")]
    broadcaster_user_id: Option<ChannelId>,
    #[serde(default, deserialize_with = "optional")]
    to_broadcaster_user_id: Option<ChannelId>,
    #[serde(default, deserialize_with = "optional")]
    from_broadcaster_user_id: Option<ChannelId>,
    #[serde(default, deserialize_with = "optional")]
    user_id: Option<ChannelId>,
}

impl Content {
    /// Reads the stored body of a message.
    ///
    /// # Errors
    /// If it isn't a body that was once accepted.
    pub fn read(body: &str) -> Result<Self, serde_json::Error> {
        Ok(Self::new(serde_json::from_str(body)?))
    }

    /// The type of the event, for example `channel.follow`.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.origin.as_ref().map(|origin| match origin {
            Origin::Subscription(subscription) => subscription.kind.as_str(),
            Origin::Inferred(subject) | Origin::Segment(subject) | Origin::Irc(subject) | Origin::Demo(subject) => {
                subject.kind.as_str()
            }
        })
    }

    /// The version of that type.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        let version = self.origin.as_ref().and_then(|origin| match origin {
            Origin::Subscription(subscription) => subscription.version.as_ref(),
            Origin::Inferred(subject) | Origin::Segment(subject) | Origin::Irc(subject) | Origin::Demo(subject) => {
                Some(&subject.version)
            }
        });
        version.map(Ident::as_str)
    }

    /// The subscription that the message came through.
    #[must_use]
    pub fn subscription(&self) -> Option<&Subscription> {
        match &self.origin {
            Some(Origin::Subscription(subscription)) => Some(subscription),
            _ => None,
        }
    }

    pub(super) fn new(envelope: Envelope<'_>) -> Self {
        let is_test = envelope.other(TEST_MARK).is_some_and(|json| json.get() == "true");
        let event = envelope.event;
        let origin = origin(envelope);
        let channel_id = origin.as_ref().and_then(|origin| match origin {
            Origin::Subscription(subscription) => channel_of(subscription, event),
            Origin::Inferred(subject) | Origin::Segment(subject) | Origin::Irc(subject) | Origin::Demo(subject) => {
                Some(subject.channel_id.clone())
            }
        });
        let mut content = Self { origin, is_test, channel_id, event: None, payload_error: None, ids: None };
        if let (Some(kind), Some(payload)) = (content.kind(), event) {
            let ids = Ids::parse(kind, payload.get());
            match Event::parse(kind, payload.get()) {
                Ok(event) => content.event = event,
                Err(error) => content.payload_error = Some(error.to_string()),
            }
            content.ids = ids;
        }
        content
    }
}

/// Twitch may have fields of our names one day, in another shape.
fn origin(mut envelope: Envelope<'_>) -> Option<Origin> {
    if let Some(subscription) = envelope.subscription.take() {
        return Some(Origin::Subscription(subscription));
    }
    let subject = |name| serde_json::from_str(envelope.other(name)?.get()).ok();
    let inferred = subject(INFERRED).map(Origin::Inferred);
    let own = inferred.or_else(|| subject(SEGMENT).map(Origin::Segment)).or_else(|| subject(IRC).map(Origin::Irc));
    own.or_else(|| subject(DEMO).map(Origin::Demo))
}

/// The id of the channel that the condition names, or else the event, or else of the user that the condition names.
fn channel_of(subscription: &Subscription, event: Option<&RawValue>) -> Option<ChannelId> {
    let condition = subscription.condition.as_ref().map(|json| serde_json::from_str(json.get()).unwrap_or_default());
    let condition: Condition = condition.unwrap_or_default();
    condition
        .broadcaster_user_id
        .or(condition.to_broadcaster_user_id)
        .or(condition.from_broadcaster_user_id)
        .or_else(|| serde_json::from_str::<Condition>(event?.get()).ok()?.broadcaster_user_id)
        .or(condition.user_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twitch::payload;

    #[test]
    fn inference_is_read_from_the_log() {
        let body = r#"{
            "inferred": { "type": "stream.offline", "version": "1", "channel_id": "141981764" },
            "event": {
                "id": "40952110345", "broadcaster_user_id": "141981764",
                "broadcaster_user_login": "twitchdev", "broadcaster_user_name": "TwitchDev"
            }
        }"#;
        let content = Content::read(body).unwrap();
        assert!(matches!(content.origin, Some(Origin::Inferred(_))) && content.subscription().is_none());
        assert_eq!((content.kind(), content.version()), (Some("stream.offline"), Some("1")));
        assert_eq!(content.channel_id.as_ref().map(ChannelId::as_str), Some("141981764"));
        let Some(Event::Twitch(payload::Event::StreamOffline(offline))) = content.event else { panic!("{content:?}") };
        assert_eq!(offline.id.unwrap().as_str(), "40952110345");
    }

    #[test]
    fn segment_is_read_from_the_log() {
        let body = r#"{
            "segment": { "type": "showtime.segment.begin", "version": "1", "channel_id": "141981764" },
            "event": {
                "id": "s-1", "title": "Tape 12", "reference": null, "broadcaster_user_id": "141981764",
                "broadcaster_user_login": "twitchdev", "broadcaster_user_name": "TwitchDev"
            }
        }"#;
        let content = Content::read(body).unwrap();
        assert!(matches!(content.origin, Some(Origin::Segment(_))));
        assert_eq!(content.channel_id.as_ref().map(ChannelId::as_str), Some("141981764"));
        let Some(Event::SegmentBegin(begin)) = &content.event else { panic!("{content:?}") };
        assert_eq!((begin.title.as_str(), &begin.reference), ("Tape 12", &None));
    }

    #[test]
    fn twitchs_own_field_of_the_same_name_is_no_origin() {
        let content = Content::read(r#"{ "inferred": true, "event": {} }"#).unwrap();
        assert!(content.origin.is_none() && content.kind().is_none() && content.event.is_none());
    }
}
