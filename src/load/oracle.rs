//! The state that messages must add up to, worked out a second time: naively, from the messages alone, and without a line
//! of [`crate::projection`]. Load runs and the tests compare the database and the projection with it.

use std::collections::BTreeMap;
use std::fmt::Display;

use time::{Duration, OffsetDateTime};

use crate::store::ledger::{Anonymous, Stream, Subscribed, Viewer};

/// Streams of a channel with at most this much time between them are one broadcast.
const MAX_PAUSE: Duration = Duration::minutes(15);

/// A stream that Twitch's API shows longer than this after its end has not ended.
const MAX_LAG: Duration = Duration::minutes(5);

/// A message about a channel. `Id` is the type of the ids of channels, users and streams.
#[derive(Clone, Debug)]
pub struct Message<Id> {
    /// The message id.
    pub id: String,
    /// When it was sent.
    pub at: OffsetDateTime,
    /// The channel's id.
    pub channel: Id,
    /// What happened.
    pub event: Event<Id>,
}

/// An event, as far as it changes the state that the oracle knows.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Twitch's events, with `viewer` for the acting user")]
pub enum Event<Id> {
    Online {
        stream: Id,
        started_at: OffsetDateTime,
        is_inferred: bool,
    },
    Offline {
        stream: Option<Id>,
        is_inferred: bool,
    },
    Follow {
        viewer: Id,
        followed_at: OffsetDateTime,
    },
    Cheer {
        viewer: Option<Id>,
        bits: i64,
    },
    Gift {
        viewer: Option<Id>,
        total: i64,
    },
    Raid {
        viewer: Id,
        viewers: i64,
    },
    Subscribe {
        viewer: Id,
        tier: String,
    },
    SubscriptionEnd {
        viewer: Id,
        tier: String,
    },
    Resubscribe {
        viewer: Id,
        tier: String,
        months: i64,
    },
    /// Names the channel, and changes nothing else.
    Other,
}

/// The rows that must be in the tables.
#[derive(Clone, Debug)]
pub struct Oracle<Id> {
    /// By channel and user.
    pub viewers: BTreeMap<(Id, Id), Viewer>,
    /// By channel.
    pub channels: BTreeMap<Id, Anonymous>,
    streams: BTreeMap<Id, Reports<Id>>,
    /// When a stream of the channel ended, without the stream's id.
    unnamed_ends: BTreeMap<Id, Vec<OffsetDateTime>>,
}

/// What messages say about a stream.
#[derive(Clone, Debug)]
struct Reports<Id> {
    channel: Id,
    started_at: Option<OffsetDateTime>,
    told: Vec<Report>,
    inferred: Vec<Report>,
}

/// That a stream is live, or not.
#[derive(Clone, Copy, Debug)]
struct Report {
    at: OffsetDateTime,
    is_live: bool,
}

impl<Id> Default for Oracle<Id> {
    fn default() -> Self {
        Self {
            viewers: BTreeMap::new(),
            channels: BTreeMap::new(),
            streams: BTreeMap::new(),
            unnamed_ends: BTreeMap::new(),
        }
    }
}

impl<Id: Clone + Ord + Display> Oracle<Id> {
    /// Takes one more message into account. Each may be added once, in any order.
    pub fn add(&mut self, message: Message<Id>) {
        let Message { id, at, channel, event } = message;
        let anonymous = self.channels.entry(channel.clone()).or_default();
        match event {
            Event::Other => {}
            Event::Online { stream, started_at, is_inferred } => {
                let reports = self.reports(channel, stream);
                earliest(&mut reports.started_at, started_at.min(at));
                reports.add(is_inferred, Report { at, is_live: true });
            }
            Event::Offline { stream: None, .. } => self.unnamed_ends.entry(channel).or_default().push(at),
            Event::Offline { stream: Some(stream), is_inferred } => {
                self.reports(channel, stream).add(is_inferred, Report { at, is_live: false });
            }
            Event::Cheer { viewer: None, bits } => anonymous.bits += bits,
            Event::Gift { viewer: None, total } => anonymous.gifts += total,
            Event::Cheer { viewer: Some(viewer), bits } => {
                let viewer = self.viewer(channel, viewer);
                earliest(&mut viewer.first_bits_at, at);
                (viewer.bits, viewer.cheers) = (viewer.bits + bits, viewer.cheers + 1);
            }
            Event::Gift { viewer: Some(viewer), total } => {
                let viewer = self.viewer(channel, viewer);
                earliest(&mut viewer.first_gift_at, at);
                (viewer.gifts, viewer.gift_events) = (viewer.gifts + total, viewer.gift_events + 1);
            }
            Event::Raid { viewer, viewers } => {
                let viewer = self.viewer(channel, viewer);
                earliest(&mut viewer.first_raid_at, at);
                (viewer.raids, viewer.raid_viewers) = (viewer.raids + 1, viewer.raid_viewers + viewers);
            }
            Event::Follow { viewer, followed_at } => {
                earliest(&mut self.viewer(channel, viewer).first_followed_at, followed_at);
            }
            Event::Subscribe { viewer, tier } => {
                let subscription = newest(self.viewer(channel, viewer), at, id, true, tier);
                subscription.began_at = subscription.began_at.max(Some(at));
            }
            Event::SubscriptionEnd { viewer, tier } => {
                let subscription = newest(self.viewer(channel, viewer), at, id, false, tier);
                subscription.ended_at = subscription.ended_at.max(Some(at));
            }
            Event::Resubscribe { viewer, tier, months } => {
                let subscription = newest(self.viewer(channel, viewer), at, id, true, tier);
                subscription.months = subscription.months.max(Some(months));
            }
        }
    }

