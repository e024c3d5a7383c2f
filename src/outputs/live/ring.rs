//! The newest part of the log, in memory, shared by all readers of a process.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entry::Entry;
use crate::store::LogId;
use crate::store::read::live::{Lost, Version};

/// Maximum number of entries.
const MAX_ENTRIES: usize = 4_096;

/// Maximum size of all payloads, in bytes. Frames add up to three times as much for each feed with readers.
const MAX_BYTES: usize = 16 << 20;

/// The last entries. Each has a position, one more than the entry before it. A reader at a position that has been
/// dropped was too slow.
#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// The position of the oldest entry.
    first: u64,
    /// All events with a greater id, up to `cursor`, are in the ring.
    since: LogId,
    /// The newest id of the log; `None` until the log has been read.
    cursor: Option<LogId>,
    /// The version of the log that the entries are from.
    version: Version,
    /// The ids of that version that are cursors no more.
    lost: Lost,
    /// Whether the server is stopping.
    is_over: bool,
}

impl Ring {
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn cursor(&self) -> Option<LogId> {
        self.cursor
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The position behind the newest entry.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry at a position; `None` at the end. An error if it has been dropped.
    pub(super) fn get(&self, position: u64) -> Result<Option<&Arc<Entry>>, Gone> {
        let index = position.checked_sub(self.first).ok_or(Gone)?;
        Ok(usize::try_from(index).ok().and_then(|index| self.entries.get(index)))
    }

    /// The position of the first entry behind this log id; `None` if the ring does not have all of them.
    pub(super) fn position_after(&self, cursor: LogId) -> Option<u64> {
        let is_here = self.since <= cursor && self.cursor.is_some() && self.lost.reason(cursor).is_none();
        is_here.then(|| self.first + self.entries.partition_point(|entry| entry.cursor <= cursor) as u64)
    }

    /// From the newest entry to the oldest.
    pub(super) fn backwards(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().rev()
    }

    /// Fills the empty ring with the last entries of the log: all behind `since`, up to `cursor`.
    pub(super) fn begin(&mut self, entries: Vec<Entry>, since: LogId, cursor: LogId, (version, lost): (Version, Lost)) {
        (self.version, self.lost) = (version, lost);
        self.since = since;
        self.extend(entries);
        self.cursor = Some(cursor);
    }

    pub(super) fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.cursor = Some(entry.cursor);
            self.bytes += entry.weight();
            self.entries.push_back(Arc::new(entry));
        }
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.weight();
            self.first += 1;
            self.since = oldest.cursor;
        }
    }

    /// Drops everything, because no reader is left or because events were emptied or deleted. It is filled again before
    /// the next reader reads: positions go on.
    pub(super) fn forget(&mut self) {
        *self = Self { first: self.end(), is_over: self.is_over, ..Self::default() };
    }

    /// Drops everything because the log has been emptied. All readers are disconnected.
    pub(super) fn reset(&mut self) {
        *self = Self { first: self.end() + 1, is_over: self.is_over, ..Self::default() };
    }

    pub(super) fn stop(&mut self) {
        self.is_over = true;
    }
}

/// The entry has been dropped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use sqlx::types::Json;
    use time::OffsetDateTime;

    use super::*;
    use crate::store::read::events::LoggedEvent;

    fn logged(id: i64, bytes: usize) -> LoggedEvent {
        LoggedEvent {
            id: LogId(id),
            message_id: id.to_string(),
            message_type: "notification".to_owned(),
            kind: None,
            version: None,
            channel_id: None,
            subscription_id: None,
            occurred_at: OffsetDateTime::UNIX_EPOCH,
            received_at: OffsetDateTime::UNIX_EPOCH,
            payload: Json(RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap()),
            is_test: false,
            channel_login: None,
            channel_name: None,
            repeats: None,
            repeated_on: None,
            is_echo: false,
        }
    }

    fn ring(ids: impl IntoIterator<Item = i64>) -> Ring {
        let mut ring = Ring::default();
        ring.begin(Vec::new(), LogId(0), LogId(0), Default::default());
        ring.extend(ids.into_iter().map(|id| Entry::from(logged(id, 0))));
        ring
    }

    #[test]
    fn entries_are_bounded_by_number() {
        let ring = ring(1..=5_000);
        assert_eq!(ring.entries.len(), MAX_ENTRIES);
        assert_eq!((ring.end(), ring.first, ring.cursor()), (5_000, 904, Some(LogId(5_000))));
        assert!(ring.get(903).is_err());
        assert_eq!(ring.get(904).unwrap().unwrap().logged.id, LogId(905));
        assert!(ring.get(5_000).unwrap().is_none());
        assert_eq!((ring.position_after(LogId(903)), ring.position_after(LogId(904))), (None, Some(904)));
    }

    #[test]
    fn entries_are_bounded_by_size() {
        let mut ring = ring([]);
        for id in 1..=40 {
            ring.extend([Entry::from(logged(id, 1 << 20))]);
            assert!(ring.bytes <= MAX_BYTES);
        }
        assert_eq!(ring.entries.len(), 15);
    }

    /// Ids have gaps, and a replay has the cursor of the event before it.
    #[test]
    fn cursor_finds_its_position() {
        let mut ring = ring([2, 5]);
        ring.extend([Entry::replay(logged(2, 0), LogId(5))]);
        ring.extend([Entry::from(logged(9, 0))]);
        let positions: Vec<_> = [0, 2, 4, 5, 8, 9].map(|cursor| ring.position_after(LogId(cursor)).unwrap()).into();
        assert_eq!(positions, [0, 1, 1, 3, 3, 4]);
    }

    #[test]
    fn forgotten_ring_is_filled_again() {
        let mut ring = ring([1, 2, 3]);
        ring.forget();
        assert_eq!((ring.end(), ring.cursor(), ring.bytes, ring.position_after(LogId(3))), (3, None, 0, None));
        ring.begin(vec![Entry::from(logged(7, 0))], LogId(5), LogId(7), Default::default());
        assert_eq!((ring.position_after(LogId(4)), ring.position_after(LogId(5))), (None, Some(3)));
        assert_eq!(ring.get(3).unwrap().map(|entry| entry.logged.id), Some(LogId(7)));
    }

    #[test]
    fn readers_of_an_emptied_log_are_disconnected() {
        let mut ring = ring([1, 2, 3]);
        ring.reset();
        ring.begin(vec![Entry::from(logged(1, 0))], LogId(0), LogId(1), Default::default());
        assert!(ring.get(3).is_err(), "a reader that waited for the next");
        assert_eq!(ring.get(ring.end()).unwrap().map(|entry| entry.logged.id), None);
        assert_eq!(ring.end(), 5);
    }
}
