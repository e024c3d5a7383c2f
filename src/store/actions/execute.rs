//! The execution of actions: the lease of the server that executes them, what is due, and what was sent lately.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::{ActionClass, ActionState};
use crate::store::followers::Lease;
use crate::twitch::id::{ChannelId, UserId};

/// Takes the lease if it is free.
///
/// # Errors
/// If the database fails.
pub async fn try_lease(db: impl PgExecutor<'_>, lease: Duration) -> sqlx::Result<Lease> {
    let row = sqlx::query!(
        r#"with taken as (
            update action_lease set epoch = epoch + 1, leased_until = clock_timestamp() + make_interval(secs => $1)
            where leased_until <= clock_timestamp() returning epoch
        )
        select (select epoch from taken) as epoch,
            greatest(extract(epoch from leased_until - clock_timestamp()), 0)::float8 as "held_for!"
        from action_lease"#,
        lease.as_secs_f64()
    )
    .fetch_one(db)
    .await?;
    Ok(row.epoch.map_or_else(|| Lease::HeldFor(Duration::from_secs_f64(row.held_for)), Lease::Taken))
}

/// Renews the lease, and keeps others from it until the transaction ends. False if it was taken over since this epoch.
///
/// # Errors
/// If the database fails.
pub async fn renew(db: impl PgExecutor<'_>, epoch: i64, lease: Duration) -> sqlx::Result<bool> {
    let renewed = sqlx::query!(
        "update action_lease set leased_until = clock_timestamp() + make_interval(secs => $2) where epoch = $1",
        epoch,
        lease.as_secs_f64()
    );
    Ok(renewed.execute(db).await?.rows_affected() > 0)
}

/// Gives the lease up.
///
/// # Errors
/// If the database fails.
pub async fn release(db: impl PgExecutor<'_>, epoch: i64) -> sqlx::Result<()> {
    sqlx::query!("update action_lease set leased_until = clock_timestamp() where epoch = $1", epoch)
        .execute(db)
        .await?;
    Ok(())
}

/// What a server that was killed had begun: what may be repeated is due again, the rest is uncertain. A clip that Twitch
/// has begun to make is only looked up again. These attempts, by action and number, are still under way here. Returns the
/// kinds of those that are uncertain.
///
/// # Errors
/// If the database fails.
pub async fn recover(db: impl PgExecutor<'_>, except: &[(i64, i32)], now: OffsetDateTime) -> sqlx::Result<Vec<String>> {
    let (ids, attempts): (Vec<_>, Vec<_>) = except.iter().copied().unzip();
    let recovered = sqlx::query!(
        r#"update action set
            state = case when class <> 'once' or result ? 'id' then 'pending' else 'uncertain' end,
            retry_at = $1,
            settled_at = case when class <> 'once' or result ? 'id' then null else $1::timestamptz end,
            problem = 'the server that called Twitch ended before the answer came'
        where state = 'sending' and not exists (
            select from unnest($2::bigint[], $3::integer[]) as own (id, attempts)
            where own.id = action.id and own.attempts = action.attempts)
        returning kind, state = 'uncertain' as "is_uncertain!""#,
        now,
        &ids,
        &attempts
    );
    let recovered = recovered.fetch_all(db).await?;
    Ok(recovered.into_iter().filter(|row| row.is_uncertain).map(|row| row.kind).collect())
}

/// An action that ended without being executed.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The name of the step.
    pub kind: String,
    /// Stale, or off.
    pub state: ActionState,
}

/// Ends what is too late, and the steps behind it. A clip that Twitch has begun to make is not: its look-ups end by themselves.
///
/// # Errors
/// If the database fails.
pub async fn expire(db: impl PgExecutor<'_>, now: OffsetDateTime) -> sqlx::Result<Vec<Ended>> {
    sqlx::query_as!(
        Ended,
        r#"with expired as (
            update action set state = 'stale', settled_at = $1, problem = coalesce(problem, 'it waited for too long')
            where state = 'pending' and expires_at <= $1 and (result ? 'id') is not true
            returning rule_id, subject, step, continues, kind, state
        ), stopped as (
            update action set state = 'off', settled_at = $1, problem = 'a step before it was too late'
            from expired
            where action.rule_id = expired.rule_id and action.subject = expired.subject and action.step > expired.step
                and not expired.continues and action.state = 'pending' and action.expires_at > $1
            returning action.kind, action.state
        )
        select kind as "kind!", state as "state!: ActionState" from expired
        union all select kind, state from stopped"#,
        now
    )
    .fetch_all(db)
    .await
}

