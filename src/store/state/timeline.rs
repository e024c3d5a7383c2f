//! Streams, broadcasts and segments: what is derived from several messages of a channel at once. It depends on what comes
//! before and after in the same channel, so more rows are loaded than the messages touch.

use sqlx::PgConnection;

use super::earliest::Earliest;
use super::{segments, streams};
use crate::projection::State;

/// Whether the messages touch a stream or a segment.
pub(super) fn is_touched(changes: &State) -> bool {
    !(changes.streams.is_empty() && changes.stream_ends.is_empty() && changes.segments.is_empty())
}

/// Loads the touched rows, and the others that [`State::derive`] needs. For each channel these are the segments from the
/// last one on that began before the previous broadcast (the one before the earliest touched time), and the streams from
/// the broadcast on that precedes this segment (or else the earliest touched time).
pub(super) async fn load(conn: &mut PgConnection, changes: &State) -> sqlx::Result<State> {
    let mut stored = State {
        streams: streams::with_ids(conn, &changes.streams).await?,
        segments: segments::with_ids(conn, &changes.segments).await?,
        ..State::default()
    };
    let mut earliest = Earliest::default();
    include_starts(&mut earliest, changes);
    include_starts(&mut earliest, &stored);
    for (channel_id, at) in &changes.stream_ends {
        earliest.include(channel_id, Some(*at));
    }
    stored.segments.extend(segments::from_before_previous_broadcast(conn, &earliest).await?);
    include_starts(&mut earliest, &stored);
    stored.streams.extend(streams::from_previous_broadcast(conn, &earliest).await?);
    include_starts(&mut earliest, &stored);
    stored.stream_ends = streams::ends_since(conn, &earliest).await?;
    Ok(stored)
}

/// Writes streams and segments back.
pub(super) async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    streams::save(conn, &state.streams).await?;
    streams::save_ends(conn, &state.stream_ends).await?;
    segments::save(conn, &state.segments).await
}

/// Takes into account when the streams and segments of a state began.
fn include_starts(earliest: &mut Earliest, state: &State) {
    for stream in state.streams.values() {
        earliest.include(&stream.channel_id, stream.began.as_ref().map(|began| began.at));
    }
    for segment in state.segments.values() {
        earliest.include(&segment.channel_id, segment.began_at);
    }
}
