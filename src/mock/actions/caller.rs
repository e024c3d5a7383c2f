//! Who calls, and what that token may do.

use actix_web::http::StatusCode;

use crate::mock::helix::{Query, Refusal, bad_request};
use crate::mock::state::{State, Token};

/// A moderator who acts in a channel, or its broadcaster.
pub(super) struct Moderator {
    pub(super) channel: String,
    pub(super) id: String,
}

pub(super) fn unauthorized(message: impl Into<String>) -> Refusal {
    (StatusCode::UNAUTHORIZED, message.into())
}

pub(super) fn forbidden(message: impl Into<String>) -> Refusal {
    (StatusCode::FORBIDDEN, message.into())
}

pub(super) fn not_found(message: impl Into<String>) -> Refusal {
    (StatusCode::NOT_FOUND, message.into())
}

/// A query parameter that the call requires.
pub(super) fn required<'a>(query: &'a Query, name: &'static str) -> Result<&'a str, Refusal> {
    let given = query.one(name).filter(|value| !value.is_empty());
    given.ok_or_else(|| bad_request(format!("The parameter \"{name}\" was missing")))
}

/// The user whose token it is, if it has the scope.
pub(super) fn user<'a>(token: &'a Token, scope: &str) -> Result<&'a str, Refusal> {
    let user = token.user_id.as_deref().ok_or_else(|| unauthorized("Missing User OAUTH Token"))?;
    if token.scopes.contains(scope) { Ok(user) } else { Err(unauthorized(format!("Missing scope: {scope}"))) }
}

/// The user whose token it is; a parameter names the same user.
pub(super) fn named_user(
    query: &Query,
    token: &Token,
    parameter: &'static str,
    scope: &str,
) -> Result<String, Refusal> {
    let named = required(query, parameter)?;
    if user(token, scope)? != named {
        return Err(unauthorized(format!(
            "The ID in {parameter} must match the user ID found in the request's OAuth token."
        )));
    }
    Ok(named.to_owned())
}

/// The channel of a parameter. It must exist.
pub(super) fn channel(state: &State, id: &str, parameter: &'static str) -> Result<String, Refusal> {
    let account = state.accounts.get(id).ok_or_else(|| bad_request(format!("The ID in {parameter} is not valid.")))?;
    Ok(account.id.clone())
}

/// The broadcaster of `broadcaster_id`, with a token of that user.
pub(super) fn broadcaster(state: &State, query: &Query, token: &Token, scope: &str) -> Result<String, Refusal> {
    let id = named_user(query, token, "broadcaster_id", scope)?;
    channel(state, &id, "broadcaster_id")
}

/// The moderator of `moderator_id` in the channel of `broadcaster_id`, with a token of that moderator.
pub(super) fn moderator(state: &State, query: &Query, token: &Token, scope: &str) -> Result<Moderator, Refusal> {
    moderator_of("broadcaster_id", state, query, token, scope)
}

/// As [`moderator`], where another parameter names the channel.
pub(super) fn moderator_of(
    parameter: &'static str,
    state: &State,
    query: &Query,
    token: &Token,
    scope: &str,
) -> Result<Moderator, Refusal> {
    let channel = channel(state, required(query, parameter)?, parameter)?;
    let id = named_user(query, token, "moderator_id", scope)?;
    if !state.rooms.is_moderator(&channel, &id) {
        return Err(forbidden("The user in moderator_id is not one of the broadcaster's moderators."));
    }
    Ok(Moderator { channel, id })
}

/// The broadcaster and moderators can't be moderated, except moderators by the broadcaster.
pub(super) fn check_target(state: &State, moderator: &Moderator, user_id: &str) -> Result<(), Refusal> {
    if !state.accounts.contains_key(user_id) {
        return Err(bad_request("The ID in the user_id field is not valid."));
    }
    let is_protected = state.rooms.is_moderator(&moderator.channel, user_id) && moderator.id != moderator.channel;
    if user_id == moderator.channel || is_protected {
        return Err(bad_request("The user specified in the user_id field may not be banned."));
    }
    Ok(())
}

/// Whether the application may write as this user: both have consented, or the user moderates there.
pub(super) fn check_app_sender(state: &State, channel: &str, user_id: &str, scope: &str) -> Result<(), Refusal> {
    let has = |user: &str, scope: &str| state.consents.get(user).is_some_and(|scopes| scopes.contains(scope));
    for scope in [scope, "user:bot"] {
        if !has(user_id, scope) {
            return Err(forbidden(format!("The sender must have authorized the app with the {scope} scope.")));
        }
    }
    if !state.rooms.is_moderator(channel, user_id) && !has(channel, "channel:bot") {
        return Err(forbidden(
            "The sender must be a moderator, or the broadcaster must have authorized the app with the channel:bot scope.",
        ));
    }
    Ok(())
}

/// Whether the channel is live.
pub(super) fn is_live(state: &State, channel: &str) -> bool {
    state.accounts.get(channel).is_some_and(|account| account.stream.is_some())
}
