//! What the rules did: cooldowns, strikes, pace, timers, batches.

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// A row of a table that has one for each rule, channel and user.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the tables, which db/migrations describes")]
pub struct OfUser<T> {
    pub rule_id: i64,
    pub channel_id: ChannelId,
    pub user_id: String,
    pub value: T,
}

/// Cooldowns on these channels, of these users and of all.
///
/// # Errors
/// If the database fails.
pub async fn cooldowns(
    db: impl PgExecutor<'_>,
    channels: &[ChannelId],
    users: &[String],
) -> sqlx::Result<Vec<OfUser<OffsetDateTime>>> {
    let rows = sqlx::query!(
        r#"select rule_id, channel_id as "channel_id: ChannelId", user_id, until from rule_cooldown
        where channel_id = any($1) and (user_id = '' or user_id = any($2))"#,
        channels as &[ChannelId],
        users
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| OfUser {
        rule_id: row.rule_id,
        channel_id: row.channel_id,
        user_id: row.user_id,
        value: row.until,
    });
    Ok(rows.collect())
}

/// How often rules have timed these users out on these channels, and when that is forgotten.
///
/// # Errors
/// If the database fails.
pub async fn strikes(
    db: impl PgExecutor<'_>,
    channels: &[ChannelId],
    users: &[String],
) -> sqlx::Result<Vec<OfUser<(i32, Option<OffsetDateTime>)>>> {
    let rows = sqlx::query!(
        r#"select rule_id, channel_id as "channel_id: ChannelId", user_id, count, until from rule_strike
        where channel_id = any($1) and user_id = any($2)"#,
        channels as &[ChannelId],
        users
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| OfUser {
        rule_id: row.rule_id,
        channel_id: row.channel_id,
        user_id: row.user_id,
        value: (row.count, row.until),
    });
    Ok(rows.collect())
}

/// The pace of a rule on a channel.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of rule_pace, which db/migrations describes")]
pub struct PaceRow {
    pub rule_id: i64,
    pub channel_id: ChannelId,
    pub recent: Vec<OffsetDateTime>,
    pub rests_until: Option<OffsetDateTime>,
}

/// The pace of all rules on these channels.
///
/// # Errors
/// If the database fails.
pub async fn paces(db: impl PgExecutor<'_>, channels: &[ChannelId]) -> sqlx::Result<Vec<PaceRow>> {
    sqlx::query_as!(
        PaceRow,
        r#"select rule_id, channel_id as "channel_id: ChannelId", recent, rests_until from rule_pace
        where channel_id = any($1)"#,
        channels as &[ChannelId]
    )
    .fetch_all(db)
    .await
}

/// A timer of a rule on a channel.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of rule_timer, which db/migrations describes")]
pub struct TimerRow {
    pub rule_id: i64,
    pub channel_id: ChannelId,
    pub next_at: OffsetDateTime,
    pub lines: i32,
}

/// All timers of channels that are served.
///
/// # Errors
/// If the database fails.
pub async fn timers(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<TimerRow>> {
    sqlx::query_as!(
        TimerRow,
        r#"select rule_id, channel_id as "channel_id: ChannelId", next_at, lines from rule_timer
        where channel_id in (select id from served_channel)"#
    )
    .fetch_all(db)
    .await
}

/// A batch of a rule on a channel.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of rule_batch, which db/migrations describes")]
pub struct BatchRow {
    pub rule_id: i64,
    pub channel_id: ChannelId,
    pub first_event_id: i64,
    pub due_at: OffsetDateTime,
    pub events: i32,
    pub members: Value,
}

/// All batches that gather.
///
/// # Errors
/// If the database fails.
pub async fn batches(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<BatchRow>> {
    sqlx::query_as!(
        BatchRow,
        r#"select rule_id, channel_id as "channel_id: ChannelId", first_event_id, due_at, events, members from rule_batch"#
    )
    .fetch_all(db)
    .await
}
