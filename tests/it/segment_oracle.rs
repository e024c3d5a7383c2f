//! What segments should be, worked out without the projection.

use std::collections::BTreeMap;

use showtime::message::segment::{SEGMENT_BEGIN, SEGMENT_CHANGE, SEGMENT_END, SEGMENT_REMOVE};
use showtime::projection::State;
use showtime::twitch::id::StreamId;
use time::OffsetDateTime;

use crate::fold::{HistoryMessage, Streams};

/// Works out the segments naively, from the messages and the oracle's streams.
pub(crate) fn assert_segments_match(state: &State, history: &[HistoryMessage], streams: &Streams) {
    let marks = |kind: &str| -> Vec<(&str, OffsetDateTime)> {
        let marks = history.iter().filter(|message| message.kind == kind);
        marks.map(|message| (message.event["id"].as_str().unwrap(), message.at)).collect()
    };
    let (all, ends, removals) = (marks(SEGMENT_BEGIN), marks(SEGMENT_END), marks(SEGMENT_REMOVE));
    let is_removed = |id: &str| removals.iter().any(|(removed, _)| *removed == id);
    let begins: Vec<_> = all.iter().filter(|(id, _)| !is_removed(id)).collect();
    let broadcasts: Vec<(&str, OffsetDateTime, Option<OffsetDateTime>)> = streams
        .values()
        .filter_map(|stream| stream.broadcast_id.as_deref())
        .map(|broadcast| {
            let parts = || streams.values().filter(|stream| stream.broadcast_id.as_deref() == Some(broadcast));
            let start = parts().map(|stream| stream.started_at.unwrap()).min().unwrap();
            let is_over = parts().all(|stream| stream.ended_at.is_some());
            (broadcast, start, parts().filter_map(|stream| stream.ended_at).max().filter(|_| is_over))
        })
        .collect();

    let mut expected = BTreeMap::new();
    for (id, began) in begins.iter().copied() {
        let marked = ends.iter().filter(|(ended, _)| ended == id).map(|(_, at)| *at.max(began));
        let followed = begins.iter().filter(|(next, at)| (at, next) > (began, id)).map(|(_, at)| *at);
        let broadcast_ends = broadcasts.iter().filter_map(|(_, _, end)| *end).filter(|end| end > began);
        let ended = marked.chain(followed).chain(broadcast_ends).min();
        let broadcast = broadcasts.iter().find(|(_, start, end)| {
            end.is_none_or(|end| end > *began) && (start <= began || ended.is_none_or(|ended| *start < ended))
        });
        expected.insert(id.to_string(), (Some(*began), ended, broadcast.map(|(id, ..)| id.to_string())));
    }
    for (id, at) in &ends {
        expected.entry(id.to_string()).or_insert((None, Some(*at), None));
    }
    for (id, began) in &all {
        expected.entry(id.to_string()).or_insert((Some(*began), None, None));
    }
    for (id, _) in marks(SEGMENT_CHANGE).iter().chain(&removals) {
        expected.entry(id.to_string()).or_insert((None, None, None));
    }
    for (id, (began, ended, broadcast)) in &mut expected {
        if is_removed(id) {
            *began = all.iter().find(|(known, _)| known == id).map(|(_, at)| *at);
            (*ended, *broadcast) = (None, None);
        }
    }
    let segments = state.segments.iter().map(|(id, segment)| {
        (id.clone(), (segment.began_at, segment.ended_at, segment.broadcast_id.as_ref().map(StreamId::to_string)))
    });
    assert_eq!(segments.collect::<BTreeMap<_, _>>(), expected);
    for (id, segment) in &state.segments {
        // The begin says both, a change what it has.
        let said = |field: &str| {
            let is_said = |it: &&HistoryMessage| {
                let is_change = it.kind == SEGMENT_CHANGE && it.event[field].is_string();
                it.event["id"] == *id && (it.kind == SEGMENT_BEGIN || is_change)
            };
            history.iter().filter(is_said).max_by_key(|it| (it.at, it.id.clone())).and_then(|it| it.text(field))
        };
        assert_eq!(segment.title.as_ref().map(|it| it.value.clone()), said("title"), "{id}");
        let reference = said("reference").filter(|reference| !reference.is_empty());
        assert_eq!(segment.reference.as_ref().and_then(|it| it.value.clone()), reference, "{id}");
        assert_eq!(segment.removed_at.is_some(), is_removed(id), "{id}");
    }
}
