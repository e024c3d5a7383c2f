//! Saves what rules did on a channel and to a user. A row of a rule that was removed meanwhile is not saved.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// A rule on a channel.
pub type RuleOn<'a> = (i64, &'a ChannelId);

/// Saves until when a rule does not react to a user, or to all if the user is empty.
///
/// # Errors
/// If the database fails.
pub async fn cooldown(
    db: impl PgExecutor<'_>,
    (rule_id, channel): RuleOn<'_>,
    user: &str,
    until: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rule_cooldown (rule_id, channel_id, user_id, until) select id, $2, $3, $4 from rule where id = $1
        on conflict (rule_id, channel_id, user_id) do update set until = excluded.until",
        rule_id,
        channel.as_str(),
        user,
        until
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Saves how often a rule has timed a user out, and when that is forgotten.
///
/// # Errors
/// If the database fails.
pub async fn strike(
    db: impl PgExecutor<'_>,
    (rule_id, channel): RuleOn<'_>,
    user: &str,
    (count, until): (i32, Option<OffsetDateTime>),
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rule_strike (rule_id, channel_id, user_id, count, until) select id, $2, $3, $4, $5 from rule where id = $1
        on conflict (rule_id, channel_id, user_id) do update set count = excluded.count, until = excluded.until",
        rule_id,
        channel.as_str(),
        user,
        count,
        until
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Saves the reactions of the last minute, and until when the rule rests.
///
/// # Errors
/// If the database fails.
pub async fn pace(
    db: impl PgExecutor<'_>,
    (rule_id, channel): RuleOn<'_>,
    recent: &[OffsetDateTime],
    rests_until: Option<OffsetDateTime>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rule_pace (rule_id, channel_id, recent, rests_until) select id, $2, $3, $4 from rule where id = $1
        on conflict (rule_id, channel_id) do update set recent = excluded.recent, rests_until = excluded.rests_until",
        rule_id,
        channel.as_str(),
        recent,
        rests_until
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Saves when a timer is due, and how many messages others wrote since the last time.
///
/// # Errors
/// If the database fails.
pub async fn timer(
    db: impl PgExecutor<'_>,
    (rule_id, channel): RuleOn<'_>,
    next_at: OffsetDateTime,
    lines: i32,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rule_timer (rule_id, channel_id, next_at, lines) select id, $2, $3, $4 from rule where id = $1
        on conflict (rule_id, channel_id) do update set next_at = excluded.next_at, lines = excluded.lines",
        rule_id,
        channel.as_str(),
        next_at,
        lines
    )
    .execute(db)
    .await?;
    Ok(())
}
