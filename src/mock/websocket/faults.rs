//! Faults of WebSockets: what goes wrong with a message on its way to a socket, and requests to reconnect all the time.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;

use super::handover::GRACE;
use super::{Close, Command, Session, frames};
use crate::mock::fault_generator::{SocketDamage, SocketFault};
use crate::mock::state::State;
use crate::mock::world::World;
use crate::twitch::eventsub::outgoing::Outgoing;

/// The longest that a message waits for another one.
const HELD_BACK: Duration = Duration::from_secs(2);

/// The size of a frame that is too large for most clients, in bytes.
const OVERSIZE: usize = 1024 * 1024 + 1;

/// A message on its way to a session.
struct Underway {
    session_id: String,
    text: ByteString,
    message_id: String,
    fault: SocketFault,
}

impl World {
    /// Sends a notification or a revocation to the session of its subscription, if that has a socket. All events pass here.
    pub(in crate::mock) fn send_to_session(self: &Arc<Self>, state: &mut State, session_id: &str, message: &Outgoing) {
        let fault = state.faults.draw_socket_fault();
        let underway = Underway {
            session_id: session_id.to_owned(),
            text: frames::message(message),
            message_id: message.stamp.message_id.clone(),
            fault,
        };
        if fault.delay.is_zero() && !fault.is_held_back {
            return self.put(state, &underway);
        }
        let world = Arc::clone(self);
        self.spawn(async move {
            if fault.is_held_back {
                tokio::select! {
                    () = world.delivered.notified() => {}
                    () = world.config.clock.sleep(HELD_BACK) => {}
                }
            }
            world.config.clock.sleep(fault.delay).await;
            world.put(&world.state(), &underway);
        });
    }

    /// Gives a message to the socket of its session, with its faults.
    fn put(&self, state: &State, underway: &Underway) {
        let Underway { session_id, text, message_id, fault } = underway;
        let Some(session) = state.sessions.by_id.get(session_id).filter(|session| session.delivers) else { return };
        let old = session.old.as_ref().filter(|_| fault.is_late_on_old);
        let socket = old.unwrap_or(&session.socket);
        if fault.follows_unknown_type {
            socket.give(Command::Send(frames::unknown(&self.stamp()), None));
        }
        if fault.follows_oversize {
            socket.give(Command::Send(frames::oversize(&self.stamp(), OVERSIZE), None));
        }
        for _ in 0..=usize::from(fault.is_doubled) {
            let id = Some(message_id.clone());
            socket.give(match fault.is_fragmented {
                true => Command::SendInFragments(text.clone(), id),
                false => Command::Send(text.clone(), id),
            });
        }
        if let Some(damage) = fault.damage {
            session.damage(damage);
        }
    }

    /// Does this to every session.
    pub(in crate::mock) fn damage_sessions(&self, damage: SocketDamage) {
        self.state().sessions.by_id.values().for_each(|session| session.damage(damage));
    }

    /// Asks every session to reconnect that is not doing so.
    pub(in crate::mock) fn ask_all_to_reconnect(&self) {
        let idle: Vec<_> = {
            let state = self.state();
            let idle = state.sessions.by_id.iter().filter(|(_, session)| session.challenge.is_none());
            idle.map(|(id, _)| id.clone()).collect()
        };
        for id in idle {
            // One that has ended meanwhile has nothing to reconnect.
            let _ = self.ask_to_reconnect(Some(&id), GRACE);
        }
    }
}

impl State {
    pub(super) fn welcome_delay(&self) -> Duration {
        Duration::from_millis(self.faults.settings().ws_slow_welcome_ms)
    }
}

impl Session {
    fn damage(&self, damage: SocketDamage) {
        self.socket.give(match damage {
            SocketDamage::Close(code) => Command::Close(Close::try_from(code).unwrap_or(Close::InternalError)),
            SocketDamage::Abort => Command::Abort,
            SocketDamage::Silence => Command::Silence,
            SocketDamage::HalfOpen => Command::HalfOpen,
        });
    }
}
