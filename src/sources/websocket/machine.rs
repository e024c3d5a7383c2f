//! The life of one user's session with Twitch, as a pure function: it opens no connection, asks no clock and writes nothing.
//!
//! ```text
//!  Down ──► Connecting ──welcome──► Fresh ──subscribed──► Live
//!   ▲            │ failed             │                    │ Twitch asks for another connection
//!   └────────────┴──── ended ─────────┴────────────────────┤
//!                                                          ▼
//!                                 Live ◄──welcome── Moving (the old one goes on)
//! ```
//!
//! Every state has a timer, so none lasts for ever.

mod cause;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use self::cause::Cause;
use self::cause::{INVALID_RECONNECT, UNUSED};
use crate::twitch::websocket::CONNECT_TIMEOUT;

/// How much later than a keepalive was due silence counts as the end of a connection.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// How long the subscriptions are waited for until a gap that goes on is recorded so far. Twitch then
/// [closes](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#close-message) a session that has none.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(10);

/// How long the connection that Twitch asks for is tried. After
/// [30 seconds](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#reconnect-message) the old one ends.
const MOVE_LIMIT: Duration = Duration::from_secs(25);

/// The pause between two attempts to move.
const MOVE_RETRY: Duration = Duration::from_secs(1);

/// A session that was up for so long ends a row of failures.
const STABLE: Duration = Duration::from_secs(60);

/// A connection, by its number among those of this user.
pub(super) type SocketId = u32;

/// What happened.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// A connection is open.
    Welcome { socket: SocketId, session: Arc<str>, keepalive: Duration },
    /// A frame came.
    Heard { socket: SocketId },
    /// Twitch asks for another connection, to this URL; `None` if it can't be used.
    Reconnect { socket: SocketId, url: Option<Arc<str>> },
    /// A connection ended, or could not be opened; in words.
    Ended { socket: SocketId, cause: Cause, reason: Arc<str> },
    /// All that is wanted is subscribed to on this session.
    Subscribed { session: Arc<str> },
    /// Twitch refused to subscribe, because it counts too many sessions of this user.
    TooManySessions { session: Arc<str> },
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Open a connection, to this URL or else to the configured one.
    Connect { socket: SocketId, url: Option<Arc<str>> },
    /// Close a connection and read what is still under way, or give up opening it.
    Close(SocketId),
    /// A new session: subscribe on it.
    Subscribe(Arc<str>),
    /// The session goes on over another connection, with its subscriptions.
    Moved(Arc<str>),
    /// There is no session, since this happened.
    Lost { cause: Cause, reason: Arc<str> },
    /// Look up what happened between the end of the last session and now. If not all is subscribed to yet, the gap goes on.
    FillGap { cause: Cause, is_over: bool },
}

/// A name for `/status` and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Status {
    /// Waits before the next connection.
    #[default]
    Down,
    /// Opens a connection.
    Connecting,
    /// Waits for the subscriptions.
    Fresh,
    /// Works.
    Live,
    /// Works, and opens the connection that Twitch asked for.
    Moving,
}

/// An open connection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    socket: SocketId,
    session: Arc<str>,
    keepalive: Duration,
    since: Instant,
    heard_at: Instant,
}

impl Link {
    fn deadline(&self) -> Instant {
        self.heard_at + self.keepalive + GRACE
    }
}

/// An attempt to replace a connection at Twitch's request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    url: Option<Arc<str>>,
    /// The connection that is being opened, and its time limit.
    attempt: Option<(SocketId, Instant)>,
    retry_at: Instant,
    give_up_at: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Down { until: Instant },
    Connecting { socket: SocketId, until: Instant },
    Up(Link),
    Moving(Link, Move),
}

/// The state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    phase: Phase,
    next_socket: SocketId,
    /// Connections in a row that failed or did not last.
    failures: u32,
    /// The last session. One with another id has no subscriptions yet.
    session: Option<Arc<str>>,
    /// Whether all that is wanted is subscribed to on it.
    is_subscribed: bool,
    /// Until when that is waited for before a gap that goes on is recorded.
    subscribe_until: Option<Instant>,
    /// Why messages may be missing that are not looked up yet.
    gap: Option<Cause>,
}

impl Machine {
    /// Connects at once. `gap` says why messages may be missing from before.
    pub(super) fn new(now: Instant, gap: Option<Cause>) -> Self {
        Self {
            phase: Phase::Down { until: now },
            next_socket: 0,
            failures: 0,
            session: None,
            is_subscribed: false,
            subscribe_until: None,
            gap,
        }
    }

