//! Segments: parts of a channel's programme, which its broadcaster marks.

use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::content::SEGMENT;
use super::{Message, MessageType};
use crate::access::grant::{Grant, Scope};
use crate::clock::to_microseconds;
use crate::twitch::payload::{Broadcaster, Ident, User};

/// The type of [`SegmentBegin`].
pub const SEGMENT_BEGIN: &str = "showtime.segment.begin";

/// The type of [`SegmentEnd`].
pub const SEGMENT_END: &str = "showtime.segment.end";

/// The type of [`SegmentChange`].
pub const SEGMENT_CHANGE: &str = "showtime.segment.change";

/// The type of [`SegmentRemove`].
pub const SEGMENT_REMOVE: &str = "showtime.segment.remove";

/// `showtime.segment.begin` v1: the broadcaster began a segment.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SegmentBegin {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The segment's id.
    pub id: Ident,
    /// Its title.
    pub title: String,
    /// The broadcaster's own reference, such as a URL.
    pub reference: Option<String>,
}

/// `showtime.segment.end` v1: the broadcaster ended a segment.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SegmentEnd {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The segment's id.
    pub id: Ident,
}

/// `showtime.segment.change` v1: the broadcaster gave a segment another title or reference. What is absent stays.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SegmentChange {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The segment's id.
    pub id: Ident,
    /// Its title from now on.
    pub title: Option<String>,
    /// The broadcaster's own reference from now on; none if it is empty.
    pub reference: Option<String>,
}

/// `showtime.segment.remove` v1: the broadcaster took a segment back, as if it had never begun.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SegmentRemove {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The segment's id.
    pub id: Ident,
}

/// What a broadcaster says of a segment.
#[derive(Clone, Debug)]
pub struct Mark<'a> {
    /// The channel.
    pub broadcaster: &'a User,
    /// The segment's id.
    pub segment_id: &'a str,
    /// When it was marked.
    pub at: OffsetDateTime,
    /// What.
    pub edge: Edge<'a>,
}

/// The begin or the end of a segment, or what is said of it later.
#[derive(Clone, Copy, Debug)]
pub enum Edge<'a> {
    /// The segment begins.
    Begin {
        /// Its title.
        title: &'a str,
        /// The broadcaster's own reference, such as a URL.
        reference: Option<&'a str>,
    },
    /// The segment ends.
    End,
    /// The segment has another title or reference. What is `None` stays.
    Change {
        /// Its title.
        title: Option<&'a str>,
        /// The broadcaster's own reference, such as a URL; an empty one removes it.
        reference: Option<&'a str>,
    },
    /// The segment was a mistake.
    Remove,
}

/// Why a segment can't be marked.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// The token's scope does not include changes.
    #[error("the token may only read")]
    ReadOnly,
    /// The mark can't be read back.
    #[error("the mark can't be read back: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Message {
    /// A message that holds a mark. Its id follows from the mark, so a segment begins, ends and is removed once, however often
    /// it is marked.
    ///
    /// # Errors
    /// [`MarkError`]
    pub fn segment(grant: &Grant, mark: &Mark<'_>) -> Result<Box<Self>, MarkError> {
        if grant.scope() < Scope::Admin {
            return Err(MarkError::ReadOnly);
        }
        let Mark { broadcaster, segment_id, at, edge } = mark;
        let mut event = json!({
            "id": segment_id,
            "broadcaster_user_id": broadcaster.id.as_str(),
            "broadcaster_user_login": broadcaster.login,
            "broadcaster_user_name": broadcaster.display_name,
        });
        let at = to_microseconds(*at);
        let (kind, change) = match edge {
            Edge::Begin { title, reference } => {
                event["title"] = (*title).into();
                event["reference"] = (*reference).into();
                (SEGMENT_BEGIN, None)
            }
            Edge::End => (SEGMENT_END, None),
            Edge::Change { title, reference } => {
                // It may change more than once, and different fields of it at the same time.
                let mut change = format!(":{}", at.unix_timestamp_nanos() / 1_000);
                for (field, value) in [("title", title), ("reference", reference)] {
                    if let Some(value) = value {
                        event[field] = (*value).into();
                        change.extend([":", field]);
                    }
                }
                (SEGMENT_CHANGE, Some(change))
            }
            Edge::Remove => (SEGMENT_REMOVE, None),
        };
        let id = format!("{kind}:{segment_id}{}", change.unwrap_or_default());
        let subject = json!({ "type": kind, "version": "1", "channel_id": broadcaster.id.as_str() });
        let body = json!({ SEGMENT: subject, "event": event });
        Ok(Self::own(MessageType::Segment, id, at, &body)?)
    }
}
