//! Sends messages over many connections, each until a message fails or the batch is stopped; and sends the failed ones again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roaring::RoaringTreemap;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::error::CrashError;
use crate::clock::Clock;
use crate::load::LoadError;
use crate::load::connection::Connection;
use crate::load::journal::Journal;
use crate::load::request::{Requests, Sending};
use crate::load::tally::is_acknowledgement;
use crate::twitch::eventsub::webhook::MAX_AGE;

/// For how long a message is retried with a server that is ready.
const RESEND_LIMIT: Duration = Duration::from_secs(60);

/// Pause after the first retry; it grows by as much with each.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends the messages of a run.
pub(super) struct Sender {
    requests: Requests,
    clock: Clock,
    journal: Journal,
    next: AtomicU64,
}

/// A message without a 2xx.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    number: u64,
    at: OffsetDateTime,
}

/// Connections that send messages until they are stopped.
pub(super) struct Batch {
    stop: CancellationToken,
    connections: JoinSet<io::Result<Option<Pending>>>,
}

impl Sender {
    pub(super) fn new(requests: Requests, clock: Clock, journal: Journal) -> Self {
        Self { requests, clock, journal, next: AtomicU64::new(0) }
    }

    /// Number of different messages sent.
    pub(super) fn sent(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Numbers of the acknowledged messages.
    pub(super) fn acknowledged(&self) -> io::Result<RoaringTreemap> {
        self.journal.read()
    }

    pub(super) fn message_id(&self, message: &Pending) -> String {
        self.requests.traffic().run.message_id(message.number)
    }

    /// Starts sending new messages, as fast as they are answered.
    pub(super) fn start(self: &Arc<Self>, target: SocketAddr, connections: usize) -> Batch {
        let mut batch = Batch { stop: CancellationToken::new(), connections: JoinSet::new() };
        for _ in 0..connections {
            let (sender, stop) = (self.clone(), batch.stop.clone());
            batch.connections.spawn(async move { sender.send_until_failure(Connection::new(target), &stop).await });
        }
        batch
    }

    /// Sends messages until one fails, which is returned, or until `stop`.
    async fn send_until_failure(
        &self,
        mut connection: Connection,
        stop: &CancellationToken,
    ) -> io::Result<Option<Pending>> {
        let mut request = Vec::new();
        while !stop.is_cancelled() {
            let message = Pending { number: self.next.fetch_add(1, Ordering::Relaxed), at: self.clock.now() };
            if !self.send(&mut connection, message, 0, &mut request).await? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Sends a message once. Returns whether it was acknowledged, after recording that.
    async fn send(
        &self,
        connection: &mut Connection,
        message: Pending,
        retry: u8,
        request: &mut Vec<u8>,
    ) -> io::Result<bool> {
        self.requests.write(message.number, Sending { at: message.at, retry }, request);
        let is_acknowledged = connection.exchange(request).await.is_ok_and(is_acknowledgement);
        if is_acknowledged {
            self.journal.record(message.number)?;
        }
        Ok(is_acknowledged)
    }

    /// Sends these messages until all are acknowledged.
    pub(super) async fn send_again(
        self: &Arc<Self>,
        target: SocketAddr,
        messages: Vec<Pending>,
    ) -> Result<(), CrashError> {
        let mut sending = JoinSet::new();
        for message in messages {
            let sender = self.clone();
            sending.spawn(async move { sender.retry(Connection::new(target), message).await });
        }
        while let Some(sent) = sending.join_next().await {
            sent.map_err(LoadError::from)??;
        }
        Ok(())
    }

    /// Retries as Twitch does, with the same id and the same time, unless that time gets too old for the server.
    async fn retry(&self, mut connection: Connection, mut message: Pending) -> Result<(), CrashError> {
        let deadline = Instant::now() + RESEND_LIMIT;
        let mut request = Vec::new();
        for retry in 1_u8.. {
            let now = self.clock.now();
            if now - message.at > MAX_AGE / 2 {
                message.at = now;
            }
            if self.send(&mut connection, message, retry, &mut request).await.map_err(LoadError::Journal)? {
                return Ok(());
            }
            if Instant::now() > deadline || retry == u8::MAX {
                break;
            }
            sleep(PAUSE * u32::from(retry)).await;
        }
        Err(CrashError::NeverAcknowledged { message_id: self.message_id(&message), limit: RESEND_LIMIT })
    }
}

impl Batch {
    /// Stops sending, waits for the last answers, and returns the messages without a 2xx.
    pub(super) async fn stop(mut self) -> Result<Vec<Pending>, CrashError> {
        self.stop.cancel();
        let mut pending = Vec::new();
        while let Some(failed) = self.connections.join_next().await {
            pending.extend(failed.map_err(LoadError::from)?.map_err(LoadError::Journal)?);
        }
        Ok(pending)
    }
}
