//! The spool: files in the data directory with messages that were read while the log could not be written to.
//!
//! Messages that come together are written and synced together, by a thread of their own. Once the log can be written to,
//! the segments are drained, the oldest first: those of this server, and those that a server left that has ended. A message
//! that the log took after all is skipped; one that is drained twice, because a crash came between, is in the log once, by
//! its id.
//!
//! Messages are sealed ([`Seal`]): the files tell nothing about people without the encryption key, and a message that was not
//! sealed by a server with this key is not accepted. Whether a message is recent was judged when it was read, and is not
//! judged again.

mod drain;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use self::segment::{Segment, push_record};
use super::progress::{Progress, Ticket};
use crate::clock::Clock;
use crate::message::Message;
use crate::message::sealed::Seal;
use crate::metrics::Metrics;
use crate::services::{Services, Tasks};
use crate::status::Check;

/// The name of the directory in the data directory.
const DIRECTORY: &str = "spool";

/// Messages that may wait for the disk.
const QUEUE_LENGTH: usize = 1_024;

/// Messages that are synced at once.
const MAX_BATCH: usize = 256;

/// How long messages may wait without a warning: the log takes most of them a moment later.
const TOLERATED: Duration = Duration::from_secs(5);

/// Limits in bytes.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Of all segments together. At 50 messages a second of 1.5 kB this is four hours.
    total: u64,
    /// Of one segment, which is read as a whole.
    segment: u64,
}

const LIMITS: Limits = Limits { total: 1 << 30, segment: 8 << 20 };

/// Appends messages to the spool. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Spool {
    queue: mpsc::Sender<Command>,
    state: Arc<State>,
}

enum Command {
    /// Append a message.
    Append(Box<Message>, Ticket),
    /// End the current segment, so that it can be drained.
    EndSegment(oneshot::Sender<()>),
}

/// What the writer and the drain share.
#[derive(Debug)]
struct State {
    dir: PathBuf,
    seal: Seal,
    clock: Clock,
    metrics: Metrics,
    progress: Progress,
    /// The size of all segments.
    bytes: AtomicU64,
    /// Since when there has been something to drain.
    waiting_since: Mutex<Option<Instant>>,
    /// The ids of messages that the log took after they were spooled, since the last drain began.
    settled: Mutex<HashSet<String>>,
    /// Whether there is a segment that this server writes to.
    has_segment: AtomicBool,
    /// Why the files could not be used when that was last tried.
    error: Mutex<Option<String>>,
}

impl State {
    fn new(dir: PathBuf, seal: Seal, clock: Clock, metrics: Metrics, progress: Progress) -> Arc<Self> {
        Arc::new(Self {
            dir,
            seal,
            clock,
            metrics,
            progress,
            bytes: AtomicU64::default(),
            waiting_since: Mutex::default(),
            settled: Mutex::default(),
            has_segment: AtomicBool::default(),
            error: Mutex::default(),
        })
    }

    fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.metrics.spool(bytes);
        let mut since = lock(&self.waiting_since);
        *since = if bytes == 0 { None } else { since.or(Some(self.clock.instant())) };
    }

    /// Records that everything was drained but what came since, of this size.
    fn set_drained(&self, bytes: u64) {
        *lock(&self.waiting_since) = None;
        self.set_bytes(bytes);
    }

    fn set_error(&self, error: Option<String>) {
        let mut last = lock(&self.error);
        if let Some(error) = error.as_ref().filter(|_| last.is_none()) {
            tracing::error!(error, "the spool can't be used");
        }
        *last = error;
    }

    /// The check `spool`.
    fn check(&self) -> Check {
        let (bytes, lost) = (self.bytes.load(Ordering::Relaxed), self.progress.lost_count());
        let mut warnings = Vec::new();
        if let Some(error) = &*lock(&self.error) {
            warnings.push(error.clone());
        }
        if lost > 0 {
            warnings.push(format!(
                "{lost} messages from WebSockets were lost since the server started, because they could be kept nowhere; their gaps \
                 are recorded"
            ));
        }
        let now = self.clock.instant();
        if lock(&self.waiting_since).is_some_and(|since| now.saturating_duration_since(since) > TOLERATED) {
            warnings.push(format!("{bytes} bytes of messages in {} wait for the database", self.dir.display()));
        }
        if warnings.is_empty() {
            return Check::pass("spool", "no message waits outside of the log");
        }
        Check::warn("spool", warnings.join("; "))
    }
}

