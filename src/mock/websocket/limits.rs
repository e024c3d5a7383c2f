//! Which subscriptions a session may have
//! (<https://dev.twitch.tv/docs/eventsub/manage-subscriptions/#subscription-limits>).

use std::collections::BTreeSet;

use actix_web::http::StatusCode;

use super::Command;
use crate::mock::helix::{Refusal, bad_request};
use crate::mock::state::{Held, State, rfc3339};
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::eventsub::outgoing::{Subscription, Transport};

/// Sessions with enabled subscriptions that a user may have.
const MAX_SESSIONS: usize = 3;

/// Enabled subscriptions that a session may have.
const MAX_OF_SESSION: usize = 300;

/// Enabled subscriptions of a user with the same type and condition.
const MAX_ALIKE: usize = 3;

/// The sum of the costs of a user's enabled subscriptions. The application's own limit does not count here.
pub(in crate::mock) const MAX_COST: u32 = 10;

/// Checks a new subscription of a user, and lets the session begin with it.
pub(in crate::mock) fn admit(
    state: &mut State,
    kind: &SubscriptionType,
    new: &mut Subscription,
    session_id: &str,
    user_id: &str,
) -> Result<(), Refusal> {
    if !kind.transports.iter().any(|transport| transport == "websocket") {
        return Err(bad_request("invalid transport and subscription type combination"));
    }
    let gone = || bad_request("websocket transport session does not exist or has already disconnected");
    let session = state.sessions.by_id.get(session_id).ok_or_else(gone)?;
    if session.user_id.as_ref().is_some_and(|owner| owner != user_id) {
        return Err(bad_request("websocket transport cannot have subscriptions created by different users"));
    }
    new.transport = transport(state, session_id).ok_or_else(gone)?;
    must_fit(state, new, session_id, user_id)?;
    if let Some(session) = state.sessions.by_id.get_mut(session_id) {
        session.user_id = Some(user_id.to_owned());
    }
    use_session(state, session_id);
    Ok(())
}

/// The transport of a subscription of this session, if there is such a session.
pub(in crate::mock) fn transport(state: &State, session_id: &str) -> Option<Transport> {
    let session = state.sessions.by_id.get(session_id)?;
    // Twitch shows whole seconds here.
    let connected_at = session.connected_at.replace_nanosecond(0).ok().map(rfc3339);
    Some(Transport::Websocket { session_id: session_id.to_owned(), connected_at, disconnected_at: None })
}

/// Lets a session live: it has a subscription.
pub(in crate::mock) fn use_session(state: &State, session_id: &str) {
    if let Some(session) = state.sessions.by_id.get(session_id) {
        session.socket.give(Command::Subscribed);
    }
}

fn must_fit(state: &State, new: &Subscription, session_id: &str, user_id: &str) -> Result<(), Refusal> {
    let alive: Vec<_> = state.of_user(user_id).filter(|held| held.shown.status.is_alive()).collect();
    let session_of = |held: &Held| held.shown.transport.session_id().map(str::to_owned);
    let in_session = || alive.iter().filter(|held| held.shown.transport.session_id() == Some(session_id));
    let is_alike = |held: &Held| (&held.shown.kind, &held.shown.condition) == (&new.kind, &new.condition);
    if in_session().any(|held| is_alike(held) && held.shown.version == new.version) {
        return Err((StatusCode::CONFLICT, "subscription already exists".to_owned()));
    }
    let exceeded = |text: &str| Err((StatusCode::TOO_MANY_REQUESTS, format!("{text} exceeded")));
    if alive.iter().filter(|held| is_alike(held)).count() >= MAX_ALIKE {
        return exceeded("maximum subscriptions with type and condition");
    }
    let sessions: BTreeSet<_> = alive.iter().filter_map(|held| session_of(held)).collect();
    if sessions.len() >= MAX_SESSIONS && !sessions.contains(session_id) {
        return exceeded("number of websocket transports limit");
    }
    if in_session().count() >= MAX_OF_SESSION {
        return exceeded("maximum subscriptions of a websocket transport");
    }
    if alive.iter().map(|held| held.shown.cost).sum::<u32>() + new.cost > MAX_COST {
        return exceeded("maximum total cost");
    }
    Ok(())
}
