//! Moving a session to another socket, as
//! [reconnect messages](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#reconnect-message) ask for: the old
//! socket gets the events until the new one has its welcome, and the session keeps its id and its subscriptions.

use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::sessions::{Handle, Next};
use super::{Close, Command, Opened, Session, SessionError, Sessions, frames};
use crate::mock::world::World;

/// How long a client has to follow the request to reconnect.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Sessions that an error names.
const MAX_NAMED: usize = 20;

impl Sessions {
    /// The id of the session that is named by its whole id or its first characters.
    pub(in crate::mock) fn resolve(&self, named: &str) -> Result<String, SessionError> {
        if self.by_id.contains_key(named) {
            return Ok(named.to_owned());
        }
        let known = || {
            let mut known: Vec<_> = self.by_id.keys().take(MAX_NAMED).map(String::as_str).collect();
            known.extend((self.by_id.len() > MAX_NAMED).then_some("…"));
            known.join(", ")
        };
        let mut matching = self.by_id.keys().filter(|id| !named.is_empty() && id.starts_with(named));
        match (matching.next(), matching.next()) {
            (Some(id), None) => Ok(id.clone()),
            (Some(_), Some(_)) => Err(SessionError::Ambiguous(named.to_owned(), known())),
            (None, _) if self.by_id.is_empty() => Err(SessionError::None),
            (None, _) => Err(SessionError::Unknown(named.to_owned(), known())),
        }
    }
}

impl World {
    /// Asks one session, or all, to reconnect to a URL that is good once, and while the old socket lives. Returns how many
    /// were asked.
    pub(in crate::mock) fn ask_to_reconnect(
        &self,
        named: Option<&str>,
        grace: Duration,
    ) -> Result<usize, SessionError> {
        let mut state = self.state();
        let ids = match named {
            Some(named) => vec![state.sessions.resolve(named)?],
            None if state.sessions.by_id.is_empty() => return Err(SessionError::None),
            None => state.sessions.by_id.keys().cloned().collect(),
        };
        for id in &ids {
            let is_dead = state.faults.draw_dead_url();
            let Some(session) = state.sessions.by_id.get_mut(id) else { continue };
            let challenge = Uuid::new_v4().to_string();
            let scheme = if self.config.is_tls { "wss" } else { "ws" };
            let url = format!("{scheme}://{}/ws?challenge={challenge}&id={id}", session.host);
            session.challenge = Some(if is_dead { Uuid::new_v4().to_string() } else { challenge });
            let frame = frames::reconnect(&self.stamp(), id, session, &url);
            session.socket.give(Command::Reconnect(frame, grace));
        }
        Ok(ids.len())
    }

    /// Lets a session move to a new socket. The old one gets the events until the [welcome](Self::welcome) of this one.
    pub(super) fn move_session(&self, id: &str, challenge: &str) -> Result<Opened, Close> {
        let mut state = self.state();
        let delay = state.welcome_delay();
        let (socket, commands) = state.sessions.handle();
        let session = state.sessions.by_id.get_mut(id).ok_or(Close::InvalidReconnect)?;
        if session.next.is_some() || session.challenge.as_deref() != Some(challenge) {
            return Err(Close::InvalidReconnect);
        }
        let opened = Opened {
            session_id: id.to_owned(),
            number: socket.number,
            commands,
            overflow: socket.overflow.clone(),
            keepalive: session.keepalive,
            is_used: true,
            delay,
        };
        session.next = Some(Next { socket, challenge: challenge.to_owned() });
        Ok(opened)
    }

    /// The welcome of a socket, to be written now. All further events of the session are for this socket; the receiver gets
    /// word when those before it are written to the old one.
    pub(super) fn welcome(&self, id: &str, number: u64) -> Option<(ByteString, Option<oneshot::Receiver<()>>)> {
        let mut state = self.state();
        let session = state.sessions.by_id.get_mut(id)?;
        let is_next = session.next.as_ref().is_some_and(|next| next.socket.number == number);
        let flushed = is_next.then(|| session.take_over()).flatten().map(|old| {
            let (flush, flushed) = oneshot::channel();
            old.give(Command::Flush(flush));
            session.old = Some(old);
            flushed
        });
        Some((frames::welcome(&self.stamp(), id, session), flushed))
    }
}

impl Session {
    /// Makes the next socket the session's, and returns the one before.
    fn take_over(&mut self) -> Option<Handle> {
        let Next { socket, challenge: used } = self.next.take()?;
        self.challenge.take_if(|challenge| *challenge == used);
        self.delivers = true;
        Some(std::mem::replace(&mut self.socket, socket))
    }

    /// Forgets a socket. Returns whether the session has another one, or has one again.
    pub(super) fn forget(&mut self, number: u64) -> bool {
        let is_other = self.old.take_if(|old| old.number == number).is_some()
            || self.next.take_if(|next| next.socket.number == number).is_some()
            || self.socket.number != number;
        is_other || self.take_over().is_some()
    }
}
