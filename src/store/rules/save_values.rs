//! Saves batches, counters, variables and permits, and deletes what has ended.

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::save::RuleOn;
use crate::twitch::id::ChannelId;

/// Saves a batch that gathers: the event that began it, when it is due, how many events it has, and its users.
///
/// # Errors
/// If the database fails.
pub async fn batch(
    db: impl PgExecutor<'_>,
    (rule_id, channel): RuleOn<'_>,
    first_event_id: i64,
    due_at: OffsetDateTime,
    (events, members): (i32, &Value),
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rule_batch (rule_id, channel_id, first_event_id, due_at, events, members)
        select id, $2, $3, $4, $5, $6 from rule where id = $1
        on conflict (rule_id, channel_id) do update
            set first_event_id = excluded.first_event_id, due_at = excluded.due_at, events = excluded.events,
                members = excluded.members",
        rule_id,
        channel.as_str(),
        first_event_id,
        due_at,
        events,
        members
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends a batch.
///
/// # Errors
/// If the database fails.
pub async fn end_batch(db: impl PgExecutor<'_>, (rule_id, channel): RuleOn<'_>) -> sqlx::Result<()> {
    sqlx::query!("delete from rule_batch where rule_id = $1 and channel_id = $2", rule_id, channel.as_str())
        .execute(db)
        .await?;
    Ok(())
}

/// Saves a counter.
///
/// # Errors
/// If the database fails.
pub async fn counter(db: impl PgExecutor<'_>, channel: &ChannelId, name: &str, value: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into counter (channel_id, name, value) values ($1, $2, $3)
        on conflict (channel_id, name) do update set value = excluded.value",
        channel.as_str(),
        name,
        value
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Saves a variable.
///
/// # Errors
/// If the database fails.
pub async fn variable(db: impl PgExecutor<'_>, channel: &ChannelId, name: &str, value: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into variable (channel_id, name, value) values ($1, $2, $3)
        on conflict (channel_id, name) do update set value = excluded.value",
        channel.as_str(),
        name,
        value
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Saves a permit of a login: how long it lasts, and for how many messages.
///
/// # Errors
/// If the database fails.
pub async fn permit(
    db: impl PgExecutor<'_>,
    channel: &ChannelId,
    login: &str,
    (until, uses): (OffsetDateTime, i32),
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into permit (channel_id, login, until, uses) values ($1, $2, $3, $4)
        on conflict (channel_id, login) do update set until = excluded.until, uses = excluded.uses",
        channel.as_str(),
        login,
        until,
        uses
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes what ended before this time, and timers of channels that are no longer served.
///
/// # Errors
/// If the database fails.
pub async fn prune(db: impl PgExecutor<'_>, before: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "with cooldowns as (delete from rule_cooldown where until < $1), strikes as (delete from rule_strike where until < $1),
            timers as (delete from rule_timer where channel_id not in (select id from served_channel))
        delete from permit where until < $1",
        before
    )
    .execute(db)
    .await?;
    Ok(())
}