    fn viewer(&mut self, channel: Id, viewer: Id) -> &mut Viewer {
        self.viewers.entry((channel, viewer)).or_default()
    }

    fn reports(&mut self, channel: Id, stream: Id) -> &mut Reports<Id> {
        let none = Reports { channel, started_at: None, told: Vec::new(), inferred: Vec::new() };
        self.streams.entry(stream).or_insert(none)
    }

    /// Every stream, by id.
    #[must_use]
    pub fn streams(&self) -> BTreeMap<Id, Stream> {
        let mut streams = BTreeMap::new();
        let mut channels: BTreeMap<&Id, Vec<(OffsetDateTime, &Id)>> = BTreeMap::new();
        for (id, reports) in &self.streams {
            match reports.started_at {
                Some(at) => channels.entry(&reports.channel).or_default().push((at, id)),
                None => {
                    streams.insert(id.clone(), reports.without_start());
                }
            }
        }
        for (channel, mut started) in channels {
            started.sort_unstable();
            self.add_channel(channel, &started, &mut streams);
        }
        streams
    }

    /// Adds the streams of one channel, given in the order of their starts.
    fn add_channel(&self, channel: &Id, started: &[(OffsetDateTime, &Id)], streams: &mut BTreeMap<Id, Stream>) {
        let unnamed_ends = self.unnamed_ends.get(channel).map_or(&[][..], Vec::as_slice);
        // The broadcast so far: its first stream, and the latest end that a message told or implied.
        let (mut first, mut last_end) = (None, None);
        for (index, (started_at, id)) in started.iter().enumerate() {
            let reports = &self.streams[*id];
            let next = started.get(index + 1).map(|next| next.0);
            let is_before_next = |at: &OffsetDateTime| next.is_none_or(|next| *at < next);
            let is_possible =
                |at: &&OffsetDateTime| **at >= *started_at && is_before_next(at) && reports.may_end_at(**at);
            let unnamed_end = unnamed_ends.iter().filter(is_possible).min().copied();
            let told = reports.told_end().map(|at| at.max(*started_at)).or(unnamed_end);
            let inferred = reports.inferred_end().map(|at| at.max(*started_at)).filter(is_before_next);
            let end = told.or(inferred);
            if last_end.is_none_or(|last_end| *started_at - last_end > MAX_PAUSE) {
                (first, last_end) = (Some(*id), None);
            }
            last_end = last_end.max(end);
            let row = Stream {
                channel_id: channel.to_string(),
                started_at: Some(*started_at),
                ended_at: end.or(next),
                is_end_estimated: told.is_none() && end.or(next).is_some(),
                broadcast_id: first.map(ToString::to_string),
            };
            streams.insert((*id).clone(), row);
        }
    }
}

impl<Id: Display> Reports<Id> {
    fn add(&mut self, is_inferred: bool, report: Report) {
        if is_inferred { &mut self.inferred } else { &mut self.told }.push(report);
    }

    /// Whether nothing contradicts that it ended then: Twitch did not send later that it is live, and did not show it much
    /// later.
    fn may_end_at(&self, end: OffsetDateTime) -> bool {
        let is_later = |report: &Report| report.is_live && report.at > end;
        let is_much_later = |report: &Report| report.is_live && report.at > end + MAX_LAG;
        !self.told.iter().any(is_later) && !self.inferred.iter().any(is_much_later)
    }

    fn told_end(&self) -> Option<OffsetDateTime> {
        let ends = self.told.iter().filter(|report| !report.is_live && self.may_end_at(report.at));
        ends.map(|report| report.at).min()
    }

    /// The newest inference that it is not live, unless anything newer, or as new, says that it is.
    fn inferred_end(&self) -> Option<OffsetDateTime> {
        let gone_at = self.inferred.iter().filter(|report| !report.is_live).map(|report| report.at).max()?;
        let is_contradicted =
            self.told.iter().chain(&self.inferred).any(|report| report.is_live && report.at >= gone_at);
        (!is_contradicted).then_some(gone_at)
    }

    /// The row of a stream whose start is not known.
    fn without_start(&self) -> Stream {
        let ended_at = self.told_end().or(self.inferred_end());
        let is_end_estimated = self.told_end().is_none() && ended_at.is_some();
        Stream { channel_id: self.channel.to_string(), ended_at, is_end_estimated, ..Stream::default() }
    }
}

/// The viewer's subscription, after a message about it.
fn newest(viewer: &mut Viewer, at: OffsetDateTime, by: String, is_subscribed: bool, tier: String) -> &mut Subscribed {
    let message = Subscribed { is_subscribed, tier, at, by, began_at: None, ended_at: None, months: None };
    let known = viewer.subscription.get_or_insert_with(|| Box::new(message.clone()));
    if (known.at, &known.by) < (message.at, &message.by) {
        let Subscribed { began_at, ended_at, months, .. } = **known;
        **known = Subscribed { began_at, ended_at, months, ..message };
    }
    known
}

fn earliest(slot: &mut Option<OffsetDateTime>, at: OffsetDateTime) {
    *slot = Some(slot.map_or(at, |known| known.min(at)));
}
