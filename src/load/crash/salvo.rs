//! Messages over many connections, until each has met with a failure or is told to cease; and those
//! that failed, again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::CrashError;
use crate::clock::Clock;
use crate::load::LoadError;
use crate::load::connection::Connection;
use crate::load::journal::Journal;
use crate::load::numbers::Numbers;
use crate::load::report::is_acknowledgement;
use crate::load::request::{Requests, Sending};
use crate::twitch::eventsub::MAX_AGE;

/// How long a message may be refused by a server that is ready.
const RESEND_LIMIT: Duration = Duration::from_secs(60);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// What sends the messages of a run.
pub(super) struct Gun {
    requests: Requests,
    clock: Clock,
    journal: Journal,
    next: AtomicU64,
}

/// A message that got no 2xx.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    number: u64,
    at: OffsetDateTime,
}

/// Messages that go out.
pub(super) struct Salvo {
    cease: CancellationToken,
    connections: JoinSet<io::Result<Option<Pending>>>,
}

impl Gun {
    pub(super) fn new(requests: Requests, clock: Clock, journal: Journal) -> Self {
        Self { requests, clock, journal, next: AtomicU64::new(0) }
    }

    /// How many messages there were, all in all.
    pub(super) fn sent(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Which were acknowledged.
    pub(super) fn acknowledged(&self) -> io::Result<Numbers> {
        self.journal.read()
    }

    pub(super) fn message_id(&self, message: &Pending) -> String {
        self.requests.traffic().run.message_id(message.number)
    }

    /// Sends new messages, as fast as they are answered.
    pub(super) fn fire(self: &Arc<Self>, target: SocketAddr, connections: usize) -> Salvo {
        let mut salvo = Salvo { cease: CancellationToken::new(), connections: JoinSet::new() };
        for _ in 0..connections {
            let (gun, cease) = (self.clone(), salvo.cease.clone());
            salvo.connections.spawn(async move { gun.fire_over(Connection::to(target), &cease).await });
        }
        salvo
    }

    /// Until something fails, which is returned.
    async fn fire_over(&self, mut connection: Connection, cease: &CancellationToken) -> io::Result<Option<Pending>> {
        let mut request = Vec::new();
        while !cease.is_cancelled() {
            let message = Pending { number: self.next.fetch_add(1, Ordering::Relaxed), at: self.clock.now() };
            if !self.send(&mut connection, message, 0, &mut request).await? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Whether it was acknowledged.
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
            self.journal.note(message.number)?;
        }
        Ok(is_acknowledged)
    }

    /// Sends these again and again until they are acknowledged.
    pub(super) async fn send_again(
        self: &Arc<Self>,
        target: SocketAddr,
        messages: Vec<Pending>,
    ) -> Result<(), CrashError> {
        let mut sending = JoinSet::new();
        for message in messages {
            let gun = self.clone();
            sending.spawn(async move { gun.insist(Connection::to(target), message).await });
        }
        while let Some(sent) = sending.join_next().await {
            sent.map_err(LoadError::from)??;
        }
        Ok(())
    }

    /// As Twitch does: with the same id and time, as long as that is recent enough.
    async fn insist(&self, mut connection: Connection, mut message: Pending) -> Result<(), CrashError> {
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

impl Salvo {
    /// No new ones; waits for the last answers, and returns what got none, or none of 2xx.
    pub(super) async fn cease(mut self) -> Result<Vec<Pending>, CrashError> {
        self.cease.cancel();
        let mut pending = Vec::new();
        while let Some(fired) = self.connections.join_next().await {
            pending.extend(fired.map_err(LoadError::from)?.map_err(LoadError::Journal)?);
        }
        Ok(pending)
    }
}
