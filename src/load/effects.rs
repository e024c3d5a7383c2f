//! What must have come of messages, worked out a second time: naively, from the messages alone, and
//! without a line of [`crate::projection`], which it judges.

use std::collections::HashMap;

use time::{Duration, OffsetDateTime};

use super::event::{Event, Kind};
use super::run::Run;
use crate::store::ledger::{Anonymous, Stream, Subscribed, Viewer};

/// Streams of a channel with at most this much between them are one broadcast, as docs/api.md says.
const PAUSE: Duration = Duration::minutes(15);

/// What must be in the tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    /// By channel and viewer.
    pub(super) viewers: HashMap<(u32, u32), Viewer>,
    /// By channel.
    pub(super) channels: HashMap<u32, Anonymous>,
    streams: HashMap<u64, Told>,
}

/// What messages said of a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    channel: u32,
    online_at: Option<OffsetDateTime>,
    offline_at: Option<OffsetDateTime>,
}

impl Effects {
    /// Takes one more message into account, once.
    pub(super) fn add(&mut self, event: &Event, at: OffsetDateTime, id: &str) {
        if event.kind == Kind::Chat {
            return;
        }
        let anonymous = self.channels.entry(event.channel).or_default();
        let amount = i64::from(event.amount);
        match event.kind {
            Kind::AnonymousCheer => anonymous.bits += amount,
            Kind::AnonymousGift => anonymous.gifts += amount,
            Kind::Online | Kind::Offline => self.told(event, at),
            Kind::Chat | Kind::Update => {}
            _ => {
                let viewer = self.viewers.entry((event.channel, event.viewer)).or_default();
                did(viewer, event, at, id);
            }
        }
    }

    fn told(&mut self, event: &Event, at: OffsetDateTime) {
        let told = self.streams.entry(event.stream).or_default();
        told.channel = event.channel;
        match event.kind {
            Kind::Online => told.online_at = Some(at.replace_nanosecond(0).unwrap_or(at)),
            _ => told.offline_at = Some(at),
        }
    }

    /// Every stream, by its number.
    pub(super) fn streams(&self, run: Run) -> HashMap<u64, Stream> {
        let mut channels: HashMap<u32, Vec<(OffsetDateTime, u64)>> = HashMap::new();
        let mut streams = HashMap::new();
        for (number, told) in &self.streams {
            match told.online_at {
                Some(at) => channels.entry(told.channel).or_default().push((at, *number)),
                None => {
                    let channel_id = run.channel_id(told.channel).to_string();
                    streams.insert(*number, Stream { channel_id, ended_at: told.offline_at, ..Stream::default() });
                }
            }
        }
        for mut begun in channels.into_values() {
            begun.sort_unstable();
            self.broadcasts(run, &begun, &mut streams);
        }
        streams
    }

    /// The streams of one channel, in the order in which they began.
    fn broadcasts(&self, run: Run, begun: &[(OffsetDateTime, u64)], streams: &mut HashMap<u64, Stream>) {
        // Of the broadcast so far: its first stream, and the last end that was told.
        let (mut first, mut ended) = (0, None);
        for (index, (started_at, number)) in begun.iter().enumerate() {
            let told = self.streams[number];
            let offline_at = told.offline_at.map(|at| at.max(*started_at));
            let goes_on = ended.is_some_and(|ended| *started_at - ended <= PAUSE);
            if !goes_on {
                (first, ended) = (*number, None);
            }
            ended = ended.max(offline_at);
            let ended_at = offline_at.or_else(|| begun.get(index + 1).map(|next| next.0));
            streams.insert(
                *number,
                Stream {
                    channel_id: run.channel_id(told.channel).to_string(),
                    started_at: Some(*started_at),
                    ended_at,
                    is_end_estimated: offline_at.is_none() && ended_at.is_some(),
                    broadcast_id: Some(run.stream_id(first).to_string()),
                },
            );
        }
    }
}

fn did(viewer: &mut Viewer, event: &Event, at: OffsetDateTime, id: &str) {
    let amount = i64::from(event.amount);
    match event.kind {
        Kind::Follow => first(&mut viewer.first_followed_at, at),
        Kind::Cheer => {
            first(&mut viewer.first_bits_at, at);
            viewer.bits += amount;
            viewer.cheers += 1;
        }
        Kind::Gift => {
            first(&mut viewer.first_gift_at, at);
            viewer.gifts += amount;
            viewer.gift_events += 1;
        }
        Kind::Subscribe | Kind::SubscriptionEnd | Kind::Resubscribe => subscribed(viewer, event, at, id),
        _ => {}
    }
}

fn subscribed(viewer: &mut Viewer, event: &Event, at: OffsetDateTime, id: &str) {
    let (is_subscribed, tier) = (event.kind != Kind::SubscriptionEnd, event.tier.to_string());
    let newest = viewer.subscription.get_or_insert_with(|| {
        let (tier, by) = (tier.clone(), id.to_owned());
        Box::new(Subscribed { is_subscribed, tier, at, by, began_at: None, ended_at: None, months: None })
    });
    if (newest.at, newest.by.as_str()) < (at, id) {
        (newest.is_subscribed, newest.tier, newest.at, newest.by) = (is_subscribed, tier, at, id.to_owned());
    }
    match event.kind {
        Kind::Subscribe => newest.began_at = newest.began_at.max(Some(at)),
        Kind::SubscriptionEnd => newest.ended_at = newest.ended_at.max(Some(at)),
        _ => newest.months = newest.months.max(Some(i64::from(event.amount))),
    }
}

fn first(slot: &mut Option<OffsetDateTime>, at: OffsetDateTime) {
    *slot = Some(slot.map_or(at, |known| known.min(at)));
}
