//! The only way into the log: messages are submitted, and each caller is answered when its message is
//! committed, or when that failed.
//!
//! A single task writes whatever is waiting in one transaction. While one batch commits the next
//! one gathers, so an idle server answers after one transaction and a busy one
//! commits hundreds of messages at a time.

mod answer;
mod health;
mod log;

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::Instrument as _;

pub use self::answer::{IngestError, Receipt};
use self::health::Health;
use self::log::Log;
use crate::clock::Clock;
use crate::incidents::Incidents;
use crate::message::Message;
use crate::metrics::Metrics;
use crate::store::WriteError;

/// Time limit for an answer to a caller: Twitch allows
/// [a few seconds](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#processing-an-event).
pub const ANSWER_BUDGET: Duration = Duration::from_secs(3);

/// How long the writer waits for messages before it probes whether it could write.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Messages that may wait for the writer.
const QUEUE_LENGTH: usize = 1_024;

/// Messages in one transaction.
const MAX_BATCH: usize = 256;

/// Submits messages. Clones feed the same writer, which ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Ingest {
    queue: mpsc::Sender<Submission>,
    health: Health,
}

#[derive(Debug)]
struct Submission {
    message: Box<Message>,
    answer: oneshot::Sender<Result<Receipt, IngestError>>,
}

impl Submission {
    /// Answers the caller, who may have given up meanwhile.
    fn reply(self, receipt: Result<Receipt, IngestError>) {
        let _ = self.answer.send(receipt);
    }
}

impl Ingest {
    /// The submitting side and the writer, which the caller must [`run`](Writer::run).
    #[must_use]
    pub fn new(database: PgConnectOptions, clock: Clock, incidents: Incidents, metrics: Metrics) -> (Self, Writer) {
        let (queue, submissions) = mpsc::channel(QUEUE_LENGTH);
        let health = Health::default();
        let log = Log::new(database, clock, incidents, metrics, health.clone());
        (Self { queue, health }, Writer { submissions, log })
    }

    /// Why nothing can be written to the log, if the writer's last transaction failed. Without traffic it is at most a few
    /// seconds old, but a disk is only known to be full once a message did not fit.
    #[must_use]
    pub fn write_error(&self) -> Option<WriteError> {
        self.health.error()
    }

    /// Tells whether a connection of some age was opened after the last time that nothing could be written. Older ones may
    /// lead to a server that is a standby now, or keep a setting that has been changed. Does not keep the writer running.
    pub fn is_since_recovery(&self) -> impl Fn(Duration) -> bool + Send + Sync + use<> {
        let health = self.health.clone();
        move |age| health.is_since_recovery(age)
    }

    /// How many messages wait for the writer.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Returns when the message has been committed, or had been earlier.
    ///
    /// # Errors
    /// If that isn't known within [`ANSWER_BUDGET`].
    pub async fn submit(&self, message: Box<Message>) -> Result<Receipt, IngestError> {
        let (answer, committed) = oneshot::channel();
        self.queue.try_send(Submission { message, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => IngestError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => IngestError::Unavailable,
        })?;
        match timeout(ANSWER_BUDGET, committed).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(IngestError::Unavailable),
            Err(_) => Err(IngestError::TooSlow),
        }
    }
}

/// Writes what is submitted.
#[derive(Debug)]
pub struct Writer {
    submissions: mpsc::Receiver<Submission>,
    log: Log,
}

impl Writer {
    /// Runs until every [`Ingest`] is dropped and what they submitted is answered.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while self.receive(&mut batch).await > 0 {
            // The callers of these have given up; Twitch sends them again.
            batch.retain(|submission| !submission.answer.is_closed());
            if batch.is_empty() {
                continue;
            }
            if let Err(error) = self.log.wait_turn().await {
                batch.drain(..).for_each(|submission| submission.reply(Err(error)));
                continue;
            }
            while batch.len() < MAX_BATCH
                && let Ok(submission) = self.submissions.try_recv()
            {
                batch.push(submission);
            }
            let messages: Vec<&Message> = batch.iter().map(|submission| &*submission.message).collect();
            let span = tracing::info_span!("batch", batch.messages = messages.len());
            let receipts = self.log.write_batch(&messages).instrument(span).await;
            batch.drain(..).zip(receipts).for_each(|(submission, receipt)| submission.reply(receipt));
        }
    }

    /// Waits for messages, and returns how many came; 0 at the end. Probes each second without one.
    async fn receive(&mut self, batch: &mut Vec<Submission>) -> usize {
        loop {
            let Self { submissions, log } = self;
            match timeout(PROBE_INTERVAL, submissions.recv_many(batch, MAX_BATCH)).await {
                Ok(count) => return count,
                Err(_) if log.is_writable() => log.probe().await,
                // A message is as good as a probe, and does not wait for one that hangs.
                Err(_) => tokio::select! {
                    count = submissions.recv_many(batch, MAX_BATCH) => return count,
                    () = log.probe() => {}
                },
            }
        }
    }
}
