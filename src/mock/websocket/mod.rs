//! EventSub over WebSockets: `GET /ws`
//! (<https://dev.twitch.tv/docs/eventsub/handling-websocket-events/>).
//!
//! A session has one socket; while it moves to another one, two. A socket is a task that owns the TCP connection, which has
//! left the HTTP server, and takes [`Command`]s; the table of sessions holds the other ends. Whatever decides which socket gets an event happens under the
//! lock of the mock's state, so an event goes to exactly one socket.

mod close;
mod connection;
mod control;
mod faults;
mod frames;
mod handover;
mod limits;
pub(super) mod sessions;
mod socket;
mod upgrade;

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use actix_http::ws::HandshakeError;
use actix_web::web;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(super) use self::close::Close;
pub(super) use self::connection::Connection;
pub use self::control::SessionError;
pub(super) use self::control::routes as control_routes;
pub(super) use self::limits::{MAX_COST, admit, transport, use_session};
use self::sessions::{Command, Opened, Session, Sessions};
pub(super) use self::upgrade::upgrade;
use super::state::{MAX_HELD, State, rfc3339};
use super::world::World;
use crate::twitch::eventsub::outgoing::{Subscription, Transport};
use crate::twitch::subscription_status::SubscriptionStatus;

/// Message ids that are remembered as delivered.
const MAX_DELIVERED: usize = 200_000;

/// Requests that ask for no upgrade. The others are for [`mod@upgrade`].
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route(upgrade::PATH, web::get().to(async || Err::<&str, _>(HandshakeError::NoWebsocketUpgrade)));
}

/// An id as Twitch's look.
fn session_id() -> String {
    format!("AgoQ{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>()))
}

impl World {
    /// Begins a session, whose welcome is on its way.
    fn begin_session(&self, keepalive: Duration, host: String) -> Result<Opened, Close> {
        let mut state = self.state();
        if state.sessions.by_id.len() >= MAX_HELD * 2 {
            return Err(Close::InternalError);
        }
        let (socket, commands) = state.sessions.handle();
        let (session_id, connected_at) = (session_id(), self.config.clock.now());
        let opened = Opened {
            session_id: session_id.clone(),
            number: socket.number,
            commands,
            overflow: socket.overflow.clone(),
            keepalive,
            is_used: self.config.is_lenient,
            delay: state.welcome_delay(),
        };
        let session = Session {
            connected_at,
            keepalive,
            host,
            user_id: None,
            socket,
            next: None,
            old: None,
            challenge: None,
            delivers: true,
        };
        state.sessions.by_id.insert(session_id, session);
        Ok(opened)
    }

    /// Forgets a socket that ended. If its session has none left, the session's subscriptions end with this status.
    fn socket_ended(self: &Arc<Self>, session_id: &str, number: u64, status: &SubscriptionStatus) {
        let mut state = self.state();
        let Some(session) = state.sessions.by_id.get_mut(session_id) else { return };
        if session.forget(number) {
            return;
        }
        state.sessions.by_id.remove(session_id);
        let zombie = Duration::from_secs(state.faults.settings().ws_zombie_s);
        if zombie.is_zero() {
            return self.end_subscriptions(&mut state, session_id, status);
        }
        let (world, session_id, status) = (Arc::clone(self), session_id.to_owned(), status.clone());
        self.spawn(async move {
            world.config.clock.sleep(zombie).await;
            world.end_subscriptions(&mut world.state(), &session_id, &status);
        });
    }

    /// Ends the subscriptions of a session that has ended.
    fn end_subscriptions(&self, state: &mut State, session_id: &str, status: &SubscriptionStatus) {
        let ended_at = rfc3339(self.config.clock.now());
        for held in &mut state.subscriptions {
            if let Transport::Websocket { session_id: of, disconnected_at, .. } = &mut held.shown.transport
                && of == session_id
                && held.shown.status.is_alive()
            {
                held.shown.status = status.clone();
                *disconnected_at = Some(ended_at.clone());
            }
        }
    }

    /// If this mock is lenient: those of the wanted sessions that have not subscribed to an event.
    pub(super) fn listeners(
        &self,
        state: &State,
        subscribed: &[Subscription],
        is_wanted: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        if !self.config.is_lenient {
            return Vec::new();
        }
        let have_it: BTreeSet<_> = subscribed.iter().filter_map(|shown| shown.transport.session_id()).collect();
        let ids = state.sessions.by_id.keys().filter(|id| is_wanted(id) && !have_it.contains(id.as_str()));
        ids.cloned().collect()
    }

    /// The ids of messages that were written to sockets, in that order: the first 200,000.
    #[must_use]
    pub fn delivered_to_sockets(&self) -> Vec<String> {
        self.written().clone()
    }

    fn written(&self) -> MutexGuard<'_, Vec<String>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a message was written to a socket.
    fn record_delivery(&self, message_id: String) {
        let mut written = self.written();
        if written.len() < MAX_DELIVERED {
            written.push(message_id);
        }
        drop(written);
        self.delivered.notify_waiters();
    }

    /// The ids of the sessions that have a socket.
    #[must_use]
    pub fn sessions(&self) -> Vec<String> {
        self.state().sessions.by_id.keys().cloned().collect()
    }
}
