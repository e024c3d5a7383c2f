//! The only way into the log: messages are submitted, and each caller is answered when its message is
//! committed, or when that failed.
//!
//! A single task writes whatever is waiting in one transaction. While one batch commits the next
//! one gathers, so an idle server answers after one transaction and a busy one
//! commits hundreds of messages at a time.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::message::Message;
use crate::projection::Fact;
use crate::store;
use crate::store::locks::Lock;

/// Time limit for an answer to a caller: Twitch allows
/// [a few seconds](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#processing-an-event).
pub const ANSWER_BUDGET: Duration = Duration::from_secs(3);

/// Time limit for one batch, connecting included; shorter than [`ANSWER_BUDGET`], so that
/// callers learn of a failure while they are still listening.
const BATCH_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Messages that may wait for the writer.
const QUEUE_LENGTH: usize = 1_024;

/// Messages in one transaction.
const MAX_BATCH: usize = 256;

/// Submits messages. Clones feed the same writer, which ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Ingest {
    queue: mpsc::Sender<Submission>,
}

/// Whether a message that is in the log is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It was new.
    Appended,
    /// It had been there before; nothing changed.
    Duplicate,
}

/// Why a message is not known to be in the log. All but [`IngestError::Rejected`] are temporary.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum IngestError {
    /// Too many messages are waiting already.
    #[error("too many messages are waiting for the database")]
    QueueFull,
    /// The database was away, or failed.
    #[error("the database can't be reached")]
    Unavailable,
    /// No commit within [`ANSWER_BUDGET`]. It may still happen.
    #[error("the database did not commit in time")]
    TooSlow,
    /// The database refused this message.
    #[error("the database can't store this message")]
    Rejected,
}

#[derive(Debug)]
struct Submission {
    message: Box<Message>,
    answer: oneshot::Sender<Result<Receipt, IngestError>>,
}

impl Ingest {
    /// The submitting side and the writer, which the caller must [`run`](Writer::run).
    #[must_use]
    pub fn new(database: PgConnectOptions, clock: Clock) -> (Self, Writer) {
        let (queue, submissions) = mpsc::channel(QUEUE_LENGTH);
        (Self { queue }, Writer { submissions, log: Log { database, clock, connection: None } })
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
        while self.submissions.recv_many(&mut batch, MAX_BATCH).await > 0 {
            // The callers of these have given up; Twitch sends them again.
            batch.retain(|submission| !submission.answer.is_closed());
            let messages: Vec<&Message> = batch.iter().map(|submission| &*submission.message).collect();
            let span = tracing::info_span!("batch", batch.messages = messages.len());
            let receipts = self.log.write_batch(&messages).instrument(span).await;
            for (submission, receipt) in batch.drain(..).zip(receipts) {
                // A caller that has given up meanwhile is no error.
                let _ = submission.answer.send(receipt);
            }
        }
    }
}

/// The writer's connection, its own, so that readers can't take it away.
pub struct Log {
    database: PgConnectOptions,
    clock: Clock,
    connection: Option<PgConnection>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("is_connected", &self.connection.is_some()).finish()
    }
}

impl Log {
    /// One transaction for all; if the database refuses something in it, one for each, so that
    /// a message that can't be stored holds up no other.
    async fn write_batch(&mut self, messages: &[&Message]) -> Vec<Result<Receipt, IngestError>> {
        match self.write(messages).await {
            Ok(receipts) => receipts.into_iter().map(Ok).collect(),
            Err(IngestError::Rejected) if messages.len() > 1 => {
                let mut receipts = Vec::with_capacity(messages.len());
                for message in messages {
                    receipts.push(self.write(&[*message]).await.map(|receipts| receipts[0]));
                }
                receipts
            }
            Err(error) => messages.iter().map(|_| Err(error)).collect(),
        }
    }

    /// All or nothing, within [`BATCH_TIMEOUT`]. After a failure the connection's state is
    /// unknown, so the next batch gets a new one.
    async fn write(&mut self, messages: &[&Message]) -> Result<Vec<Receipt>, IngestError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let began = Instant::now();
        let connection = self.connection.take();
        match timeout(BATCH_TIMEOUT, self.transact(connection, messages)).await {
            Ok(Ok((connection, receipts))) => {
                self.connection = Some(connection);
                tracing::debug!(batch.duration_ms = began.elapsed().as_millis(), "stored");
                Ok(receipts)
            }
            Ok(Err(error)) if is_messages_fault(&error) => {
                tracing::error!(%error, message.id = one_id(messages), "the database refuses a message");
                Err(IngestError::Rejected)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "messages could not be stored");
                Err(IngestError::Unavailable)
            }
            Err(_) => {
                tracing::warn!(batch.duration_ms = BATCH_TIMEOUT.as_millis(), "messages could not be stored in time");
                Err(IngestError::Unavailable)
            }
        }
    }

    async fn transact(
        &self,
        connection: Option<PgConnection>,
        messages: &[&Message],
    ) -> sqlx::Result<(PgConnection, Vec<Receipt>)> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let mut transaction = Lock::Append.begin(&mut connection).await?;
        let mut new = store::log::append(&mut transaction, messages, self.clock.now()).await?;
        let mut facts = Vec::with_capacity(new.len());
        let receipts = messages.iter().map(|message| match new.remove(message.id()) {
            true => {
                facts.push(Fact::from(*message));
                Receipt::Appended
            }
            false => Receipt::Duplicate,
        });
        let receipts = receipts.collect();
        if !facts.is_empty() {
            store::state::fold(&mut transaction, &facts).await?;
        }
        transaction.commit().await?;
        Ok((connection, receipts))
    }

    /// With time limits that Postgres keeps even when this process can't: for a statement that hangs, and for a transaction
    /// whose client is gone.
    async fn connect(&self) -> sqlx::Result<PgConnection> {
        self.database
            .clone()
            .options([
                ("application_name", "showtime ingest"),
                ("statement_timeout", "2000"),
                ("idle_in_transaction_session_timeout", "5000"),
                // All is looked up by key. A plan made while a table was empty would read the whole
                // table, and be kept until long after it has grown.
                ("enable_seqscan", "off"),
                // The plan does not depend on the parameters, so it is made once, not for each batch.
                ("plan_cache_mode", "force_generic_plan"),
            ])
            .connect()
            .await
    }
}

/// The id of a message that is alone in its batch.
fn one_id<'a>(messages: &[&'a Message]) -> Option<&'a str> {
    if let [message] = messages { Some(message.id()) } else { None }
}

/// Whether the same message would fail again: data that can't be stored, a limit of the database
/// (`PostgreSQL` error classes 22, 23 and 54).
fn is_messages_fault(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}
