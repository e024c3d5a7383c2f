//! EventSub over WebSockets: `GET /ws`
//! (<https://dev.twitch.tv/docs/eventsub/handling-websocket-events/>).
//!
//! A session has one socket; while it moves to another one, two. A socket is a task that owns the connection and takes
//! [`Command`]s; the table of sessions holds the other ends. Whatever decides which socket gets an event happens under the
//! lock of the mock's state, so an event goes to exactly one socket.

mod close;
mod control;
mod faults;
mod frames;
mod handover;
mod limits;
pub(super) mod sessions;
mod socket;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, rt, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(super) use self::close::Close;
pub use self::control::SessionError;
pub(super) use self::control::routes as control_routes;
pub(super) use self::limits::{MAX_COST, admit, transport, use_session};
use self::sessions::{Command, Opened, Session, Sessions};
use self::socket::Socket;
use super::helix::{Query, error_answer};
use super::state::{MAX_HELD, State, rfc3339};
use super::world::World;
use crate::twitch::eventsub::outgoing::{Subscription, Transport};
use crate::twitch::subscription_status::SubscriptionStatus;

/// The interval of keepalives, unless the client asks for another: 10 to 600 seconds.
const KEEPALIVE: (u64, u64, u64) = (10, 10, 600);

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/ws", web::get().to(open));
}

async fn open(world: web::Data<World>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    let world = world.into_inner();
    if world.state().faults.draw_upgrade_failure() {
        return error_answer(StatusCode::SERVICE_UNAVAILABLE, "no WebSocket can be opened now");
    }
    let (response, session, incoming) = match actix_ws::handle(&request, body) {
        Ok(upgraded) => upgraded,
        Err(error) => return HttpResponse::from_error(error),
    };
    let query = Query::from_request(&request);
    let keepalive = keepalive(&query, world.config.is_lenient);
    let host = request.connection_info().host().to_owned();
    let opened = match (query.one("challenge"), query.one("id")) {
        (None, None) => world.begin_session(keepalive, host),
        (challenge, id) => world.move_session(id.unwrap_or_default(), challenge.unwrap_or_default()),
    };
    rt::spawn(async move {
        match opened {
            Ok(opened) => Socket::new(&world, session, opened).run(incoming).await,
            Err(close) => {
                let _ = session.close(Some(close.reason())).await;
            }
        }
    });
    response
}

/// What the client asked for, moved into the limits. (twitch-cli takes the default instead.)
fn keepalive(query: &Query, is_lenient: bool) -> Duration {
    let (default, min, max) = KEEPALIVE;
    let asked = query.one("keepalive_timeout_seconds").and_then(|text| text.parse::<i64>().ok());
    let asked = asked.map_or(default, |asked| u64::try_from(asked).unwrap_or_default());
    let is_within = (min..=max).contains(&asked);
    Duration::from_secs(if is_lenient && !is_within { default } else { asked.clamp(min, max) })
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
        let session = Session {
            connected_at,
            keepalive,
            host,
            user_id: None,
            socket,
            old: None,
            challenge: None,
            delivers: true,
        };
        let opened = Opened {
            session_id: session_id.clone(),
            number: session.socket.number,
            commands,
            overflow: session.socket.overflow.clone(),
            keepalive,
            is_used: self.config.is_lenient,
            delay: state.welcome_delay(),
            flushed: None,
        };
        session.socket.give(Command::Send(frames::welcome(&self.stamp(), &session_id, &session), None));
        state.sessions.by_id.insert(session_id, session);
        Ok(opened)
    }

    /// Forgets a socket that ended. If it was its session's only one, the session's subscriptions end with this status.
    fn socket_ended(self: &Arc<Self>, session_id: &str, number: u64, status: &SubscriptionStatus) {
        let mut state = self.state();
        let Some(session) = state.sessions.by_id.get_mut(session_id) else { return };
        if session.old.take_if(|old| old.number == number).is_some() || session.socket.number != number {
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

    /// If this mock is lenient: a subscription made up for each session that has not subscribed to an event.
    pub(super) fn listeners(
        &self,
        state: &State,
        made_up: &Subscription,
        subscribed: &[Subscription],
    ) -> Vec<Subscription> {
        if !self.config.is_lenient {
            return Vec::new();
        }
        let have_it: BTreeSet<_> = subscribed.iter().filter_map(|shown| shown.transport.session_id()).collect();
        let ids = state.sessions.by_id.keys().filter(|id| !have_it.contains(id.as_str()));
        ids.map(|id| Subscription { transport: Transport::websocket(id), ..made_up.clone() }).collect()
    }

    /// The ids of messages that were written to sockets, in that order: the first 200,000.
    #[must_use]
    pub fn delivered_to_sockets(&self) -> Vec<String> {
        self.state().sessions.delivered.clone()
    }

    /// The ids of the sessions that have a socket.
    #[must_use]
    pub fn sessions(&self) -> Vec<String> {
        self.state().sessions.by_id.keys().cloned().collect()
    }
}
