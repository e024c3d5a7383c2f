//! The spool: files in the data directory with messages that were read while the log could not be written to.
//!
//! Messages that come together are written and synced together, by a thread of their own. Once the log can be written to,
//! the segments are drained, the oldest first: those of this server, and those that a server left that has ended. A message
//! that is drained twice, because a crash came between, is in the log once, by its id.
//!
//! Messages are sealed ([`Seal`]): the files tell nothing about people without the encryption key, and a message that was not
//! sealed by a server with this key is not accepted. Whether a message is recent was judged when it was read, and is not
//! judged again.

mod drain;
mod segment;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    progress: Progress,
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
    /// The size of all segments.
    bytes: AtomicU64,
    /// How many messages were lost since the server started.
    lost: AtomicU64,
    /// Whether there is a segment that this server writes to.
    has_segment: AtomicBool,
    /// Why the files could not be used when that was last tried.
    error: Mutex<Option<String>>,
}

impl State {
    fn new(dir: PathBuf, seal: Seal, clock: Clock, metrics: Metrics) -> Arc<Self> {
        let (bytes, lost, has_segment) = (AtomicU64::default(), AtomicU64::default(), AtomicBool::default());
        Arc::new(Self { dir, seal, clock, metrics, bytes, lost, has_segment, error: Mutex::default() })
    }

    fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.metrics.spool(bytes);
    }

    fn count_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.metrics.spool_dropped();
    }

    fn set_error(&self, error: Option<String>) {
        let mut last = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = error.as_ref().filter(|_| last.is_none()) {
            tracing::error!(error, "the spool can't be used");
        }
        *last = error;
    }

    /// The check `spool`.
    fn check(&self) -> Check {
        let (bytes, lost) = (self.bytes.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed));
        let mut warnings = Vec::new();
        if let Some(error) = &*self.error.lock().unwrap_or_else(PoisonError::into_inner) {
            warnings.push(error.clone());
        }
        if lost > 0 {
            warnings.push(format!(
                "{lost} messages from WebSockets were lost since the server started, because they could be kept nowhere; their gaps \
                 are recorded"
            ));
        }
        if bytes > 0 {
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
        let state = State::new(dir, seal, services.clock.clone(), services.metrics.clone());
        let shown = state.clone();
        services.checks.add(move || shown.check());
        let (spool, writer) = Self::new(state.clone(), progress.clone(), LIMITS);
        // Ends when the last `Spool` is dropped; the runtime waits for it.
        tokio::task::spawn_blocking(move || writer.run());
        let drain = drain::Drain::new(services, state, spool.clone(), progress);
        tasks.spawn("draining the spool", drain.run());
        spool
    }

    fn new(state: Arc<State>, progress: Progress, limits: Limits) -> (Self, Writer) {
        let (queue, commands) = mpsc::channel(QUEUE_LENGTH);
        let writer = Writer { commands, progress: progress.clone(), state: state.clone(), limits, segment: None };
        (Self { queue, progress, state }, writer)
    }

    /// Has a message written. Its ticket tells the progress when it is on the disk, or that it is lost.
    pub(super) fn append(&self, message: Box<Message>, ticket: Ticket) {
        if let Err(refused) = self.queue.try_send(Command::Append(message, ticket))
            && let Command::Append(_, ticket) = refused.into_inner()
        {
            self.progress.lose(&ticket);
            self.state.count_lost();
        }
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
    progress: Progress,
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

    /// Writes a batch; what can't be written is lost.
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
                self.lose(ticket);
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
                kept.into_iter().for_each(|ticket| self.progress.keep(ticket));
            }
            Err(error) => {
                self.end_segment();
                self.state.set_error(Some(cannot_write(&self.state.dir, &error)));
                kept.into_iter().for_each(|ticket| self.lose(ticket));
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

    fn lose(&self, ticket: &Ticket) {
        self.progress.lose(ticket);
        self.state.count_lost();
    }
}

fn cannot_write(dir: &Path, error: &std::io::Error) -> String {
    format!("messages that wait for the database can't be written to {}: {error}; they are lost", dir.display())
}