    /// When the next [`Input::Tick`] is due.
    pub(super) fn wake_at(&self) -> Instant {
        match &self.phase {
            Phase::Down { until } | Phase::Connecting { until, .. } => *until,
            Phase::Up(link) => self.wake_with(link),
            Phase::Moving(old, to) => self.wake_with(old).min(to.attempt.map_or(to.retry_at, |(_, until)| until)),
        }
    }

    fn wake_with(&self, link: &Link) -> Instant {
        self.subscribe_until.map_or(link.deadline(), |at| at.min(link.deadline()))
    }

    pub(super) fn status(&self) -> Status {
        match &self.phase {
            Phase::Down { .. } => Status::Down,
            Phase::Connecting { .. } => Status::Connecting,
            Phase::Up(_) if self.is_subscribed => Status::Live,
            Phase::Up(_) => Status::Fresh,
            Phase::Moving(..) => Status::Moving,
        }
    }

    /// Goes on. `jitter` is a random number from 0 to 1, for pauses. An input about a connection or session that is over
    /// changes nothing.
    pub(super) fn step(&mut self, input: &Input, now: Instant, jitter: f64) -> Vec<Effect> {
        match input {
            Input::Welcome { socket, session, keepalive } => self.welcome(*socket, session, *keepalive, now),
            Input::Heard { socket } => {
                if let Some(link) = self.link(|link| link.socket == *socket) {
                    link.heard_at = now;
                }
                Vec::new()
            }
            Input::Reconnect { socket, url } => self.reconnect(*socket, url.as_ref(), now),
            Input::Ended { socket, cause, reason } => self.ended(*socket, *cause, reason, now, jitter),
            Input::Subscribed { session } => {
                if self.is_subscribed || self.link(|link| link.session == *session).is_none() {
                    return Vec::new();
                }
                (self.is_subscribed, self.subscribe_until) = (true, None);
                self.fill_gap()
            }
            Input::TooManySessions { session } => {
                let is_subscribed = self.is_subscribed;
                let unused = self.link(|link| link.session == *session && !is_subscribed);
                let Some(socket) = unused.map(|link| link.socket) else { return Vec::new() };
                let mut effects = self.close_attempt();
                effects.push(Effect::Close(socket));
                effects.extend(self.lost(Cause::Limit, "Twitch counts too many sessions of this user", now, jitter));
                effects
            }
            Input::Tick => {
                let mut effects = Vec::new();
                while self.wake_at() <= now {
                    effects.extend(self.fire(now, jitter));
                }
                effects
            }
        }
    }

    /// The open connection that is in use, if it is this one.
    fn link(&mut self, is: impl FnOnce(&Link) -> bool) -> Option<&mut Link> {
        match &mut self.phase {
            Phase::Up(link) | Phase::Moving(link, _) => Some(link).filter(|link| is(link)),
            Phase::Down { .. } | Phase::Connecting { .. } => None,
        }
    }

    fn socket(&mut self) -> SocketId {
        self.next_socket += 1;
        self.next_socket
    }

    /// What to do about the earliest timer.
    fn fire(&mut self, now: Instant, jitter: f64) -> Vec<Effect> {
        if let Some(socket) = self.link(|link| link.deadline() <= now).map(|link| link.socket) {
            let mut effects = vec![Effect::Close(socket)];
            effects.extend(self.ended(socket, Cause::Keepalive, "nothing came, not even a keepalive", now, jitter));
            return effects;
        }
        let is_up = self.link(|_| true).is_some();
        if self.subscribe_until.take_if(|at| is_up && *at <= now).is_some() {
            return self.gap.iter().map(|cause| Effect::FillGap { cause: *cause, is_over: false }).collect();
        }
        match &mut self.phase {
            Phase::Down { .. } => {
                let socket = self.socket();
                self.phase = Phase::Connecting { socket, until: now + CONNECT_TIMEOUT };
                vec![Effect::Connect { socket, url: None }]
            }
            Phase::Moving(_, Move { attempt: None, give_up_at, .. }) if now < *give_up_at => self.attempt(now),
            Phase::Moving(old, Move { attempt: None, .. }) => {
                // Twitch will end this connection; then a new session begins.
                self.phase = Phase::Up(old.clone());
                Vec::new()
            }
            Phase::Connecting { socket, .. } | Phase::Moving(_, Move { attempt: Some((socket, _)), .. }) => {
                let socket = *socket;
                let mut effects = vec![Effect::Close(socket)];
                effects.extend(self.ended(socket, Cause::Io, "no welcome came in time", now, jitter));
                effects
            }
            Phase::Up(_) => Vec::new(),
        }
    }

