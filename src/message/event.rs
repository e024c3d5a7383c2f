use super::segment::{
    SEGMENT_BEGIN, SEGMENT_CHANGE, SEGMENT_END, SEGMENT_REMOVE, SegmentBegin, SegmentChange, SegmentEnd, SegmentRemove,
};
use super::viewers::{STREAM_VIEWERS, StreamViewers};
use crate::twitch::payload;

/// An event that changes the state: one of Twitch's, or one of showtime's own.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Twitch's, sent or inferred.
    Twitch(payload::Event),
    /// A broadcaster began a segment.
    SegmentBegin(SegmentBegin),
    /// A broadcaster ended a segment.
    SegmentEnd(SegmentEnd),
    /// A broadcaster gave a segment another title or reference.
    SegmentChange(SegmentChange),
    /// A broadcaster took a segment back.
    SegmentRemove(SegmentRemove),
    /// How many viewers a stream had.
    StreamViewers(StreamViewers),
}

impl Event {
    /// Reads the `event` of a message of this type; `None` for types that change no state.
    ///
    /// # Errors
    /// If the type changes the state and the payload isn't in its shape.
    pub fn parse(kind: &str, json: &str) -> serde_json::Result<Option<Self>> {
        match kind {
            SEGMENT_BEGIN => serde_json::from_str(json).map(Self::SegmentBegin).map(Some),
            SEGMENT_END => serde_json::from_str(json).map(Self::SegmentEnd).map(Some),
            SEGMENT_CHANGE => serde_json::from_str(json).map(Self::SegmentChange).map(Some),
            SEGMENT_REMOVE => serde_json::from_str(json).map(Self::SegmentRemove).map(Some),
            STREAM_VIEWERS => serde_json::from_str(json).map(Self::StreamViewers).map(Some),
            kind => Ok(payload::Event::parse(kind, json)?.map(Self::Twitch)),
        }
    }
}
