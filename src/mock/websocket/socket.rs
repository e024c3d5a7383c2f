//! One connection: what is sent on it, and when it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_ws::{Item, Message, MessageStream, Session};
use bytes::Bytes;
use bytestring::ByteString;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Close, Command, Opened, frames};
use crate::mock::world::World;
use crate::twitch::subscription_status::SubscriptionStatus;

/// How long a client has to subscribe to something.
const UNUSED_AFTER: Duration = Duration::from_secs(10);

/// The interval of pings, each of which is to be answered before the next one.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long a connection that is half open stays so after its session has ended.
const HALF_OPEN_FOR: Duration = Duration::from_secs(60);

/// The longest that a welcome waits for the last events of the session's socket before.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The largest message that a client may send, in bytes; any is one too many.
const MAX_MESSAGE: usize = 4_096;

/// Owns a connection.
pub(super) struct Socket {
    world: Arc<World>,
    session: Session,
    session_id: String,
    number: u64,
    commands: mpsc::Receiver<Command>,
    overflow: CancellationToken,
    keepalive: Duration,
    /// When the client hears that the connection lives; `None` if it is not to.
    keepalive_at: Option<Instant>,
    ping_at: Instant,
    /// Whether the last ping was answered, as far as that counts.
    is_answered: bool,
    counts_pongs: bool,
    /// When it ends because the session has no subscription.
    unused_at: Option<Instant>,
    /// When it ends because the client was asked to reconnect.
    grace_ends_at: Option<Instant>,
    /// How late the welcome is, with everything else.
    delay: Duration,
    /// Whether nothing is sent any more, not even pings.
    is_silent: bool,
    /// Whether nothing is read any more.
    is_deaf: bool,
    /// Comes when the session's socket before has written its last event.
    flushed: Option<oneshot::Receiver<()>>,
}

/// How a connection ends.
enum End {
    /// With a close frame of this code.
    Close(Close),
    /// The client is gone, or is left without a close frame.
    Gone(SubscriptionStatus),
}

impl Socket {
    pub(super) fn new(world: &Arc<World>, session: Session, opened: Opened) -> Self {
        let now = world.config.clock.instant();
        let Opened { session_id, number, commands, overflow, keepalive, is_used, delay, flushed } = opened;
        Self {
            world: Arc::clone(world),
            session,
            session_id,
            number,
            commands,
            overflow,
            keepalive,
            keepalive_at: Some(now + keepalive),
            ping_at: now + PING_INTERVAL,
            is_answered: true,
            counts_pongs: true,
            unused_at: (!is_used).then_some(now + UNUSED_AFTER),
            grace_ends_at: None,
            delay,
            is_silent: false,
            is_deaf: false,
            flushed,
        }
    }

    pub(super) async fn run(mut self, incoming: MessageStream) {
        let end = self.serve(incoming.max_frame_size(MAX_MESSAGE)).await;
        let status = match &end {
            End::Close(close) => close.status(),
            End::Gone(status) => status.clone(),
        };
        // Before the client hears of it: what it does next finds a session that has ended.
        self.world.socket_ended(&self.session_id, self.number, &status);
        if self.is_deaf {
            // The client is to hear nothing of it, not even that the connection is closed.
            let clock = &self.world.config.clock;
            self.world.stop.run_until_cancelled(clock.sleep(HALF_OPEN_FOR)).await;
        } else if let End::Close(close) = end {
            let _ = self.session.close(Some(close.reason())).await;
        }
    }

    /// Everything is due from the welcome on.
    fn restart_timers(&mut self) {
        let now = self.world.config.clock.instant();
        self.keepalive_at = Some(now + self.keepalive);
        self.ping_at = now + PING_INTERVAL;
        self.unused_at = self.unused_at.map(|_| now + UNUSED_AFTER);
    }

