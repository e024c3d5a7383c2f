//! Segments: parts of the programme that a broadcaster marks. A segment ends when the broadcaster ends it, when the next one
//! begins, or when the broadcast ends, whichever comes first. One that was removed neither ends another one nor is part of a
//! broadcast.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::merge::{Latest, Stamp, earliest};
use super::{State, Stream};
use crate::message::segment::{SegmentBegin, SegmentChange, SegmentEnd, SegmentRemove};
use crate::twitch::id::{ChannelId, StreamId};
use crate::twitch::payload::{Ident, User};

/// A part of a channel's programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The channel.
    pub channel_id: ChannelId,
    /// When it began; its end may arrive first.
    pub began_at: Option<OffsetDateTime>,
    /// Its title, as the broadcaster said last.
    pub title: Option<Latest<String>>,
    /// The broadcaster's own reference, such as a URL, as said last.
    pub reference: Option<Latest<Option<String>>>,
    /// When the broadcaster ended it.
    pub end_marked_at: Option<OffsetDateTime>,
    /// When the broadcaster removed it.
    pub removed_at: Option<OffsetDateTime>,
    /// Derived: when it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// Derived: the broadcast during which it was on, if there was one.
    pub broadcast_id: Option<StreamId>,
}

/// A broadcast, as far as segments depend on it.
struct Broadcast {
    id: StreamId,
    started_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

impl State {
    pub(super) fn segment_begin(&mut self, stamp: &Stamp, begin: &SegmentBegin) {
        let SegmentBegin { broadcaster, id, title, reference } = begin;
        let segment = self.segment(stamp, id, broadcaster);
        earliest(&mut segment.began_at, stamp.at);
        said(&mut segment.title, stamp, title.clone());
        said(&mut segment.reference, stamp, reference.clone());
    }

    pub(super) fn segment_change(&mut self, stamp: &Stamp, change: &SegmentChange) {
        let SegmentChange { broadcaster, id, title, reference } = change;
        let segment = self.segment(stamp, id, broadcaster);
        if let Some(title) = title {
            said(&mut segment.title, stamp, title.clone());
        }
        if let Some(reference) = reference {
            said(&mut segment.reference, stamp, Some(reference.clone()).filter(|reference| !reference.is_empty()));
        }
    }

    pub(super) fn segment_remove(&mut self, stamp: &Stamp, remove: &SegmentRemove) {
        earliest(&mut self.segment(stamp, &remove.id, &remove.broadcaster).removed_at, stamp.at);
    }

    pub(super) fn segment_end(&mut self, stamp: &Stamp, end: &SegmentEnd) {
        earliest(&mut self.segment(stamp, &end.id, &end.broadcaster).end_marked_at, stamp.at);
    }

    /// A mark carries the names that were known at the time, so it gets the oldest stamp: names that Twitch sent win.
    fn segment(&mut self, stamp: &Stamp, id: &Ident, broadcaster: &User) -> &mut Segment {
        self.channel(&Stamp { at: OffsetDateTime::UNIX_EPOCH, by: stamp.by.clone() }, broadcaster);
        self.segments.entry(id.as_str().to_owned()).or_insert_with(|| Segment {
            channel_id: broadcaster.id.channel(),
            began_at: None,
            title: None,
            reference: None,
            end_marked_at: None,
            removed_at: None,
            ended_at: None,
            broadcast_id: None,
        })
    }

    /// Derives the end and the broadcast of every segment, from its channel's other segments and
    /// broadcasts.
    pub(super) fn derive_segments(&mut self) {
        if self.segments.is_empty() {
            return;
        }
        let broadcasts = broadcasts(&self.streams);
        let mut channels: BTreeMap<ChannelId, Vec<(OffsetDateTime, String)>> = BTreeMap::new();
        for (id, segment) in &mut self.segments {
            match (segment.began_at, segment.removed_at) {
                (Some(at), None) => channels.entry(segment.channel_id.clone()).or_default().push((at, id.clone())),
                // It can't be placed among the others before its beginning is known.
                (None, None) => segment.ended_at = segment.end_marked_at,
                (_, Some(_)) => (segment.ended_at, segment.broadcast_id) = (None, None),
            }
        }
        for (channel_id, mut segments) in channels {
            segments.sort_unstable();
            let broadcasts = broadcasts.get(&channel_id).map_or(&[][..], Vec::as_slice);
            for (index, (began_at, id)) in segments.iter().enumerate() {
                let next_began_at = segments.get(index + 1).map(|next| next.0);
                let Some(segment) = self.segments.get_mut(id) else { continue };
                segment.derive(*began_at, next_began_at, broadcasts);
            }
        }
    }
}

/// Each field is merged by itself: changes of different fields that are made at once are all kept.
fn said<T>(field: &mut Option<Latest<T>>, stamp: &Stamp, value: T) {
    Latest { stamp: stamp.clone(), value }.merge_into(field);
}

impl Segment {
    /// `broadcasts` are the channel's, oldest first.
    fn derive(&mut self, began_at: OffsetDateTime, next_began_at: Option<OffsetDateTime>, broadcasts: &[Broadcast]) {
        // Broadcasts don't overlap, and the end of one ends the segment: this is the only one that
        // it can have been a part of, though it may begin before it.
        let over =
            broadcasts.partition_point(|broadcast| broadcast.ended_at.is_some_and(|ended_at| ended_at <= began_at));
        let broadcast = broadcasts.get(over);
        let marked = self.end_marked_at.map(|at| at.max(began_at));
        self.ended_at =
            [marked, next_began_at, broadcast.and_then(|broadcast| broadcast.ended_at)].into_iter().flatten().min();
        let was_on = |broadcast: &&Broadcast| {
            broadcast.started_at <= began_at || self.ended_at.is_none_or(|ended_at| broadcast.started_at < ended_at)
        };
        self.broadcast_id = broadcast.filter(was_on).map(|broadcast| broadcast.id.clone());
    }
}

/// Each channel's broadcasts, oldest first, as their streams make them.
fn broadcasts(streams: &BTreeMap<StreamId, Stream>) -> BTreeMap<ChannelId, Vec<Broadcast>> {
    let mut all: BTreeMap<&StreamId, (&ChannelId, Broadcast)> = BTreeMap::new();
    for stream in streams.values() {
        let (Some(began), Some(id)) = (&stream.began, &stream.broadcast_id) else { continue };
        let part = Broadcast { id: id.clone(), started_at: began.at, ended_at: stream.ended_at };
        all.entry(id).and_modify(|(_, broadcast)| broadcast.add(&part)).or_insert((&stream.channel_id, part));
    }
    let mut broadcasts: BTreeMap<ChannelId, Vec<Broadcast>> = BTreeMap::new();
    for (channel_id, broadcast) in all.into_values() {
        broadcasts.entry(channel_id.clone()).or_default().push(broadcast);
    }
    for broadcasts in broadcasts.values_mut() {
        // Stable: those that started at once stay in the order of their ids, as streams are.
        broadcasts.sort_by_key(|broadcast| broadcast.started_at);
    }
    broadcasts
}

impl Broadcast {
    fn add(&mut self, part: &Self) {
        self.started_at = self.started_at.min(part.started_at);
        self.ended_at = self.ended_at.zip(part.ended_at).map(|(one, other)| one.max(other));
    }
}
