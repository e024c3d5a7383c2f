//! Writes what was planned: rows of actions, and what each rule did last.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::super::step::Step;
use super::acting::Acting;
use super::planned::{Plan, PlannedAction, PlannedState};
use super::state::RuleId;
use super::timer::TIMER_SUBJECT;
use super::verdict::Outcome;
use crate::store::actions::{self, ActionClass, ActionState, NewAction, Origin};
use crate::store::rules::outcomes::{self, RuleOutcome};
use crate::twitch::id::{ChannelId, UserId};

/// The actions of timers go after those that react to something.
const TIMER_PRIORITY: i16 = 3;

/// Writes the actions, and returns the kind and the state of those that are settled already.
///
/// # Errors
/// If the database fails.
pub async fn actions(
    db: &mut PgConnection,
    acting: &Acting,
    plan: &Plan,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<(&'static str, ActionState)>> {
    let mut settled = Vec::new();
    for action in &plan.actions {
        let (state, problem) = state(action, acting);
        let is_new = insert(&mut *db, action, acting, (state, problem), now).await?;
        if is_new && state != ActionState::Pending {
            settled.push((action.kind, state));
        }
    }
    Ok(settled)
}

/// What becomes of an action, and why it is not done.
fn state<'a>(action: &'a PlannedAction, acting: &'a Acting) -> (ActionState, Option<&'a str>) {
    match (&action.state, acting) {
        (PlannedState::Pending, Acting::Nothing(problem)) => (ActionState::Failed, Some(problem)),
        (PlannedState::Pending, Acting::Unknown(problem)) if !matches!(action.todo, Some(Step::Webhook(_))) => {
            (ActionState::Failed, Some(problem))
        }
        (PlannedState::Pending, _) => (ActionState::Pending, None),
        (PlannedState::Done, _) => (ActionState::Done, None),
        (PlannedState::Dry, _) => (ActionState::Dry, None),
        (PlannedState::Stale, _) => (ActionState::Stale, Some("its event was too old")),
        (PlannedState::Off, _) => (ActionState::Off, Some("a step before it failed")),
        (PlannedState::Failed(problem), _) => (ActionState::Failed, Some(problem)),
    }
}

async fn insert(
    db: &mut PgConnection,
    action: &PlannedAction,
    acting: &Acting,
    (state, problem): (ActionState, Option<&str>),
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let as_user = match (acting, &action.todo) {
        (Acting::Bot(bot), Some(step)) if !step.is_broadcasters() => bot.clone(),
        _ => action.channel.user(),
    };
    let place = (&action.channel, &as_user);
    // A login is looked up when the action is due.
    let target = action.todo.as_ref().and_then(Step::target_id);
    let new = match &action.todo {
        Some(step) => step.new_action(&action.subject, &action.params, place, target.as_ref(), now),
        None => done_while_planning(action, place, now),
    };
    let is_of_timer = action.subject.starts_with(TIMER_SUBJECT);
    let new = NewAction {
        origin: Origin { rule_id: action.rule.0, revision: action.revision, event_id: action.event_id },
        step: i16::try_from(action.step).unwrap_or(i16::MAX),
        continues: action.continues,
        priority: if is_of_timer { new.priority.max(TIMER_PRIORITY) } else { new.priority },
        state,
        problem,
        not_before: action.not_before,
        expires_at: action.expires_at,
        ..new
    };
    actions::insert(db, &new).await
}

/// The row of a step with which nothing is left to do.
fn done_while_planning<'a>(
    action: &'a PlannedAction,
    (channel_id, as_user): (&'a ChannelId, &'a UserId),
    now: OffsetDateTime,
) -> NewAction<'a> {
    NewAction {
        origin: Origin::default(),
        subject: &action.subject,
        step: 0,
        continues: false,
        kind: action.kind,
        params: &action.params,
        class: ActionClass::Planning,
        channel_id,
        as_user,
        target: None,
        bucket: "none",
        priority: 0,
        lane: String::new(),
        state: ActionState::Done,
        problem: None,
        created_at: now,
        not_before: now,
        expires_at: now,
    }
}

/// Records what each rule did last.
///
/// # Errors
/// If the database fails.
pub async fn outcomes(db: &mut PgConnection, plan: &Plan, now: OffsetDateTime) -> sqlx::Result<()> {
    let mut last: HashMap<RuleId, RuleOutcome> = HashMap::new();
    for verdict in &plan.verdicts {
        let outcome = last.entry(verdict.rule).or_default();
        match &verdict.outcome {
            Outcome::Fired | Outcome::Joined(_) => outcome.fired_at = Some(now),
            refused => (outcome.refused_at, outcome.refusal) = (Some(now), Some(refused.to_string())),
        }
    }
    for (rule, outcome) in last {
        outcomes::save(&mut *db, rule.0, &outcome).await?;
    }
    Ok(())
}
