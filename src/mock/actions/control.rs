//! What tests and the control API see of the chats and change in them.

use std::sync::Arc;

use super::cut;
use super::ledger::PerformedAction;
use super::rooms::{MAX_MESSAGE, Role, Room};
use crate::mock::scenario::ScenarioError;
use crate::mock::state::State;
use crate::mock::world::World;

impl World {
    /// What the chat of a channel holds.
    ///
    /// # Errors
    /// [`ScenarioError::UnknownChannel`]
    pub fn room(&self, channel: &str) -> Result<Room, ScenarioError> {
        let mut state = self.state();
        let id = channel_id(&state, channel)?;
        Ok(state.rooms.entry(&id).clone())
    }

    /// Gives a user this role in the chat of a channel; `None` takes all roles away. Nothing is sent to subscribers.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn set_role(&self, channel: &str, user: &str, role: Option<Role>) -> Result<(), ScenarioError> {
        let mut state = self.state();
        let id = channel_id(&state, channel)?;
        let user = state.account_or_new(user)?.id;
        let room = state.rooms.entry(&id);
        room.moderators.remove(&user);
        room.vips.remove(&user);
        match role {
            Some(Role::Moderator) => drop(room.moderators.insert(user)),
            Some(Role::Vip) => drop(room.vips.insert(user)),
            None => {}
        }
        Ok(())
    }

    /// A user writes in the chat of a channel. Returns the message's id.
    ///
    /// # Errors
    /// [`ScenarioError::NotSent`] if the user is banned or a mode of the chat forbids it; others if a name is wrong.
    pub fn say(self: &Arc<Self>, channel: &str, user: &str, text: &str) -> Result<String, ScenarioError> {
        let mut state = self.state();
        let channel_id = channel_id(&state, channel)?;
        let user_id = state.account_or_new(user)?.id;
        match self.chat_refuses(&mut state, &channel_id, &user_id, text) {
            Some(reason) => Err(ScenarioError::NotSent(user.to_owned(), channel.to_owned(), reason.message)),
            None => Ok(self.write(&mut state, &channel_id, &user_id, &cut(text, MAX_MESSAGE), None)),
        }
    }

    /// The calls that exceeded one of Twitch's limits, oldest first.
    #[must_use]
    pub fn violations(&self) -> Vec<PerformedAction> {
        self.state().ledger.iter().filter(|action| action.violation.is_some()).cloned().collect()
    }

    /// The last ten thousand calls that meant to change something, oldest first.
    #[must_use]
    pub fn actions(&self) -> Vec<PerformedAction> {
        self.state().ledger.iter().cloned().collect()
    }
}

/// The id of the channel of this login or id.
fn channel_id(state: &State, channel: &str) -> Result<String, ScenarioError> {
    let account = state.account(channel).ok_or_else(|| ScenarioError::UnknownChannel(channel.to_owned()))?;
    Ok(account.id.clone())
}
