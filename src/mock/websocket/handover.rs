//! Moving a session to another socket, as
//! [reconnect messages](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#reconnect-message) ask for: the old
//! socket gets the events until the new one has its welcome, and the session keeps its id and its subscriptions.

use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Close, Command, Opened, SessionError, Sessions, frames};
use crate::mock::world::World;

/// How long a client has to follow the request to reconnect.
pub(super) const GRACE: Duration = Duration::from_secs(30);

impl Sessions {
    /// The id of the session that is named by its whole id or its first characters.
    pub(in crate::mock) fn resolve(&self, named: &str) -> Result<String, SessionError> {
        if self.by_id.contains_key(named) {
            return Ok(named.to_owned());
        }
        let known = || self.by_id.keys().cloned().collect::<Vec<_>>().join(", ");
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

    /// Moves a session to a new socket, whose welcome comes after all events of the old one and before all further ones.
    pub(super) fn move_session(&self, id: &str, challenge: &str) -> Result<Opened, Close> {
        let mut state = self.state();
        let delay = state.welcome_delay();
        let (socket, commands) = state.sessions.handle();
        let session = state.sessions.by_id.get_mut(id).ok_or(Close::InvalidReconnect)?;
        session.challenge.take_if(|good| good == challenge).ok_or(Close::InvalidReconnect)?;
        let (flush, flushed) = oneshot::channel();
        let opened = Opened {
            session_id: id.to_owned(),
            number: socket.number,
            commands,
            overflow: socket.overflow.clone(),
            keepalive: session.keepalive,
            is_used: true,
            delay,
            flushed: Some(flushed),
        };
        socket.give(Command::Send(frames::welcome(&self.stamp(), id, session), None));
        let old = std::mem::replace(&mut session.socket, socket);
        old.give(Command::Flush(flush));
        session.old = Some(old);
        session.delivers = true;
        Ok(opened)
    }
}
