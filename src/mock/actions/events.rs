//! What subscribers get about what was done.

use std::sync::Arc;

use serde_json::{Value, json};

use super::caller::Moderator;
use crate::mock::scenario::subscription_type;
use crate::mock::state::State;
use crate::mock::world::World;
use crate::simulate::edit::Edit;

impl World {
    /// Something happened: its subscribers are notified.
    pub(super) fn happen(
        self: &Arc<Self>,
        state: &mut State,
        (kind, variant): (&'static str, Option<&str>),
        channel: &str,
        user: Option<&str>,
        fields: &[(&str, Value)],
    ) {
        let edits = fields.iter().map(|(field, value)| Edit::field(field, value.clone())).collect();
        let event = subscription_type(kind, None)
            .and_then(|kind| Ok((kind, self.event_of(state, kind, variant, Some(channel), user, edits)?)));
        match event {
            Ok((kind, event)) => drop(self.notify(state, kind, &event)),
            Err(error) => tracing::error!(%error, kind, "an event can't be made from its sample"),
        }
    }

    /// A moderator did something: `channel.moderate`, with what belongs to the action under its name
    /// (<https://dev.twitch.tv/docs/eventsub/eventsub-reference/#channel-moderate-event-v2>).
    pub(super) fn happen_moderation(
        self: &Arc<Self>,
        state: &mut State,
        moderator: &Moderator,
        action: &'static str,
        details: Value,
    ) {
        // The sample is a timeout.
        let mut fields = vec![("timeout", Value::Null), ("action", action.into())];
        if !details.is_null() {
            fields.push((action, details));
        }
        fields.extend(moderator_fields(state, &moderator.id));
        self.happen(state, ("channel.moderate", None), &moderator.channel, None, &fields);
    }
}

/// The fields of an event that name the moderator.
pub(super) fn moderator_fields(state: &State, id: &str) -> Vec<(&'static str, Value)> {
    let Some(account) = state.accounts.get(id) else { return Vec::new() };
    vec![
        ("moderator_user_id", account.id.as_str().into()),
        ("moderator_user_login", account.login.as_str().into()),
        ("moderator_user_name", account.display_name.as_str().into()),
    ]
}

/// An object that names a user, with further fields.
pub(super) fn of_user(state: &State, user_id: &str, fields: &[(&str, Value)]) -> Value {
    let account = state.accounts.get(user_id);
    let mut object = json!({
        "user_id": user_id,
        "user_login": account.map(|account| &account.login),
        "user_name": account.map(|account| &account.display_name),
    });
    for (name, value) in fields {
        object[*name] = value.clone();
    }
    object
}
