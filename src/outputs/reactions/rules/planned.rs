//! What rules decided to do: rows of actions, before they are written.

use serde_json::Value;
use time::OffsetDateTime;

use super::super::step::Step;
use super::state::{Change, RuleId, State};
use super::verdict::{Outcome, Refusal, Verdict};
use crate::store::LogId;
use crate::twitch::id::ChannelId;

/// What becomes of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedState {
    /// It is to be done.
    Pending,
    /// It was done while planning.
    Done,
    /// It is only recorded.
    Dry,
    /// Its event is too old.
    Stale,
    /// A step before it failed.
    Off,
    /// It can't be done.
    Failed(String),
}

/// An action of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAction {
    /// The rule.
    pub rule: RuleId,
    /// Its revision.
    pub revision: i32,
    /// The event that it reacts to; `None` for timers and batches.
    pub event_id: Option<LogId>,
    /// What it reacts to. There is one action for each rule, subject and step.
    pub subject: String,
    /// Its number in the reaction.
    pub step: usize,
    /// The name of the action.
    pub kind: &'static str,
    /// The channel.
    pub channel: ChannelId,
    /// What it says; as in the API, its users are ids or logins.
    pub params: Value,
    /// The step to execute; `None` if there is nothing left to do.
    pub todo: Option<Step>,
    /// What becomes of it.
    pub state: PlannedState,
    /// When it is due.
    pub not_before: OffsetDateTime,
    /// When it is too late.
    pub expires_at: OffsetDateTime,
    /// Whether the next steps run though it failed.
    pub continues: bool,
}

/// What planning decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The actions to write.
    pub actions: Vec<PlannedAction>,
    /// The changes of the state, in their order.
    pub changes: Vec<Change>,
    /// What the rules made of it that wait for something like this.
    pub verdicts: Vec<Verdict>,
    /// Why no rule at all reacted.
    pub refusal: Option<Refusal>,
}

impl Plan {
    /// Adds what was decided after it.
    pub fn append(&mut self, mut later: Self) {
        self.actions.append(&mut later.actions);
        self.changes.append(&mut later.changes);
        self.verdicts.append(&mut later.verdicts);
    }

    /// Changes the state, and records the change.
    pub fn change(&mut self, state: &mut State, change: Change) {
        state.apply(change.clone());
        self.changes.push(change);
    }

    /// Records what a rule did.
    pub fn record(&mut self, rule: RuleId, outcome: Outcome) {
        self.verdicts.push(Verdict { rule, outcome });
    }
}
