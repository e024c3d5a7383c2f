//! What became of an action: by Twitch's answer, by the echo of a message, or by a person.

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::ActionState;
use crate::store::signals::Channel;
use crate::twitch::id::{ChannelId, UserId};

/// The end of an attempt.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    /// The new state.
    pub state: ActionState,
    /// What Twitch answered; without it, what it answered before stays.
    pub result: Option<&'a Value>,
    /// Why it failed.
    pub problem: Option<&'a str>,
    /// When it is tried again, if it is pending.
    pub retry_at: Option<OffsetDateTime>,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// When the action was due.
    pub due_at: OffsetDateTime,
    /// The kinds of the steps behind it that are off now, because it has not happened.
    pub stopped: Vec<String>,
}

/// Records the end of the attempt of this number. An answer that comes after another server took over, or after an echo, is
/// recorded if it says more than what is known. `None` if nothing was.
///
/// # Errors
/// If the database fails.
pub async fn record(
    db: impl PgExecutor<'_>,
    (id, attempt): (i64, i32),
    outcome: &Outcome<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"with recorded as (
            update action set state = $3, result = coalesce($4, result), problem = $5, retry_at = $6,
                settled_at = case when $3 = 'pending' then null else $7::timestamptz end
            where id = $1 and attempts = $2
                and (state = 'sending' or state = 'uncertain' and $3 in ('done', 'dropped', 'failed'))
            returning rule_id, subject, step, continues, state, not_before
        ), stopped as (
            update action set state = 'off', settled_at = $7, problem = 'a step before it has not happened'
            from recorded
            where action.rule_id = recorded.rule_id and action.subject = recorded.subject and action.step > recorded.step
                and not recorded.continues and recorded.state in ('dropped', 'failed') and action.state = 'pending'
            returning action.kind
        )
        select not_before as "due_at!", array(select kind from stopped) as "stopped!" from recorded"#,
        id,
        attempt,
        outcome.state as ActionState,
        outcome.result,
        outcome.problem,
        outcome.retry_at,
        now
    )
    .fetch_optional(db)
    .await
}

/// Records which user a login names, before anything was done: the attempt of this number does not count. False if nothing
/// was recorded.
///
/// # Errors
/// If the database fails.
pub async fn record_target(
    db: impl PgExecutor<'_>,
    (id, attempt): (i64, i32),
    target: &UserId,
    lane: &str,
) -> sqlx::Result<bool> {
    let recorded = sqlx::query!(
        "update action set state = 'pending', target = $3, lane = $4, attempts = attempts - 1, sending_at = null
        where id = $1 and attempts = $2 and state = 'sending'",
        id,
        attempt,
        target.as_str(),
        lane
    );
    Ok(recorded.execute(db).await?.rows_affected() > 0)
}

/// An author of messages.
#[derive(Clone, Debug)]
pub struct Author {
    /// Who wrote.
    pub as_user: UserId,
    /// Where.
    pub channel_id: ChannelId,
}

/// Who sent messages since this time, and where.
///
/// # Errors
/// If the database fails.
pub async fn authors(db: impl PgExecutor<'_>, since: OffsetDateTime) -> sqlx::Result<Vec<Author>> {
    sqlx::query_as!(
        Author,
        r#"select distinct as_user as "as_user: UserId", channel_id as "channel_id: ChannelId" from action
        where bucket = 'chat' and sending_at > $1"#,
        since
    )
    .fetch_all(db)
    .await
}

/// A chat message that may be the one of an echo.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its row.
    pub id: i64,
    /// The text that was sent.
    pub text: String,
}

/// The messages of this author to this chat of which it is not known whether they arrived, the newest first.
///
/// # Errors
/// If the database fails.
pub async fn candidates(
    db: impl PgExecutor<'_>,
    as_user: &UserId,
    channel: &ChannelId,
) -> sqlx::Result<Vec<Candidate>> {
    sqlx::query_as!(
        Candidate,
        r#"select id, coalesce(params ->> 'text', params #>> '{}', '') as "text!" from action
        where as_user = $1 and channel_id = $2 and bucket = 'chat'
            and (state in ('sending', 'uncertain') or state = 'pending' and attempts > 0)
        order by sending_at desc, id desc limit 100"#,
        as_user.as_str(),
        channel.as_str()
    )
    .fetch_all(db)
    .await
}

/// The action whose message has this id, if Twitch's answer said so.
///
/// # Errors
/// If the database fails.
pub async fn of_message(
    db: impl PgExecutor<'_>,
    as_user: &UserId,
    channel: &ChannelId,
    message_id: &str,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select id from action where as_user = $1 and channel_id = $2 and bucket = 'chat' and state = 'done'
            and result ->> 'message_id' = $3 and sending_at is not null order by id desc limit 1",
        as_user.as_str(),
        channel.as_str(),
        message_id
    )
    .fetch_optional(db)
    .await
}

/// An action that was settled.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The name of the step.
    pub kind: String,
    /// When it was due.
    pub due_at: OffsetDateTime,
}

/// Records that a message was seen in the chat. Returns the action if that settled it.
///
/// # Errors
/// If the database fails.
pub async fn record_echo(
    db: impl PgExecutor<'_>,
    id: i64,
    message_id: &str,
    is_privileged: bool,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Settled>> {
    let row = sqlx::query!(
        r#"update action set state = 'done', problem = null, is_privileged = $3,
            settled_at = case when action.state = 'done' then action.settled_at else $4::timestamptz end,
            result = coalesce(action.result, '{}') || jsonb_build_object('message_id', $2::text)
        from (select id, state from action where id = $1 for update) as before
        where action.id = before.id returning kind, not_before, before.state <> 'done' as "is_settled!""#,
        id,
        message_id,
        is_privileged,
        now
    )
    .fetch_optional(db)
    .await?;
    Ok(row.filter(|row| row.is_settled).map(|row| Settled { kind: row.kind, due_at: row.not_before }))
}

/// Lets an action be done again that has not happened, or of which that is not known. False if it is in another state.
///
/// # Errors
/// If the database fails.
pub async fn retry(
    db: impl PgExecutor<'_>,
    id: i64,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<bool> {
    let retried = sqlx::query!(
        "with retried as (
            update action set state = 'pending', not_before = $2, retry_at = null, expires_at = $3, settled_at = null, result = null,
                problem = null
            where id = $1 and state in ('dropped', 'failed', 'uncertain', 'stale', 'off') and class <> 'planning' returning id
        ) select pg_notify($4, '') from retried",
        id,
        now,
        expires_at,
        Channel::Action.name()
    );
    Ok(retried.fetch_optional(db).await?.is_some())
}

/// Records what a person found out about an action of which it was not known whether it happened. False if it is in another
/// state.
///
/// # Errors
/// If the database fails.
pub async fn settle(db: impl PgExecutor<'_>, id: i64, state: ActionState, now: OffsetDateTime) -> sqlx::Result<bool> {
    let settled = sqlx::query!(
        "update action set state = $2, settled_at = $3 where id = $1 and state = 'uncertain'",
        id,
        state as ActionState,
        now
    );
    Ok(settled.execute(db).await?.rows_affected() > 0)
}