impl Spool {
    /// Starts the writer and the drain, and registers the check `spool`.
    pub(super) fn spawn(services: &Services, seal: Seal, progress: Progress, tasks: &mut Tasks) -> Self {
        let dir = services.config.data_dir.join(DIRECTORY);
        let state = State::new(dir, seal, services.clock.clone(), services.metrics.clone(), progress);
        let shown = state.clone();
        services.checks.add(move || shown.check());
        let (spool, writer) = Self::new(state.clone(), LIMITS);
        // Ends when the last `Spool` is dropped; the runtime waits for it.
        tokio::task::spawn_blocking(move || writer.run());
        let drain = drain::Drain::new(services, state, spool.clone());
        tasks.spawn("draining the spool", drain.run());
        spool
    }

    fn new(state: Arc<State>, limits: Limits) -> (Self, Writer) {
        let (queue, commands) = mpsc::channel(QUEUE_LENGTH);
        let writer = Writer { commands, state: state.clone(), limits, segment: None };
        (Self { queue, state }, writer)
    }

    /// Has a message written. Its ticket is kept when it is on the disk, and dropped if it can't be.
    pub(super) fn append(&self, message: Box<Message>, ticket: Ticket) {
        let _ = self.queue.try_send(Command::Append(message, ticket));
    }

    /// Records that the log took a message that was appended, so that it need not be drained.
    pub(super) fn settle(&self, message_id: &str) {
        lock(&self.state.settled).insert(message_id.to_owned());
    }

    /// Whether there is a segment that has to end before it can be drained.
    fn has_segment(&self) -> bool {
        self.state.has_segment.load(Ordering::Relaxed)
    }

    /// Ends the current segment, so that it can be drained.
    async fn end_segment(&self) {
        let (ended, has_ended) = oneshot::channel();
        if self.queue.send(Command::EndSegment(ended)).await.is_ok() {
            let _ = has_ended.await;
        }
    }
}

/// Writes the segments of this server. Blocks its thread.
#[derive(Debug)]
struct Writer {
    commands: mpsc::Receiver<Command>,
    state: Arc<State>,
    limits: Limits,
    segment: Option<Segment>,
}

impl Writer {
    /// Runs until every [`Spool`] is dropped and what they appended is written.
    fn run(mut self) {
        while let Some(command) = self.commands.blocking_recv() {
            let (mut batch, mut ended) = (Vec::new(), None);
            let mut next = Some(command);
            while let Some(command) = next {
                match command {
                    Command::Append(message, ticket) => batch.push((message, ticket)),
                    Command::EndSegment(answer) => ended = Some(answer),
                }
                next = if ended.is_none() && batch.len() < MAX_BATCH { self.commands.try_recv().ok() } else { None };
            }
            self.write(&batch);
            if let Some(answer) = ended {
                self.end_segment();
                let _ = answer.send(());
            }
        }
    }

    /// Writes a batch.
    fn write(&mut self, batch: &[(Box<Message>, Ticket)]) {
        let (mut records, mut kept) = (Vec::new(), Vec::new());
        for (message, ticket) in batch {
            let room = self.limits.total.saturating_sub(self.state.bytes.load(Ordering::Relaxed));
            let before = records.len();
            if let Ok(sealed) = self.state.seal.seal(message) {
                push_record(&mut records, &sealed);
            }
            if records.len() == before || records.len() as u64 > room {
                records.truncate(before);
            } else {
                kept.push(ticket);
            }
        }
        if kept.is_empty() {
            return;
        }
        match self.append(&records) {
            Ok(()) => {
                self.state.set_error(None);
                kept.into_iter().for_each(Ticket::keep);
            }
            Err(error) => {
                self.end_segment();
                self.state.set_error(Some(cannot_write(&self.state.dir, &error)));
            }
        }
    }

    fn append(&mut self, records: &[u8]) -> std::io::Result<()> {
        let mut segment = match self.segment.take() {
            Some(segment) if segment.length() < self.limits.segment => segment,
            _ => {
                let now = self.state.clock.now().unix_timestamp_nanos() / 1_000;
                Segment::create(&self.state.dir, u64::try_from(now).unwrap_or_default(), &self.state.seal)?
            }
        };
        segment.append(records)?;
        self.segment = Some(segment);
        self.state.has_segment.store(true, Ordering::Relaxed);
        self.state.set_bytes(self.state.bytes.load(Ordering::Relaxed) + records.len() as u64);
        Ok(())
    }

    fn end_segment(&mut self) {
        self.segment = None;
        self.state.has_segment.store(false, Ordering::Relaxed);
    }
}

/// No critical section can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cannot_write(dir: &Path, error: &std::io::Error) -> String {
    format!("messages that wait for the database can't be written to {}: {error}; they are lost", dir.display())
}
