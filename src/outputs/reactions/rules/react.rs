//! A reaction: the steps of a rule, one after the other.

use serde_json::{Value as Json, json};
use time::OffsetDateTime;

use super::super::step::Step;
use super::compiled::{Compiled, CompiledRule};
use super::occurrence::Occurrence;
use super::planned::{Plan, PlannedAction, PlannedState};
use super::resolve::{Context, Effect};
use super::rule_step::{RuleAction, RuleStep};
use super::state::{Change, PermitState, State, Strikes};
use super::values::Values;
use crate::twitch::id::ChannelId;

/// How a reaction is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It happens.
    Live,
    /// It is only recorded, and changes nothing that other rules see.
    Dry,
    /// It is only recorded, because it comes too late.
    Stale,
}

/// A reaction of a rule.
#[derive(Debug)]
pub struct Reaction<'a> {
    /// All rules.
    pub compiled: &'a Compiled,
    /// The rule.
    pub rule: &'a CompiledRule,
    /// The channel.
    pub channel: &'a ChannelId,
    /// When it happens.
    pub at: OffsetDateTime,
    /// To what it reacts.
    pub subject: String,
    /// To what it reacts; `None` for timers and batches.
    pub occurrence: Option<&'a Occurrence>,
    /// The values of its templates.
    pub values: Values,
    /// How it is meant.
    pub mode: Mode,
}

impl Reaction<'_> {
    /// Plans its steps. Returns whether the rules after this one do not see the event.
    pub fn run(mut self, state: &mut State, plan: &mut Plan) -> bool {
        let (mut due, mut is_off, mut is_stopped) = (self.at, false, false);
        let mut number = 0;
        for step in &self.rule.rule.steps {
            let kind = step.action.name();
            let planned = if is_off {
                self.planned(step, number, (kind, Json::Null), PlannedState::Off, due)
            } else {
                match self.resolve(step, state) {
                    Ok(Effect::Delay(delay)) => {
                        due += delay;
                        continue;
                    }
                    Ok(Effect::Stop) => {
                        is_stopped = true;
                        continue;
                    }
                    Ok(Effect::Act(todo)) => {
                        self.strike(step, state, plan);
                        self.to_do(step, number, todo, due)
                    }
                    Ok(effect) => {
                        let params = self.apply(effect, state, plan);
                        let done = self.state(PlannedState::Done);
                        self.planned(step, number, (kind, params), done, due)
                    }
                    Err(reason) => {
                        is_off = !step.continues;
                        self.planned(step, number, (kind, Json::Null), PlannedState::Failed(reason), due)
                    }
                }
            };
            plan.actions.push(planned);
            number += 1;
        }
        is_stopped
    }

    fn state(&self, live: PlannedState) -> PlannedState {
        match self.mode {
            Mode::Live => live,
            Mode::Dry => PlannedState::Dry,
            Mode::Stale => PlannedState::Stale,
        }
    }

    fn resolve(&self, step: &RuleStep, state: &State) -> Result<Effect, String> {
        let values = self.values.to_value();
        let strikes = self.strikes(state).map_or(0, |strikes| strikes.count);
        let context =
            Context { templates: &self.compiled.templates, values: &values, occurrence: self.occurrence, strikes };
        context.resolve(&step.action)
    }

    fn planned(
        &self,
        step: &RuleStep,
        number: usize,
        (kind, params): (&'static str, Json),
        state: PlannedState,
        not_before: OffsetDateTime,
    ) -> PlannedAction {
        PlannedAction {
            rule: self.rule.id,
            revision: self.rule.revision,
            event_id: self.occurrence.map(|occurrence| occurrence.event_id),
            subject: self.subject.clone(),
            step: number,
            kind,
            channel: self.channel.clone(),
            params,
            todo: None,
            state,
            not_before,
            expires_at: not_before,
            continues: step.continues,
        }
    }

    fn to_do(&self, step: &RuleStep, number: usize, todo: Step, not_before: OffsetDateTime) -> PlannedAction {
        let state = self.state(PlannedState::Pending);
        let planned = self.planned(step, number, (todo.kind(), todo.params()), state, not_before);
        PlannedAction { expires_at: not_before + todo.lifetime(), todo: Some(todo), ..planned }
    }

    /// Does what is done while planning, and returns what was done.
    fn apply(&mut self, effect: Effect, state: &mut State, plan: &mut Plan) -> Json {
        let channel = self.channel.clone();
        let (change, params) = match effect {
            Effect::Count { name, add, set } => {
                let value = set.unwrap_or_else(|| self.values.counter(&name).saturating_add(add.unwrap_or(1)));
                self.values.set_counter(&name, value);
                let params = json!({ "name": name, "value": value });
                (Change::Counter(channel, name, value), params)
            }
            Effect::Set { name, value } => {
                self.values.set_variable(&name, &value);
                let params = json!({ "name": name, "value": value });
                (Change::Variable(channel, name, value), params)
            }
            Effect::Permit { login, length } => {
                let params = json!({ "user": login, "seconds": length.whole_seconds() });
                (Change::Permit(channel, login, PermitState { until: self.at + length, uses: 1 }), params)
            }
            Effect::Act(_) | Effect::Delay(_) | Effect::Stop => return Json::Null,
        };
        if self.mode == Mode::Live {
            plan.change(state, change);
        }
        params
    }

    fn strikes(&self, state: &State) -> Option<Strikes> {
        let user = self.occurrence?.user.as_ref()?.key().to_owned();
        let strikes = state.strikes.get(&(self.rule.id, self.channel.clone(), user)).copied();
        strikes.filter(|strikes| strikes.until.is_none_or(|until| until > self.at))
    }

    /// Counts a timeout of a length that grows.
    fn strike(&self, step: &RuleStep, state: &mut State, plan: &mut Plan) {
        let RuleAction::Timeout(timeout) = &step.action else { return };
        let user = self.occurrence.and_then(|occurrence| occurrence.user.as_ref());
        let Some(user) = user.filter(|_| !timeout.steps.is_empty() && self.mode == Mode::Live) else { return };
        let count = self.strikes(state).map_or(0, |strikes| strikes.count).saturating_add(1);
        let until = timeout.forget.map(|forget| self.at + forget.duration());
        let key = (self.rule.id, self.channel.clone(), user.key().to_owned());
        plan.change(state, Change::Strikes(key, Strikes { count, until }));
    }
}
