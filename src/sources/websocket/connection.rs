//! One connection: reads its frames, hands messages to the intake, and tells the session what concerns it.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::machine::{Cause, Input, SocketId};
use crate::clock::Clock;
use crate::incidents::{Incidents, Kind};
use crate::message::{Message, NoticeError};
use crate::metrics::{Metrics, Outcome, Transport};
use crate::services::Services;
use crate::twitch::eventsub::frame::{Frame, Notice};
use crate::twitch::id::ChannelId;
use crate::twitch::websocket::{ConnectError, End, Endpoint, Received, Session};

/// How long a connection is read on after it was closed from this side.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The silence that Twitch is asked for at most, in seconds: the least that it offers, and what spares many sessions most of
/// their keepalives.
const KEEPALIVES: [u64; 2] = [10, 30];

/// Sessions that connect at the same time. A thousand at once would keep each other from being welcomed in time. A connection
/// that Twitch asks for is not counted: its time is limited, and the one before it goes on.
pub(super) const MAX_CONNECTING: usize = 32;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Context {
    endpoint: Endpoint,
    pub(super) clock: Clock,
    pub(super) intake: Intake,
    incidents: Incidents,
    pub(super) metrics: Metrics,
    /// Whether there are many sessions.
    are_many: AtomicBool,
    /// Which sessions may connect now.
    pub(super) turns: Arc<Semaphore>,
}

impl Context {
    pub(super) fn new(endpoint: Endpoint, intake: Intake, services: &Services) -> Self {
        Self {
            endpoint,
            clock: services.clock.clone(),
            intake,
            incidents: services.incidents.clone(),
            metrics: services.metrics.clone(),
            are_many: AtomicBool::new(false),
            turns: Arc::new(Semaphore::new(MAX_CONNECTING)),
        }
    }

    /// Sets whether new connections ask for fewer keepalives, because there are many sessions.
    pub(super) fn spare_keepalives(&self, are_many: bool) {
        self.are_many.store(are_many, Ordering::Relaxed);
    }

    fn keepalive(&self) -> Duration {
        Duration::from_secs(KEEPALIVES[usize::from(self.are_many.load(Ordering::Relaxed))])
    }
}

/// A connection of the session with this channel's user.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) context: Arc<Context>,
    pub(super) channel: ChannelId,
    pub(super) socket: SocketId,
    pub(super) inputs: mpsc::Sender<Input>,
    /// Cancelled when the connection is to be closed, or not to be opened any more.
    pub(super) closing: CancellationToken,
}

impl Connection {
    /// Connects and reads until the connection has ended, or until [`DRAIN_TIME`] after it was closed from this side.
    pub(super) async fn run(self, url: Option<Arc<str>>) {
        if let Some((cause, reason)) = self.read(url.as_deref()).await {
            self.tell(Input::Ended { socket: self.socket, cause, reason: reason.into() }).await;
        }
    }

    async fn read(&self, url: Option<&str>) -> Option<(Cause, String)> {
        let connected = tokio::select! {
            biased;
            () = self.closing.cancelled() => return None,
            connected = self.context.endpoint.connect(url, self.context.keepalive()) => connected,
        };
        let (session, mut frames) = match connected {
            Ok(connected) => connected,
            Err(error) => return Some((cause_of_failure(&error), error.to_string())),
        };
        self.tell(Input::Welcome { socket: self.socket, session: session.id().into(), keepalive: session.keepalive() })
            .await;
        let clock = &self.context.clock;
        let mut closed_at = None;
        loop {
            let until = closed_at.unwrap_or_else(|| clock.instant()) + DRAIN_TIME;
            tokio::select! {
                biased;
                () = self.closing.cancelled(), if closed_at.is_none() => {
                    frames.close().await;
                    closed_at = Some(clock.instant());
                }
                received = frames.next() => match received {
                    Ok(received) => self.take(&session, received).await,
                    Err(end) => return Some((cause_of(&end), end.to_string())),
                },
                () = clock.sleep_until(until), if closed_at.is_some() => return None,
            }
        }
    }

    /// Takes a frame. One that is bad is counted, and the connection goes on.
    async fn take(&self, session: &Session, received: Received) {
        // If inputs wait already, the next of them says so, too.
        let _ = self.inputs.try_send(Input::Heard { socket: self.socket });
        match received {
            Received::Text(text) => self.take_text(session, &text).await,
            Received::Bad(why) => self.refuse("malformed", None, Outcome::Malformed, &why),
        }
    }

    async fn take_text(&self, session: &Session, text: &ByteString) {
        match Frame::parse(text) {
            Ok(Frame::Message(notice)) => self.take_notice(session, &notice),
            Ok(Frame::Keepalive(Some(at))) => self.context.intake.keepalive(&self.channel, at),
            Ok(Frame::Keepalive(None)) => {}
            Ok(Frame::Reconnect(url)) => {
                let is_safe = |url: &String| self.context.endpoint.is_safe_reconnect(url);
                if let Some(url) = url.as_ref().filter(|url| !is_safe(url)) {
                    let url: String = url.chars().filter(|c| !c.is_control()).take(200).collect();
                    let error =
                        format!("a connection to `{url}` was asked for, which is not at the configured service");
                    self.refuse("reconnect_url", None, Outcome::Malformed, &error);
                }
                self.tell(Input::Reconnect { socket: self.socket, url: url.filter(is_safe).map(Arc::from) }).await;
            }
            Ok(Frame::Welcome(_)) => self.refuse("malformed", None, Outcome::Malformed, &"a second welcome"),
            Ok(Frame::Unknown(kind)) => {
                let error = format!("the message type `{kind}` is not known");
                self.refuse("unknown_type", None, Outcome::Malformed, &error);
            }
            Err(error) => self.refuse("malformed", None, Outcome::Malformed, &error),
        }
    }

    fn take_notice(&self, session: &Session, notice: &Notice) {
        let now = self.context.clock.now();
        let kind = notice.subscription_type.as_ref().map(AsRef::as_ref);
        match Message::from_websocket(session, notice, now) {
            Ok(message) => self.context.intake.accept(&self.channel, message),
            Err(error) => {
                let (subject, outcome) = match &error {
                    NoticeError::Stale(_) => ("stale", Outcome::Stale),
                    NoticeError::OtherSession(_) => ("other_session", Outcome::Forged),
                    NoticeError::Contradiction { .. } => ("contradiction", Outcome::Malformed),
                    NoticeError::Decode(_) => ("malformed", Outcome::Malformed),
                };
                self.refuse(subject, kind, outcome, &error);
            }
        }
    }

    fn refuse(&self, subject: &'static str, kind: Option<&str>, outcome: Outcome, error: &dyn Display) {
        self.context.incidents.record(Kind::RefusedFrame, Some(subject), &error);
        self.context.metrics.message(Transport::WebSocket, kind, outcome, Duration::ZERO);
    }

    /// The session ends before its connections only when the server stops, or when it panics.
    async fn tell(&self, input: Input) {
        let _ = self.inputs.send(input).await;
    }
}

fn cause_of(end: &End) -> Cause {
    match end {
        End::Closed { code, .. } => Cause::Code(*code),
        End::Broken(_) => Cause::Io,
    }
}

fn cause_of_failure(error: &ConnectError) -> Cause {
    match error {
        ConnectError::Ended(end) => cause_of(end),
        _ => Cause::Io,
    }
}
