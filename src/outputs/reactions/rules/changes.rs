//! Saves what planning changed.

use std::collections::HashSet;

use serde_json::json;
use sqlx::PgConnection;

use super::known::Member;
use super::planned::Plan;
use super::state::{BatchState, Change, RuleId};
use crate::store::rules::{save, save_values};
use crate::twitch::id::ChannelId;

/// Saves the changes; of several changes of the same thing the last.
///
/// # Errors
/// If the database fails.
pub async fn save(db: &mut PgConnection, plan: &Plan) -> sqlx::Result<()> {
    let mut seen = HashSet::new();
    for change in plan.changes.iter().rev().filter(|change| seen.insert(key(change))) {
        save_change(db, change).await?;
    }
    Ok(())
}

/// What a change changes.
fn key(change: &Change) -> (u8, RuleId, &str, &str) {
    const NO_RULE: RuleId = RuleId(0);
    match change {
        Change::Cooldown((rule, channel, user), _) => (0, *rule, channel.as_str(), user),
        Change::Counter(channel, name, _) => (1, NO_RULE, channel.as_str(), name),
        Change::Variable(channel, name, _) => (2, NO_RULE, channel.as_str(), name),
        Change::Permit(channel, login, _) => (3, NO_RULE, channel.as_str(), login),
        Change::Timer((rule, channel), _) => (4, *rule, channel.as_str(), ""),
        Change::Batch((rule, channel), _) => (5, *rule, channel.as_str(), ""),
        Change::Pace((rule, channel), _) => (6, *rule, channel.as_str(), ""),
        Change::Strikes((rule, channel, user), _) => (7, *rule, channel.as_str(), user),
        Change::Reacted(rule, subject) => (8, *rule, subject, ""),
    }
}

async fn save_change(db: &mut PgConnection, change: &Change) -> sqlx::Result<()> {
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    match change {
        Change::Cooldown((rule, channel, user), until) => save::cooldown(db, (rule.0, channel), user, *until).await,
        Change::Counter(channel, name, value) => save_values::counter(db, channel, name, *value).await,
        Change::Variable(channel, name, value) => save_values::variable(db, channel, name, value).await,
        Change::Permit(channel, login, permit) => {
            save_values::permit(db, channel, login, (permit.until, number(permit.uses))).await
        }
        Change::Timer((rule, channel), timer) => {
            save::timer(db, (rule.0, channel), timer.next_at, number(timer.lines)).await
        }
        Change::Batch(key, Some(batch)) => save_batch(db, key, batch).await,
        Change::Batch((rule, channel), None) => save_values::end_batch(db, (rule.0, channel)).await,
        Change::Pace((rule, channel), pace) => save::pace(db, (rule.0, channel), &pace.recent, pace.rests_until).await,
        Change::Strikes((rule, channel, user), strikes) => {
            save::strike(db, (rule.0, channel), user, (number(strikes.count), strikes.until)).await
        }
        // The row of its first step says so.
        Change::Reacted(..) => Ok(()),
    }
}

async fn save_batch(
    db: &mut PgConnection,
    (rule, channel): &(RuleId, ChannelId),
    batch: &BatchState,
) -> sqlx::Result<()> {
    let events = i32::try_from(batch.events).unwrap_or(i32::MAX);
    let members: Vec<_> = batch.members.iter().map(Member::from).collect();
    save_values::batch(db, (rule.0, channel), batch.first.0, batch.due_at, (events, &json!(members))).await
}
