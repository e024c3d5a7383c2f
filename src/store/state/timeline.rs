//! What the ends of streams and segments and the bounds of broadcasts are derived from. All of it
//! depends on what comes before and after in the same channel, so more is loaded than is touched.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::streams::Streams;
use super::{segments, streams};
use crate::projection::{Segment, State, Stream};

pub(super) type Segments = BTreeMap<String, Segment>;

/// By channel.
type Moments = BTreeMap<String, OffsetDateTime>;

/// Whether anything is touched from which something is derived.
pub(super) fn is_touched(state: &State) -> bool {
    !(state.streams.is_empty() && state.stream_ends.is_empty() && state.segments.is_empty())
}

/// Loads what is touched, and what [`State::derive`] needs beside it: of each channel the segments
/// from the last one that began before the broadcast before the earliest touched moment, and the
/// streams from the broadcast before that segment (or else that moment).
pub(super) async fn load(conn: &mut PgConnection, touched: &State) -> sqlx::Result<State> {
    let mut streams = streams::named(conn, touched).await?;
    let mut segments = segments::named(conn, touched).await?;
    let mut moments = earliest_moments(touched, &streams, &segments);
    segments.extend(segments::from_before_broadcast(conn, &moments).await?);
    for segment in segments.values() {
        note(&mut moments, &segment.channel_id, segment.began.as_ref().map(|began| began.at));
    }
    streams.extend(streams::from_broadcast_before(conn, &moments).await?);
    for stream in streams.values() {
        note(&mut moments, &stream.channel_id, stream.began.as_ref().map(|began| began.at));
    }
    let stream_ends = streams::ends_since(conn, &moments).await?;
    Ok(State { streams, stream_ends, segments, ..State::default() })
}

/// Writes it back.
pub(super) async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    streams::save(conn, state).await?;
    segments::save(conn, state).await
}

/// The earliest time at which a touched stream or segment begins, or a touched end lies.
fn earliest_moments(touched: &State, streams: &Streams, segments: &Segments) -> Moments {
    let mut moments = Moments::new();
    let began = |stream: &Stream| stream.began.as_ref().map(|began| began.at);
    for (id, stream) in &touched.streams {
        note(&mut moments, &stream.channel_id, began(stream));
        note(&mut moments, &stream.channel_id, streams.get(id).and_then(began));
    }
    for (channel_id, at) in &touched.stream_ends {
        note(&mut moments, channel_id, Some(*at));
    }
    let began = |segment: &Segment| segment.began.as_ref().map(|began| began.at);
    for (id, segment) in &touched.segments {
        note(&mut moments, &segment.channel_id, began(segment));
        note(&mut moments, &segment.channel_id, segments.get(id).and_then(began));
    }
    moments
}

fn note(moments: &mut Moments, channel_id: &str, at: Option<OffsetDateTime>) {
    let Some(at) = at else { return };
    moments.entry(channel_id.to_owned()).and_modify(|known| *known = at.min(*known)).or_insert(at);
}

/// Two parameters of a statement.
pub(super) fn columns(moments: &Moments) -> (Vec<String>, Vec<OffsetDateTime>) {
    moments.iter().map(|(channel_id, at)| (channel_id.clone(), *at)).unzip()
}
