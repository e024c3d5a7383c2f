//! The writer's transactions. None of them ends the writer: what fails or panics because of a message is a failure of that
//! message alone.

use std::any::Any;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::time::{Instant, timeout};

use super::answer::{IngestError, Receipt};
use super::health::Health;
use crate::clock::Clock;
use crate::incidents::outages::Part;
use crate::incidents::{Incidents, Kind};
use crate::message::Message;
use crate::metrics::Metrics;
use crate::projection::Fact;
use crate::store::locks::Lock;
use crate::store::{self, WriteError};

/// Time limit for one batch, connecting included, and for the wait for its turn; shorter than
/// [`ANSWER_BUDGET`](super::ANSWER_BUDGET), so that callers learn of a failure while they are still listening.
const BATCH_TIMEOUT: Duration = Duration::from_millis(2_500);

/// After two batches in a row with a message that had to be compared with earlier ones, for how long the next batches go the long
/// way at once: they are likely to have others.
const LONG_WAY: Duration = Duration::from_secs(1);

/// The least that a probe writes, in bytes: more than a page of a table.
const MIN_PROBE: usize = 10_000;

/// The most that a probe writes, in bytes.
const MAX_PROBE: usize = 2_000_000;

/// The writer's connection, its own, so that readers can't take it away.
pub(super) struct Log {
    database: PgConnectOptions,
    clock: Clock,
    incidents: Incidents,
    metrics: Metrics,
    health: Health,
    connection: Option<PgConnection>,
    /// The size of the last batch that could not be written, in bytes. A full disk may have room for a smaller one.
    failed_size: usize,
    /// Whether the last batch that was taken for new had to be compared with earlier messages.
    was_compared: bool,
    /// When that happened twice in a row.
    long_way_since: Option<Instant>,
    /// Whether another connection held the lock when this one last asked for it.
    is_contended: bool,
    /// Whether the connection holds the lock for the next batch.
    has_turn: bool,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("is_connected", &self.connection.is_some()).finish_non_exhaustive()
    }
}

/// Why a transaction was not committed.
#[derive(Debug)]
enum Failure {
    /// The same messages would fail again.
    Messages(String),
    /// Nothing can be written now.
    Database(WriteError, String),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if is_messages_fault(&error) {
            Self::Messages(error.to_string())
        } else {
            Self::Database(WriteError::from(&error), error.to_string())
        }
    }
}

impl Failure {
    /// Of a transaction without messages.
    fn of_database(self) -> (WriteError, String) {
        match self {
            Self::Database(error, detail) => (error, detail),
            Self::Messages(detail) => (WriteError::Other, detail),
        }
    }
}

impl Log {
    pub(super) fn new(
        database: PgConnectOptions,
        clock: Clock,
        incidents: Incidents,
        metrics: Metrics,
        health: Health,
    ) -> Self {
        Self {
            database,
            clock,
            incidents,
            metrics,
            health,
            connection: None,
            failed_size: 0,
            was_compared: false,
            long_way_since: None,
            is_contended: false,
            has_turn: false,
        }
    }

    /// Whether the last transaction succeeded.
    pub(super) fn is_writable(&self) -> bool {
        self.health.error().is_none()
    }

    /// Waits until other servers have committed, if the last batch had to wait for that: all that comes meanwhile is then
    /// part of the next batch. Does nothing otherwise.
    pub(super) async fn wait_turn(&mut self) -> Result<(), IngestError> {
        if !self.is_contended || self.is_long_way() {
            return Ok(());
        }
        let connection = self.connection.take();
        let waiting = async {
            let mut connection = self.connected(connection).await?;
            let has_waited = Lock::Append.wait_turn(&mut connection).await?;
            Ok((connection, has_waited))
        };
        match caught(waiting).await {
            Ok((connection, has_waited)) => {
                (self.connection, self.is_contended, self.has_turn) = (Some(connection), has_waited, true);
                Ok(())
            }
            Err(failure) => {
                self.is_contended = false;
                self.record(Some(failure.of_database()));
                Err(IngestError::Unavailable)
            }
        }
    }

