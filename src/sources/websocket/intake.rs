//! Takes what was read from the sockets. Twitch does not wait for an acknowledgement and sends nothing twice, so a message
//! that was read is stored in the log or, if that takes too long, in the spool; reading never waits for either.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::progress::{Progress, Ticket};
use super::spool::Spool;
use crate::clock::Clock;
use crate::config::SecretFileError;
use crate::ingest::{Ingest, IngestError, Receipt};
use crate::message::Message;
use crate::message::sealed::Seal;
use crate::metrics::{Metrics, Outcome, Transport};
use crate::services::{Services, Tasks};
use crate::twitch::id::ChannelId;

/// Messages that are submitted at once, so that batches form.
const WINDOW: usize = 256;

/// How long a message that was read waits for the log before it is written to the spool as well. With the time that the disk
/// takes, a crash loses at most 50 ms of what was read. Longer than most commits, so that the spool is rarely used.
const SPOOL_DELAY: Duration = Duration::from_millis(25);

/// Stores what is read from the sockets. One per server; clones share everything.
#[derive(Clone, Debug)]
pub struct Intake {
    ingest: Ingest,
    window: Arc<Semaphore>,
    progress: Progress,
    spool: Spool,
    metrics: Metrics,
    clock: Clock,
}

impl Intake {
    /// Starts the spool, and registers its check.
    ///
    /// # Errors
    /// If the encryption key, with which the spool is sealed, can't be read or made.
    pub fn spawn(services: &Services, tasks: &mut Tasks) -> Result<Self, SecretFileError> {
        let seal = Seal::new(&services.config.encryption_key()?);
        let progress = Progress::new(services.metrics.clone());
        let spool = Spool::spawn(services, seal, progress.clone(), tasks);
        let window = Arc::new(Semaphore::new(WINDOW));
        let (metrics, clock) = (services.metrics.clone(), services.clock.clone());
        Ok(Self { ingest: services.ingest.clone(), window, progress, spool, metrics, clock })
    }

    /// Takes a message that the socket of this channel's user got, and returns at once.
    pub fn accept(&self, channel: &ChannelId, message: Box<Message>) {
        let ticket = self.progress.begin(channel, message.at());
        let is_writable = self.ingest.write_error().is_none();
        let permit = is_writable.then(|| self.window.clone().try_acquire_owned().ok()).flatten();
        let Some(permit) = permit else {
            self.count(&message, Outcome::Unavailable);
            return self.spool.append(message, ticket);
        };
        let intake = self.clone();
        tokio::spawn(async move {
            intake.submit(message, ticket).await;
            drop(permit);
        });
    }

    async fn submit(&self, message: Box<Message>, ticket: Ticket) {
        let lag = self.clock.now() - message.at();
        let mut submitted = pin!(self.ingest.submit(message.clone()));
        let in_time = timeout(SPOOL_DELAY, &mut submitted).await.ok();
        let is_spooled = in_time.is_none();
        let receipt = match in_time {
            Some(receipt) => receipt,
            None => {
                self.spool.append(message.clone(), ticket.clone());
                submitted.await
            }
        };
        if receipt == Ok(Receipt::Appended) {
            self.metrics.delivery_lag(lag);
        }
        self.count(&message, outcome_of(receipt));
        match receipt {
            // One that the database refuses is counted by the writer, and would be refused again.
            Ok(_) | Err(IngestError::Rejected) => {
                ticket.keep();
                if is_spooled {
                    self.spool.settle(message.id());
                }
            }
            Err(_) if is_spooled => {}
            Err(_) => self.spool.append(message, ticket),
        }
    }

    fn count(&self, message: &Message, outcome: Outcome) {
        self.metrics.message(Transport::WebSocket, message.content().kind(), outcome, Duration::ZERO);
    }

    /// Records that Twitch said at this time that there is nothing else: a keepalive. Not for a welcome: what happened before
    /// it was not sent.
    pub fn keepalive(&self, channel: &ChannelId, at: OffsetDateTime) {
        self.progress.begin(channel, at).keep();
    }

    /// Up to when all that was read of this channel is in the log or in the spool, by Twitch's clock: where a gap begins.
    /// `None` if nothing has been read yet.
    ///
    /// It is also what belongs into `websocket_session.last_message_at`, so that another server knows where the gap of a
    /// killed one begins: while a gap is not recorded yet, the time before it has to stay there.
    #[must_use]
    pub fn secured_until(&self, channel: &ChannelId) -> Option<OffsetDateTime> {
        self.progress.kept_until(channel)
    }
}

/// How a message is counted.
fn outcome_of(receipt: Result<Receipt, IngestError>) -> Outcome {
    match receipt {
        Ok(Receipt::Appended) => Outcome::Accepted,
        Ok(Receipt::Duplicate) => Outcome::Duplicate,
        Err(IngestError::Rejected) => Outcome::Rejected,
        Err(_) => Outcome::Unavailable,
    }
}
