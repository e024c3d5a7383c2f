//! What follows from all streams of a channel together: when each ended, and which of them are one
//! broadcast.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use super::{State, Stream};
use crate::twitch::id::{ChannelId, StreamId};

/// Streams with at most this much time between them belong to one broadcast: a dropped connection
/// does not end the show.
pub const MAX_PAUSE: Duration = Duration::minutes(15);

/// How far Helix may lag behind the notifications, generously: a stream that it shows longer than this after its end has
/// not ended.
pub const HELIX_LAG: Duration = Duration::minutes(5);

impl State {
    /// Derives the end and the broadcast of every stream. For each channel this state must hold
    /// all its streams and unnamed ends, or those from the first stream of some broadcast on.
    pub(super) fn derive_broadcasts(&mut self) {
        let mut channels: BTreeMap<ChannelId, Vec<(OffsetDateTime, StreamId)>> = BTreeMap::new();
        for (id, stream) in &mut self.streams {
            match &stream.began {
                Some(began) => channels.entry(stream.channel_id.clone()).or_default().push((began.at, id.clone())),
                // It can't be placed among the others before its beginning is known.
                None => {
                    let sent = stream.sent_end();
                    stream.ended_at = sent.or(stream.inferred_end());
                    stream.is_end_estimated = sent.is_none() && stream.ended_at.is_some();
                }
            }
        }
        for (channel_id, mut streams) in channels {
            streams.sort_unstable();
            self.derive_channel(&channel_id, &streams);
        }
    }

    fn derive_channel(&mut self, channel_id: &ChannelId, streams: &[(OffsetDateTime, StreamId)]) {
        let mut current: Option<Open> = None;
        for (index, (began_at, id)) in streams.iter().enumerate() {
            let next_began_at = streams.get(index + 1).map(|next| next.0);
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let unnamed_end = stream.unnamed_end(&self.stream_ends, channel_id, *began_at, next_began_at);
            let known_end = stream.derive_end(*began_at, unnamed_end, next_began_at);
            let open = match current.take() {
                Some(open) if open.is_resumed_at(*began_at) => open,
                _ => Open { broadcast_id: id.clone(), ended_at: None },
            };
            stream.broadcast_id = Some(open.broadcast_id.clone());
            current = Some(Open { ended_at: known_end.max(open.ended_at), ..open });
        }
    }
}

impl Stream {
    /// The time up to which no message can have ended the stream, because it was live later: Twitch sent that it is on, or
    /// showed it so long that this is no lag.
    fn live_until(&self) -> Option<OffsetDateTime> {
        self.online_at.max(self.shown_at.map(|at| at - HELIX_LAG))
    }

    /// Whether it is on, as far as messages about it tell.
    pub(super) fn is_on(&self) -> bool {
        self.sent_end().or(self.inferred_end()).is_none()
    }

    /// The first end that Twitch sent for this stream since it was last live.
    fn sent_end(&self) -> Option<OffsetDateTime> {
        self.offline_at.iter().find(|at| self.live_until().is_none_or(|live| live <= **at)).copied()
    }

    /// The first end without a stream id since it was last live, while this was the channel's newest stream.
    fn unnamed_end(
        &self,
        ends: &BTreeSet<(ChannelId, OffsetDateTime)>,
        channel_id: &ChannelId,
        began_at: OffsetDateTime,
        next_began_at: Option<OffsetDateTime>,
    ) -> Option<OffsetDateTime> {
        let since = self.live_until().map_or(began_at, |live| live.max(began_at));
        ends.range((channel_id.clone(), since)..)
            .next()
            .filter(|(channel, at)| channel == channel_id && next_began_at.is_none_or(|next| *at < next))
            .map(|(_, at)| *at)
    }

    /// An end that was inferred, unless the stream was live since.
    fn inferred_end(&self) -> Option<OffsetDateTime> {
        self.gone_at.filter(|gone| self.shown_at.max(self.online_at).is_none_or(|live| live < *gone))
    }

    /// Returns the end from which a pause can be measured; `None` if only the next stream shows that
    /// this one has ended. No stream continues the broadcast after such an end.
    fn derive_end(
        &mut self,
        began_at: OffsetDateTime,
        unnamed_end: Option<OffsetDateTime>,
        next_began_at: Option<OffsetDateTime>,
    ) -> Option<OffsetDateTime> {
        let sent = self.sent_end().map(|at| at.max(began_at)).or(unnamed_end);
        // An end that was inferred only after the next stream had begun is less exact than that beginning.
        let inferred = self.inferred_end().map(|at| at.max(began_at));
        let known = sent.or(inferred.filter(|at| next_began_at.is_none_or(|next| *at < next)));
        self.ended_at = known.or(next_began_at);
        self.is_end_estimated = sent.is_none() && self.ended_at.is_some();
        known
    }
}

/// The broadcast that the streams so far belong to.
struct Open {
    broadcast_id: StreamId,
    /// The latest end that is known.
    ended_at: Option<OffsetDateTime>,
}

impl Open {
    fn is_resumed_at(&self, began_at: OffsetDateTime) -> bool {
        self.ended_at.is_some_and(|ended_at| began_at - ended_at <= MAX_PAUSE)
    }
}