    /// One transaction for all; if that fails because of a message, one for each, so that a message that can't be stored
    /// holds up no other.
    pub(super) async fn write_batch(&mut self, messages: &[&Message]) -> Vec<Result<Receipt, IngestError>> {
        match self.write(messages).await {
            Ok(receipts) => receipts.into_iter().map(Ok).collect(),
            Err(IngestError::Rejected) if messages.len() > 1 => self.write_each(messages).await,
            Err(error) => vec![Err(error); messages.len()],
        }
    }

    /// Stops at the first failure that has nothing to do with its message: the others would wait for the same.
    async fn write_each(&mut self, messages: &[&Message]) -> Vec<Result<Receipt, IngestError>> {
        let mut receipts = Vec::with_capacity(messages.len());
        for message in messages {
            let receipt = self.write(&[*message]).await.map(|receipts| receipts[0]);
            receipts.push(receipt);
            if receipt.is_err_and(|error| error != IngestError::Rejected) {
                break;
            }
        }
        receipts.resize(messages.len(), Err(IngestError::Unavailable));
        receipts
    }

    /// All or nothing, within [`BATCH_TIMEOUT`]. After a failure the connection's state is unknown, so the next
    /// transaction gets a new one.
    async fn write(&mut self, messages: &[&Message]) -> Result<Vec<Receipt>, IngestError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let began = Instant::now();
        let connection = self.connection.take();
        match caught(self.append(connection, messages)).await {
            Ok((connection, receipts)) => {
                self.connection = Some(connection);
                self.record(None);
                tracing::debug!(batch.duration_ms = began.elapsed().as_millis(), "stored");
                self.record_unread(messages, &receipts);
                Ok(receipts)
            }
            Err(Failure::Messages(error)) => {
                if let [message] = messages {
                    let error = format!("{error} (message {})", message.id());
                    self.incidents.record(Kind::Unstorable, message.content().kind(), &error);
                }
                Err(IngestError::Rejected)
            }
            Err(Failure::Database(error, detail)) => {
                self.failed_size = messages.iter().map(|message| message.body().len()).sum();
                self.record(Some((error, detail)));
                Err(IngestError::Unavailable)
            }
        }
    }

    async fn append(
        &mut self,
        connection: Option<PgConnection>,
        messages: &[&Message],
    ) -> Result<(PgConnection, Vec<Receipt>), Failure> {
        let mut has_turn = std::mem::take(&mut self.has_turn);
        let (mut connection, now) = (self.connected(connection).await?, self.clock.now());
        if !self.is_long_way() {
            let mut ids = HashSet::with_capacity(messages.len());
            let is_first: Vec<_> = messages.iter().map(|message| ids.insert(message.id())).collect();
            let firsts: Vec<_> = messages.iter().zip(&is_first).filter(|it| *it.1).map(|it| *it.0).collect();
            if let Some(append) = store::state::append_new(&mut connection, &firsts, now, has_turn).await? {
                // One that has its turn never waits.
                self.is_contended = append.has_waited || has_turn && self.is_contended;
                has_turn = false;
                let was_compared = std::mem::replace(&mut self.was_compared, !append.is_appended);
                if append.is_appended {
                    let receipt = |is_first| if is_first { Receipt::Appended } else { Receipt::Duplicate };
                    return Ok((connection, is_first.into_iter().map(receipt).collect()));
                }
                if was_compared {
                    self.long_way_since = Some(Instant::now());
                }
            }
        }
        let mut transaction = Lock::Append.begin(&mut connection).await?;
        if has_turn {
            Lock::Append.end_turn(&mut transaction).await?;
        }
        let mut appended = store::log::append(&mut transaction, messages, now).await?;
        let mut facts = Vec::with_capacity(appended.ids.len());
        let receipts = messages.iter().map(|message| match appended.ids.remove(message.id()) {
            Some(id) => {
                if !appended.echoes.contains(&id) {
                    facts.push(Fact::new(id.0, message));
                }
                Receipt::Appended
            }
            None => Receipt::Duplicate,
        });
        let receipts = receipts.collect();
        if !facts.is_empty() {
            store::state::fold(&mut transaction, &facts).await?;
        }
        transaction.commit().await?;
        self.metrics.echoes(appended.echoes.len());
        Ok((connection, receipts))
    }

    /// Finds out whether the log can be written to, while there is nothing to write. A log that could be written to last
    /// time is locked and looked at, which writes nothing; else as much is written as failed last time, and rolled back.
    pub(super) async fn probe(&mut self) {
        let connection = self.connection.take();
        match caught(self.try_probe(connection)).await {
            Ok(connection) => {
                self.connection = Some(connection);
                self.record(None);
            }
            Err(failure) => self.record(Some(failure.of_database())),
        }
    }

    /// Whether batches are likely to have messages that must be compared with earlier ones.
    fn is_long_way(&self) -> bool {
        self.long_way_since.is_some_and(|since| since.elapsed() < LONG_WAY)
    }

    async fn try_probe(&self, connection: Option<PgConnection>) -> Result<PgConnection, Failure> {
        let mut connection = self.connected(connection).await?;
        let mut transaction = Lock::Append.begin(&mut connection).await?;
        if store::log::is_read_only(&mut transaction).await? {
            return Err(Failure::Database(WriteError::ReadOnly, "transactions are read-only".to_owned()));
        }
        if !self.is_writable() {
            let size = self.failed_size.clamp(MIN_PROBE, MAX_PROBE);
            store::log::probe(&mut transaction, size).await?;
        }
        transaction.rollback().await?;
        Ok(connection)
    }

    async fn connected(&self, connection: Option<PgConnection>) -> Result<PgConnection, Failure> {
        match connection {
            Some(connection) => Ok(connection),
            None => Ok(self.connect().await?),
        }
    }

    /// With time limits that Postgres keeps even when this process can't: for a statement that hangs, and for a transaction
    /// whose client is gone.
    async fn connect(&self) -> sqlx::Result<PgConnection> {
        self.database
            .clone()
            .options([
                ("application_name", "showtime ingest"),
                ("statement_timeout", "2000"),
                ("lock_timeout", "1900"),
                ("idle_in_transaction_session_timeout", "5000"),
                // All is looked up by key. A plan made while a table was empty would read the whole
                // table, and be kept until long after it has grown.
                ("enable_seqscan", "off"),
                // The plan does not depend on the parameters, so it is made once, not for each batch.
                ("plan_cache_mode", "force_generic_plan"),
                // A statement that has no other plan than to read a whole table would be compiled each time.
                ("jit", "off"),
            ])
            .connect()
            .await
    }

    /// Records whether the log can be written to, and logs each change.
    fn record(&self, error: Option<(WriteError, String)>) {
        let before = self.health.record(error.as_ref().map(|(error, _)| *error));
        match error {
            Some((error, detail)) if before != Some(error) => {
                self.incidents.record(Kind::NotWritable, Some(error.into()), &detail);
                self.incidents.outages.observe(Part::Database, Some(error.to_string()));
            }
            None if before.is_some() => {
                self.incidents.outages.observe(Part::Database, None);
                tracing::info!("the log can be written to again");
            }
            _ => {}
        }
    }

    /// Records what is new and could not be read. Tests may hold anything.
    fn record_unread(&self, messages: &[&Message], receipts: &[Receipt]) {
        for (message, receipt) in messages.iter().zip(receipts) {
            let content = message.content();
            if let Some(error) = &content.payload_error
                && *receipt == Receipt::Appended
                && !content.is_test
            {
                self.incidents.record(Kind::UnreadPayload, content.kind(), error);
            }
        }
    }
}

/// The outcome within [`BATCH_TIMEOUT`]. A panic is a failure of the messages.
async fn caught<T>(transaction: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match timeout(BATCH_TIMEOUT, AssertUnwindSafe(transaction).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Failure::Messages(format!("it makes the writer panic: {}", panic_text(&*panic)))),
        Err(_) => {
            let detail = format!("no answer within {} ms", BATCH_TIMEOUT.as_millis());
            Err(Failure::Database(WriteError::TooSlow, detail))
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

/// Whether the same messages would fail again: data that can't be stored, a limit of the database, a value that can't be
/// encoded or read back (`PostgreSQL` error classes 21, 22, 23 and 54, and internal errors).
fn is_messages_fault(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code == "XX000" || ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class))
        }),
        sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => true,
        _ => false,
    }
}