    fn welcome(&mut self, socket: SocketId, session: &Arc<str>, keepalive: Duration, now: Instant) -> Vec<Effect> {
        let old = match &self.phase {
            Phase::Connecting { socket: expected, .. } if *expected == socket => None,
            Phase::Moving(old, Move { attempt: Some((expected, _)), .. }) if *expected == socket => Some(old.socket),
            _ => return Vec::new(),
        };
        let is_new = self.session.as_ref() != Some(session);
        self.is_subscribed &= !is_new;
        self.subscribe_until = (!self.is_subscribed).then_some(now + SUBSCRIBE_LIMIT);
        self.phase = Phase::Up(Link { socket, session: session.clone(), keepalive, since: now, heard_at: now });
        self.session = Some(session.clone());
        let mut effects: Vec<_> = old.map(Effect::Close).into_iter().collect();
        if is_new {
            if old.is_some() {
                // Its subscriptions end with it.
                self.gap.get_or_insert(Cause::Requested);
                effects.push(Effect::Lost {
                    cause: Cause::Requested,
                    reason: "the new connection has another session".into(),
                });
            }
            effects.push(Effect::Subscribe(session.clone()));
        } else {
            effects.push(Effect::Moved(session.clone()));
            if self.is_subscribed {
                effects.extend(self.fill_gap());
            }
        }
        effects
    }

    fn reconnect(&mut self, socket: SocketId, url: Option<&Arc<str>>, now: Instant) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Up(link) if link.socket == socket => {
                let link = Link { heard_at: now, ..link.clone() };
                let to = Move { url: url.cloned(), attempt: None, retry_at: now, give_up_at: now + MOVE_LIMIT };
                self.phase = Phase::Moving(link, to);
                self.attempt(now)
            }
            Phase::Moving(old, to) if old.socket == socket => {
                (old.heard_at, to.url) = (now, url.cloned());
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Opens the connection that Twitch asked for.
    fn attempt(&mut self, now: Instant) -> Vec<Effect> {
        let socket = self.socket();
        let Phase::Moving(_, to) = &mut self.phase else { return Vec::new() };
        to.attempt = Some((socket, now + CONNECT_TIMEOUT));
        vec![Effect::Connect { socket, url: to.url.clone() }]
    }

    fn close_attempt(&self) -> Vec<Effect> {
        match &self.phase {
            Phase::Moving(_, Move { attempt: Some((socket, _)), .. }) => vec![Effect::Close(*socket)],
            _ => Vec::new(),
        }
    }

    fn ended(&mut self, socket: SocketId, cause: Cause, reason: &str, now: Instant, jitter: f64) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Connecting { socket: it, .. } if *it == socket => self.lost(cause, reason, now, jitter),
            Phase::Up(link) if link.socket == socket => self.lost(cause, reason, now, jitter),
            Phase::Moving(old, to) if old.socket == socket => match to.attempt {
                // It may still be welcomed, and then nothing was lost.
                Some((socket, until)) => {
                    self.phase = Phase::Connecting { socket, until };
                    self.gap.get_or_insert(cause);
                    vec![Effect::Lost { cause, reason: reason.into() }]
                }
                None => self.lost(cause, reason, now, jitter),
            },
            Phase::Moving(_, to) if to.attempt.is_some_and(|(it, _)| it == socket) => {
                to.attempt = None;
                to.retry_at = now + MOVE_RETRY;
                if cause == Cause::Code(INVALID_RECONNECT) && to.url.take().is_some() {
                    return self.attempt(now);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Waits before the next connection.
    fn lost(&mut self, cause: Cause, reason: &str, now: Instant, jitter: f64) -> Vec<Effect> {
        if let Some(since) = self.link(|_| true).map(|link| link.since) {
            self.gap.get_or_insert(cause);
            if now.saturating_duration_since(since) >= STABLE {
                self.failures = 0;
            }
        }
        let pause = match cause {
            // It was used, so nothing is the matter with subscribing.
            Cause::Code(UNUSED) if self.is_subscribed => Cause::Io.pause(self.failures, jitter),
            _ => cause.pause(self.failures, jitter),
        };
        self.phase = Phase::Down { until: now + pause };
        self.failures = self.failures.saturating_add(1);
        vec![Effect::Lost { cause, reason: reason.into() }]
    }

    fn fill_gap(&mut self) -> Vec<Effect> {
        self.gap.take().map(|cause| Effect::FillGap { cause, is_over: true }).into_iter().collect()
    }
}
