//! The newest part of the log, in memory: what all readers of a process go along.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entry::Entry;

/// Entries that are kept at most.
const MAX_ENTRIES: usize = 4_096;

/// Bytes of payload that are kept at most; their frames take up to three times as much again.
const MAX_BYTES: usize = 16 << 20;

/// The last entries. Each has a position, which grows by one with each; a reader who asks for one
/// that is gone was too slow.
#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// The position of the oldest entry that is here.
    first: u64,
    /// Every event of the log with a greater id, up to `cursor`, is here.
    since: i64,
    /// The newest id of the log; `None` until the log was read.
    cursor: Option<i64>,
    /// Whether the server stops.
    is_over: bool,
}

impl Ring {
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn cursor(&self) -> Option<i64> {
        self.cursor
    }

    /// The position behind the newest entry.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry at a position, or an error if it is gone. The one at the end isn't there yet.
    pub(super) fn get(&self, position: u64) -> Result<Option<&Arc<Entry>>, Gone> {
        let index = position.checked_sub(self.first).ok_or(Gone)?;
        Ok(usize::try_from(index).ok().and_then(|index| self.entries.get(index)))
    }

    /// The position of the first entry behind this log id; `None` if not all of them are here.
    pub(super) fn position_after(&self, cursor: i64) -> Option<u64> {
        let is_here = self.since <= cursor && self.cursor.is_some();
        is_here.then(|| self.first + self.entries.partition_point(|entry| entry.cursor <= cursor) as u64)
    }

    /// From the newest entry to the oldest.
    pub(super) fn backwards(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().rev()
    }

    /// Everything up to this id, but nothing after it, was there when these entries, if any, ended.
    pub(super) fn begin(&mut self, entries: Vec<Entry>, since: i64, cursor: i64) {
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

    /// Forgets everything, as the log has been emptied: whoever reads is cut off.
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
