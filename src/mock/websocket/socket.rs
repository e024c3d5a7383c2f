//! One connection: what is sent on it, and when it ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_http::ws::{Frame, Item, Message, ProtocolError};
use bytes::Bytes;
use bytestring::ByteString;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
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

/// Owns a connection.
pub(super) struct Socket {
    world: Arc<World>,
    connection: Connection,
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
}

/// How a connection ends.
enum End {
    /// With a close frame of this code.
    Close(Close),
    /// With a reset of the connection.
    Reset,
    /// The client is gone.
    Gone,
}

impl End {
    /// The status of the session's subscriptions afterwards.
    fn status(&self) -> SubscriptionStatus {
        match self {
            Self::Close(close) => close.status(),
            Self::Reset | Self::Gone => SubscriptionStatus::WebsocketNetworkError,
        }
    }
}

impl Socket {
    pub(super) fn new(world: &Arc<World>, connection: Connection, opened: Opened) -> Self {
        let now = world.config.clock.instant();
        let Opened { session_id, number, commands, overflow, keepalive, is_used, delay } = opened;
        Self {
            world: Arc::clone(world),
            connection,
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
        }
    }

    pub(super) async fn run(mut self) {
        let Err(end) = self.serve().await;
        // Before the client hears of it: what it does next finds a session that has ended.
        self.world.socket_ended(&self.session_id, self.number, &end.status());
        if self.is_deaf {
            // The client is to hear nothing of it, not even that the connection is closed.
            let clock = &self.world.config.clock;
            self.world.stop.run_until_cancelled(clock.sleep(HALF_OPEN_FOR)).await;
            return;
        }
        match end {
            End::Close(close) => self.connection.close(close.reason()).await,
            End::Reset => self.connection.reset(),
            End::Gone => {}
        }
    }

    /// Everything is due from the welcome on.
    fn restart_timers(&mut self) {
        let now = self.world.config.clock.instant();
        self.keepalive_at = Some(now + self.keepalive);
        self.ping_at = now + PING_INTERVAL;
        self.unused_at = self.unused_at.map(|_| now + UNUSED_AFTER);
    }

    async fn serve(&mut self) -> Result<Infallible, End> {
        self.send_welcome().await?;
        let (stop, overflow) = (self.world.stop.clone(), self.overflow.clone());
        let clock = self.world.config.clock.clone();
        loop {
            let due = self.next_due();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(End::Close(Close::Normal)),
                () = overflow.cancelled() => return Err(End::Close(Close::NetworkTimeout)),
                frame = self.connection.next(), if !self.is_deaf => self.receive(frame).await?,
                () = clock.sleep_until(due) => self.act(clock.instant()).await?,
                Some(command) = self.commands.recv() => match overflow.run_until_cancelled(self.obey(command)).await {
                    Some(obeyed) => obeyed?,
                    None => return Err(End::Close(Close::NetworkTimeout)),
                },
            }
        }
    }

    /// Sends the welcome when it is due, and when the session's socket before has written its last event.
    async fn send_welcome(&mut self) -> Result<(), End> {
        let (stop, clock) = (self.world.stop.clone(), self.world.config.clock.clone());
        let due = clock.instant() + self.delay;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(End::Close(Close::Normal)),
                frame = self.connection.next() => self.receive(frame).await?,
                () = clock.sleep_until(due) => break,
            }
        }
        let (text, flushed) = self.world.welcome(&self.session_id, self.number).ok_or(End::Gone)?;
        if let Some(flushed) = flushed {
            tokio::select! {
                _ = flushed => {}
                () = clock.sleep(FLUSH_TIMEOUT) => {}
                () = stop.cancelled() => {}
            }
        }
        self.restart_timers();
        self.send(text).await
    }

    /// A frame of the client, or its end: anything but a pong, a ping or a close is one too many.
    async fn receive(&mut self, frame: Option<Result<Frame, ProtocolError>>) -> Result<(), End> {
        match frame {
            Some(Ok(Frame::Pong(_))) => self.is_answered |= self.counts_pongs,
            Some(Ok(Frame::Ping(payload))) => self.write(Message::Pong(payload)).await?,
            Some(Ok(Frame::Close(_))) => return Err(self.close_after_waiting().await),
            Some(Ok(Frame::Text(_) | Frame::Binary(_) | Frame::Continuation(_))) => {
                return Err(End::Close(Close::InboundTraffic));
            }
            Some(Err(ProtocolError::Io(_))) | None => return Err(End::Gone),
            Some(Err(_)) => return Err(End::Close(Close::InboundTraffic)),
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
            Command::Abort => return Err(End::Reset),
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

    async fn write(&mut self, message: Message) -> Result<(), End> {
        self.connection.send(message).await.map_err(|_| End::Gone)
    }

    async fn send(&mut self, text: ByteString) -> Result<(), End> {
        if !self.is_silent {
            self.write(Message::Text(text)).await?;
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
                self.write(Message::Continuation(part)).await?;
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
            self.world.record_delivery(id);
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
                self.write(Message::Ping(Bytes::new())).await?;
            }
        }
        if is_due(self.keepalive_at) {
            self.send(frames::keepalive(&self.world.stamp())).await?;
        }
        Ok(())
    }
}
