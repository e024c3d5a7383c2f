//! How far the messages of each channel are kept: the time where a gap would begin.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// The progress of all channels. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Mutex<HashMap<ChannelId, Channel>>>);

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

/// A message that was read.
#[derive(Debug)]
pub(super) struct Ticket {
    channel: ChannelId,
    number: u64,
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
        Ticket { channel: channel.clone(), number }
    }

    /// Records that a message is in the log or in the spool.
    pub(super) fn keep(&self, ticket: &Ticket) {
        if let Some(channel) = self.lock().get_mut(&ticket.channel) {
            channel.finish(ticket.number);
        }
    }

    /// Records that a message could be kept nowhere.
    pub(super) fn lose(&self, ticket: &Ticket) {
        let mut channels = self.lock();
        let Some(channel) = channels.get_mut(&ticket.channel) else { return };
        let Some(at) = channel.read(ticket.number).map(|read| read.at) else { return };
        let lost =
            channel.lost.get_or_insert(Lost { began_at: channel.kept_until.unwrap_or(at).min(at), ended_at: at });
        (lost.began_at, lost.ended_at) = (lost.began_at.min(at), lost.ended_at.max(at));
        channel.finish(ticket.number);
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    fn read(&mut self, number: u64) -> Option<&mut Read> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.under_way.get_mut(index)
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
        progress.keep(&tickets[1]);
        assert_eq!(progress.kept_until(&channel), None);
        progress.keep(&tickets[0]);
        assert_eq!(progress.kept_until(&channel), Some(at(2)));
        progress.keep(&tickets[3]);
        progress.keep(&tickets[3]);
        assert_eq!(progress.kept_until(&channel), Some(at(2)));
        progress.keep(&tickets[2]);
        assert_eq!(progress.kept_until(&channel), Some(at(4)));
        // A message that was overtaken does not turn the time back.
        progress.keep(&progress.begin(&channel, at(3)));
        assert_eq!(progress.kept_until(&channel), Some(at(4)));
    }

    #[test]
    fn kept_time_stays_before_lost_messages_until_their_gap_is_recorded() {
        let (progress, channel) = (Progress::default(), "1".parse().unwrap());
        for second in 1..=5 {
            let ticket = progress.begin(&channel, at(second));
            if (3..=4).contains(&second) { progress.lose(&ticket) } else { progress.keep(&ticket) }
        }
        let lost = Lost { began_at: at(2), ended_at: at(4) };
        assert_eq!((progress.kept_until(&channel), progress.lost()), (Some(at(2)), vec![(channel.clone(), lost)]));
        progress.lose(&progress.begin(&channel, at(6)));
        progress.forget_lost(&channel, lost);
        assert_eq!(progress.kept_until(&channel), Some(at(2)));
        progress.forget_lost(&channel, progress.lost()[0].1);
        assert_eq!((progress.kept_until(&channel), progress.lost()), (Some(at(6)), vec![]));
    }
}