    async fn serve(&mut self, mut incoming: MessageStream) -> End {
        let (stop, overflow) = (self.world.stop.clone(), self.overflow.clone());
        let clock = self.world.config.clock.clone();
        stop.run_until_cancelled(clock.sleep(self.delay)).await;
        if let Some(flushed) = self.flushed.take() {
            tokio::select! {
                _ = flushed => {}
                () = clock.sleep(FLUSH_TIMEOUT) => {}
                () = stop.cancelled() => {}
            }
        }
        self.restart_timers();
        loop {
            let due = self.next_due();
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => Err(End::Close(Close::Normal)),
                () = overflow.cancelled() => Err(End::Close(Close::NetworkTimeout)),
                message = incoming.recv(), if !self.is_deaf => match message {
                    Some(Ok(message)) => self.receive(message).await,
                    Some(Err(_)) => Err(End::Close(Close::InboundTraffic)),
                    None => Err(End::Gone(SubscriptionStatus::WebsocketNetworkError)),
                },
                () = clock.sleep_until(due) => self.act(clock.instant()).await,
                Some(command) = self.commands.recv() => match overflow.run_until_cancelled(self.obey(command)).await {
                    Some(obeyed) => obeyed,
                    None => Err(End::Close(Close::NetworkTimeout)),
                },
            };
            if let Err(end) = ended {
                return end;
            }
        }
    }

    /// A message of the client: anything but a pong, a ping or a close is one too many.
    async fn receive(&mut self, message: Message) -> Result<(), End> {
        match message {
            Message::Pong(_) => self.is_answered |= self.counts_pongs,
            Message::Ping(payload) => self.session.pong(&payload).await.map_err(|_| gone())?,
            Message::Close(_) => return Err(self.close_after_waiting().await),
            Message::Text(_) | Message::Binary(_) | Message::Continuation(_) => {
                return Err(End::Close(Close::InboundTraffic));
            }
            Message::Nop => {}
        }
        Ok(())
    }

    /// Writes what was sent before the client closed, which may still read it.
    async fn close_after_waiting(&mut self) -> End {
        while let Ok(command) = self.commands.try_recv() {
            if let Err(end) = self.obey(command).await {
                return end;
            }
        }
        End::Close(Close::Normal)
    }

    async fn obey(&mut self, command: Command) -> Result<(), End> {
        match command {
            Command::Send(text, id) => {
                self.send(text).await?;
                self.record(id);
            }
            Command::SendInFragments(text, id) => {
                self.send_in_fragments(text).await?;
                self.record(id);
            }
            Command::Reconnect(text, grace) => {
                self.send(text).await?;
                self.grace_ends_at = Some(self.world.config.clock.instant() + grace);
            }
            Command::Close(close) => return Err(End::Close(close)),
            Command::Abort => return Err(gone()),
            Command::Silence => self.is_silent = true,
            Command::HalfOpen => (self.is_silent, self.is_deaf, self.is_answered) = (true, true, false),
            Command::Subscribed => self.unused_at = None,
            Command::Keepalive(is_on) => {
                self.keepalive_at = is_on.then(|| self.world.config.clock.instant() + self.keepalive);
            }
            Command::Pongs(count) => self.counts_pongs = count,
            Command::Flush(flushed) => drop(flushed.send(())),
        }
        Ok(())
    }

    async fn send(&mut self, text: ByteString) -> Result<(), End> {
        if !self.is_silent {
            self.session.text(text).await.map_err(|_| gone())?;
        }
        self.put_off_keepalive();
        Ok(())
    }

    /// Sends a message in three fragments, of which the middle one is empty.
    async fn send_in_fragments(&mut self, text: ByteString) -> Result<(), End> {
        let mut first = text.into_bytes();
        let last = first.split_off(first.len() / 2);
        for part in [Item::FirstText(first), Item::Continue(Bytes::new()), Item::Last(last)] {
            if !self.is_silent {
                self.session.continuation(part).await.map_err(|_| gone())?;
            }
        }
        self.put_off_keepalive();
        Ok(())
    }

    fn put_off_keepalive(&mut self) {
        let next = self.world.config.clock.instant() + self.keepalive;
        self.keepalive_at = self.keepalive_at.map(|_| next);
    }

    /// Records that a message was written.
    fn record(&self, message_id: Option<String>) {
        if let Some(id) = message_id.filter(|_| !self.is_silent) {
            self.world.state().sessions.record_delivery(id);
            self.world.delivered.notify_waiters();
        }
    }

    fn next_due(&self) -> Instant {
        let others = [self.keepalive_at, self.unused_at, self.grace_ends_at];
        others.into_iter().flatten().fold(self.ping_at, Ord::min)
    }

    /// Does what is due.
    async fn act(&mut self, now: Instant) -> Result<(), End> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.grace_ends_at) {
            return Err(End::Close(Close::GraceExpired));
        }
        if is_due(self.unused_at) {
            return Err(End::Close(Close::Unused));
        }
        if self.ping_at <= now {
            if !self.is_answered {
                return Err(End::Close(Close::FailedPingPong));
            }
            self.ping_at = now + PING_INTERVAL;
            if !self.is_silent {
                self.is_answered = false;
                self.session.ping(b"").await.map_err(|_| gone())?;
            }
        }
        if is_due(self.keepalive_at) {
            self.send(frames::keepalive(&self.world.stamp())).await?;
        }
        Ok(())
    }
}

fn gone() -> End {
    End::Gone(SubscriptionStatus::WebsocketNetworkError)
}
