//! How far the messages of each channel are kept: the time where a gap would begin.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use crate::metrics::Metrics;
use crate::twitch::id::ChannelId;

/// The progress of all channels. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    channels: Mutex<HashMap<ChannelId, Channel>>,
    /// How many messages were lost.
    lost: AtomicU64,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Channel {
    /// Every message that was read before the first one under way is kept, up to this time.
    kept_until: Option<OffsetDateTime>,
    /// Messages that were read and are not known to be kept, and those behind them, in the order of reading.
    under_way: VecDeque<Read>,
    /// The number of the first of these.
    first: u64,
    /// The messages that could be kept nowhere, until the gap is recorded.
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Read {
    at: OffsetDateTime,
    is_done: bool,
}

/// A message that was read. It is lost if the last clone is dropped before one of them was kept.
#[derive(Clone, Debug)]
pub(super) struct Ticket(Arc<Reading>);

#[derive(Debug)]
struct Reading {
    progress: Progress,
    channel: ChannelId,
    number: u64,
}

impl Ticket {
    /// Records that the message is in the log or in the spool.
    pub(super) fn keep(&self) {
        let Reading { progress, channel, number } = &*self.0;
        if let Some(channel) = progress.lock().get_mut(channel) {
            channel.finish(*number);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let is_lost = self.progress.lock().get_mut(&self.channel).is_some_and(|it| it.lose_unless_kept(self.number));
        if is_lost {
            self.progress.count_lost();
        }
    }
}

/// Messages of a channel that could be kept nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// The time up to which all messages before them are kept.
    pub(super) began_at: OffsetDateTime,
    /// The time of the last of them.
    pub(super) ended_at: OffsetDateTime,
}

impl Progress {
    /// Nothing was read yet.
    pub(super) fn new(metrics: Metrics) -> Self {
        Self(Arc::new(Shared { metrics, ..Shared::default() }))
    }

    /// Adds a message of this time.
    pub(super) fn begin(&self, channel: &ChannelId, at: OffsetDateTime) -> Ticket {
        let mut channels = self.lock();
        if !channels.contains_key(channel) {
            channels.insert(channel.clone(), Channel::default());
        }
        let number = channels.get_mut(channel).map_or(0, |it| {
            it.under_way.push_back(Read { at, is_done: false });
            it.first + it.under_way.len() as u64 - 1
        });
        Ticket(Arc::new(Reading { progress: self.clone(), channel: channel.clone(), number }))
    }

    /// Counts a message that could be kept nowhere.
    pub(super) fn count_lost(&self) {
        self.0.lost.fetch_add(1, Ordering::Relaxed);
        self.0.metrics.spool_dropped();
    }

    /// How many messages were lost since the server started.
    pub(super) fn lost_count(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// What was lost and is not in a recorded gap yet.
    pub(super) fn lost(&self) -> Vec<(ChannelId, Lost)> {
        self.lock().iter().filter_map(|(id, channel)| Some((id.clone(), channel.lost?))).collect()
    }

    /// Records that a gap says what was lost, unless more has been lost since.
    pub(super) fn forget_lost(&self, id: &ChannelId, recorded: Lost) {
        if let Some(channel) = self.lock().get_mut(id) {
            channel.lost.take_if(|lost| *lost == recorded);
        }
    }

    /// Up to when every message that was read is kept; `None` if none was.
    pub(super) fn kept_until(&self, channel: &ChannelId) -> Option<OffsetDateTime> {
        let channels = self.lock();
        let channel = channels.get(channel)?;
        channel.lost.map(|lost| lost.began_at).or(channel.kept_until)
    }

    /// No critical section can panic halfway.
    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelId, Channel>> {
        self.0.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    fn read(&mut self, number: u64) -> Option<&mut Read> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.under_way.get_mut(index)
    }

    /// Returns whether the message was lost.
    fn lose_unless_kept(&mut self, number: u64) -> bool {
        let Some(at) = self.read(number).filter(|read| !read.is_done).map(|read| read.at) else { return false };
        let lost = self.lost.get_or_insert(Lost { began_at: self.kept_until.unwrap_or(at).min(at), ended_at: at });
        (lost.began_at, lost.ended_at) = (lost.began_at.min(at), lost.ended_at.max(at));
        self.finish(number);
        true
    }

    fn finish(&mut self, number: u64) {
        if let Some(read) = self.read(number) {
            read.is_done = true;
        }
        while let Some(Read { at, .. }) = self.under_way.pop_front_if(|read| read.is_done) {
            self.first += 1;
            self.kept_until = self.kept_until.max(Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(second)
    }

    #[test]
    fn kept_time_stops_before_the_first_message_under_way() {
        let (progress, channel) = (Progress::default(), "1".parse().unwrap());
        assert_eq!(progress.kept_until(&channel), None);
        let tickets: Vec<_> = (1..=4).map(|second| progress.begin(&channel, at(second))).collect();
        tickets[1].keep();
        assert_eq!(progress.kept_until(&channel), None);
        tickets[0].keep();
        assert_eq!(progress.kept_until(&channel), Some(at(2)));
        tickets[3].keep();
        tickets[3].keep();
        assert_eq!(progress.kept_until(&channel), Some(at(2)));
        tickets[2].keep();
        assert_eq!(progress.kept_until(&channel), Some(at(4)));
        // A message that was overtaken does not turn the time back.
        progress.begin(&channel, at(3)).keep();
        assert_eq!(progress.kept_until(&channel), Some(at(4)));
    }

    #[test]
    fn kept_time_stays_before_lost_messages_until_their_gap_is_recorded() {
        let (progress, channel) = (Progress::default(), "1".parse().unwrap());
        for second in 1..=5 {
            let ticket = progress.begin(&channel, at(second));
            if !(3..=4).contains(&second) {
                ticket.keep();
            }
        }
        assert_eq!(progress.lost_count(), 2);
        let lost = Lost { began_at: at(2), ended_at: at(4) };
        assert_eq!((progress.kept_until(&channel), progress.lost()), (Some(at(2)), vec![(channel.clone(), lost)]));
        drop(progress.begin(&channel, at(6)));
        progress.forget_lost(&channel, lost);
        assert_eq!(progress.kept_until(&channel), Some(at(2)));
        progress.forget_lost(&channel, progress.lost()[0].1);
        assert_eq!((progress.kept_until(&channel), progress.lost()), (Some(at(6)), vec![]));
    }

    #[test]
    fn message_is_lost_when_every_attempt_to_keep_it_has_failed() {
        let (progress, channel) = (Progress::default(), "1".parse().unwrap());
        let _first = progress.begin(&channel, at(1));
        let [kept, lost] = [2, 3].map(|second| progress.begin(&channel, at(second)));
        let (spooled, submitted) = (kept.clone(), kept);
        drop(submitted);
        spooled.keep();
        drop(spooled);
        assert_eq!((progress.lost(), progress.lost_count()), (vec![], 0));
        let (spooled, submitted) = (lost.clone(), lost);
        drop(spooled);
        assert_eq!(progress.lost(), []);
        drop(submitted);
        assert_eq!((progress.lost().len(), progress.lost_count()), (1, 1));
    }
}