/// An action that is due.
#[derive(Clone, Debug)]
pub struct DueAction {
    /// Its row.
    pub id: i64,
    /// The name of the step.
    pub kind: String,
    /// What it says.
    pub params: Value,
    /// Whether it may be repeated.
    pub class: ActionClass,
    /// Where it happens.
    pub channel_id: ChannelId,
    /// Who acts.
    pub as_user: UserId,
    /// The user that it is about; `None` if there is none, or if a login names one that was not looked up yet.
    pub target: Option<UserId>,
    /// Which of Twitch's limits it counts for.
    pub bucket: String,
    /// When it was decided.
    pub created_at: OffsetDateTime,
    /// When it is too late for it.
    pub expires_at: OffsetDateTime,
    /// Attempts before this one.
    pub attempts: i32,
    /// What Twitch answered before.
    pub result: Option<Value>,
    /// Whether the author is known to be privileged in this chat.
    pub is_privileged: bool,
}

/// The first action of each lane, if it is due and no other of the lane is under way; those first that are to go first. What is
/// delayed, or behind a step that has not ended, holds up no lane; what is tried again does, unless the receiver is a webhook.
///
/// # Errors
/// If the database fails.
pub async fn due(db: impl PgExecutor<'_>, now: OffsetDateTime, limit: i64) -> sqlx::Result<Vec<DueAction>> {
    sqlx::query_as!(
        DueAction,
        r#"select id as "id!", kind as "kind!", params as "params!", class as "class!: ActionClass",
            channel_id as "channel_id!: ChannelId", as_user as "as_user!: UserId", target as "target: UserId",
            bucket as "bucket!", created_at as "created_at!", expires_at as "expires_at!", attempts as "attempts!", result,
            coalesce((select known.is_privileged from action as known where known.as_user = head.as_user
                and known.channel_id = head.channel_id and known.is_privileged is not null order by known.id desc limit 1),
                head.as_user = head.channel_id) as "is_privileged!"
        from (
            select distinct on (channel_id, lane) * from action as open
            where state = 'sending' or state = 'pending' and case
                when retry_at is not null then class <> 'stable_id' or retry_at <= $1
                else not_before <= $1 and not exists (select from action as earlier
                    where earlier.rule_id = open.rule_id and earlier.subject = open.subject and earlier.step < open.step
                        and earlier.state in ('pending', 'sending'))
                end
            order by channel_id, lane, state = 'sending' desc, priority, id
        ) as head
        where state = 'pending' and coalesce(retry_at, not_before) <= $1
        order by priority, id limit $2"#,
        now,
        limit
    )
    .fetch_all(db)
    .await
}

/// When the next action is due that is not now.
///
/// # Errors
/// If the database fails.
pub async fn next_at(db: impl PgExecutor<'_>, now: OffsetDateTime) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        "select min(coalesce(retry_at, not_before)) from action
        where state = 'pending' and coalesce(retry_at, not_before) > $1",
        now
    )
    .fetch_one(db)
    .await
}

/// An action that counts for a limit.
#[derive(Clone, Debug)]
pub struct SentAction {
    /// Which limit.
    pub bucket: String,
    /// Where.
    pub channel_id: ChannelId,
    /// Who acted.
    pub as_user: UserId,
    /// The user that it was about.
    pub target: Option<UserId>,
    /// The latest time at which Twitch may have counted it.
    pub at: OffsetDateTime,
}

/// What was sent in the longest spans for which Twitch has limits, or may have been.
///
/// # Errors
/// If the database fails.
pub async fn sent(db: impl PgExecutor<'_>, now: OffsetDateTime) -> sqlx::Result<Vec<SentAction>> {
    sqlx::query_as!(
        SentAction,
        r#"select bucket, channel_id as "channel_id: ChannelId", as_user as "as_user: UserId", target as "target: UserId",
            case when state = 'sending' then $1::timestamptz else greatest(sending_at, settled_at) end as "at!"
        from action
        where (state <> 'pending' or class <> 'once') and (
            bucket in ('chat', 'announcement', 'vip') and sending_at > $1 - interval '2 minutes'
            or bucket = 'shoutout' and sending_at > $1 - interval '2 hours'
            or bucket = 'whisper' and sending_at > $1 - interval '25 hours')"#,
        now
    )
    .fetch_all(db)
    .await
}

/// Marks that Twitch is about to be called for these actions.
///
/// # Errors
/// If the database fails.
pub async fn begin(db: impl PgExecutor<'_>, ids: &[i64], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "update action set state = 'sending', sending_at = $2, settled_at = null, attempts = attempts + 1 where id = any($1)",
        ids,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
