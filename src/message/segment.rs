//! Segments: parts of a channel's programme, which its broadcaster marks.

use serde::Deserialize;

use crate::twitch::payload::{Broadcaster, Ident};

/// The type of [`SegmentBegin`].
pub const SEGMENT_BEGIN: &str = "showtime.segment.begin";

/// The type of [`SegmentEnd`].
pub const SEGMENT_END: &str = "showtime.segment.end";

/// `showtime.segment.begin` v1: the broadcaster began a segment.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SegmentBegin {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The segment's id.
    pub id: Ident,
    /// What is on.
    pub title: String,
    /// Where to find it, in the broadcaster's own words.
    pub reference: Option<String>,
}

/// `showtime.segment.end` v1: the broadcaster ended a segment.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SegmentEnd {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The segment's id.
    pub id: Ident,
}
