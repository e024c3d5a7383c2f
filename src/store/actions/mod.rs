//! Table `action`: what showtime does on Twitch, and what became of it. Times are those of the caller's clock.

pub mod execute;
pub mod settle;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;
use strum::IntoStaticStr;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::signals::Channel;
use super::{LogId, Order};
use crate::twitch::id::{ChannelId, UserId};

/// The state of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, Deserialize, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ActionState {
    /// It waits for its turn, or to be tried again.
    Pending,
    /// Twitch is being called.
    Sending,
    /// It has happened.
    Done,
    /// Twitch took the message, and does not show it.
    Dropped,
    /// It has not happened, and will not.
    Failed,
    /// It may have happened: the answer was lost.
    Uncertain,
    /// It was too late for it.
    Stale,
    /// It would have happened, but the rule, or all rules, are only tried out.
    Dry,
    /// A step before it has not happened.
    Off,
}

/// Whether an action may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ActionClass {
    /// Repeated until it is known to be so.
    Idempotent,
    /// Never repeated once it may have happened.
    Once,
    /// Repeated with the same id until the receiver has it.
    StableId,
    /// Done in the transaction that decided it.
    Planning,
}

/// What decided an action; the default is a client's request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The rule; 0 for a request.
    pub rule_id: i64,
    /// The rule's revision.
    pub revision: i32,
    /// The event that the rule reacted to; `None` for a request, a timer or a batch.
    pub event_id: Option<LogId>,
}

/// An action to add. Of each rule, subject and step there is one.
#[derive(Clone, Debug)]
pub struct NewAction<'a> {
    /// What decided it.
    pub origin: Origin,
    /// What it follows from: steps of one subject are done in order.
    pub subject: &'a str,
    /// Its place among the steps of the subject.
    pub step: i16,
    /// Whether the steps behind it are done although this one has not happened.
    pub continues: bool,
    /// The name of the step.
    pub kind: &'a str,
    /// What it says.
    pub params: &'a Value,
    /// Whether it may be repeated.
    pub class: ActionClass,
    /// Where it happens.
    pub channel_id: &'a ChannelId,
    /// Who acts.
    pub as_user: &'a UserId,
    /// The user that it is about.
    pub target: Option<&'a UserId>,
    /// Which of Twitch's limits it counts for.
    pub bucket: &'static str,
    /// Of what is due, the lowest goes first.
    pub priority: i16,
    /// Actions of a channel on the same lane go one after the other.
    pub lane: String,
    /// Pending if it is to be done, or else what has become of it.
    pub state: ActionState,
    /// Why it is not done.
    pub problem: Option<&'a str>,
    /// When it was decided.
    pub created_at: OffsetDateTime,
    /// When it is due.
    pub not_before: OffsetDateTime,
    /// When it is too late for it.
    pub expires_at: OffsetDateTime,
}

/// An action.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of action, which db/migrations describes")]
pub struct Action {
    pub id: i64,
    pub rule_id: i64,
    pub rule: Option<String>,
    pub event_id: Option<LogId>,
    pub subject: String,
    pub step: i16,
    pub kind: String,
    pub params: Value,
    pub class: ActionClass,
    pub channel_id: ChannelId,
    pub as_user: UserId,
    pub state: ActionState,
    pub created_at: OffsetDateTime,
    pub not_before: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub attempts: i32,
    pub settled_at: Option<OffsetDateTime>,
    pub result: Option<Value>,
    pub problem: Option<String>,
}

/// Adds an action, and wakes the server that executes it once the transaction is committed. False if there is one of this
/// rule, subject and step.
///
/// # Errors
/// If the database fails.
pub async fn insert(db: impl PgExecutor<'_>, new: &NewAction<'_>) -> sqlx::Result<bool> {
    let added = sqlx::query!(
        "with added as (
            insert into action (rule_id, revision, event_id, subject, step, continues, kind, params, class, channel_id, as_user,
                target, bucket, priority, lane, state, problem, created_at, not_before, expires_at, settled_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                case when $16 <> 'pending' then $18::timestamptz end)
            on conflict (rule_id, subject, step) do nothing returning state
        ) select case when state = 'pending' then pg_notify($21, '') end from added",
        new.origin.rule_id,
        new.origin.revision,
        new.origin.event_id as Option<LogId>,
        new.subject,
        new.step,
        new.continues,
        new.kind,
        new.params,
        new.class as ActionClass,
        new.channel_id.as_str(),
        new.as_user.as_str(),
        new.target.map(UserId::as_str),
        new.bucket,
        new.priority,
        new.lane,
        new.state as ActionState,
        new.problem,
        new.created_at,
        new.not_before,
        new.expires_at,
        Channel::Action.name()
    );
    Ok(added.fetch_optional(db).await?.is_some())
}

/// The action with this id.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<Action>> {
    sqlx::query_as!(
        Action,
        r#"select id, rule_id, (select name from rule where rule.id = action.rule_id) as rule, event_id as "event_id: LogId", subject, step, kind, params, class as "class: ActionClass",
            channel_id as "channel_id: ChannelId", as_user as "as_user: UserId", state as "state: ActionState", created_at,
            coalesce(retry_at, not_before) as "not_before!", expires_at, attempts, settled_at, result, problem
        from action where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

/// The action that a client requested with this key.
///
/// # Errors
/// If the database fails.
pub async fn of_key(db: impl PgExecutor<'_>, key: &str) -> sqlx::Result<Option<Action>> {
    sqlx::query_as!(
        Action,
        r#"select id, rule_id, (select name from rule where rule.id = action.rule_id) as rule, event_id as "event_id: LogId", subject, step, kind, params, class as "class: ActionClass",
            channel_id as "channel_id: ChannelId", as_user as "as_user: UserId", state as "state: ActionState", created_at,
            coalesce(retry_at, not_before) as "not_before!", expires_at, attempts, settled_at, result, problem
        from action where rule_id = 0 and subject = $1"#,
        key
    )
    .fetch_optional(db)
    .await
}

/// A part of the list of actions.
#[derive(Clone, Debug, Default)]
pub struct Selection<'a> {
    /// Only those in this state.
    pub state: Option<ActionState>,
    /// Only those of this channel.
    pub channel_id: Option<&'a ChannelId>,
    /// Only those of this rule.
    pub rule_id: Option<i64>,
    /// By their ids.
    pub order: Order,
    /// Only those behind this one, in this order.
    pub after: Option<i64>,
}

/// Actions, at most `limit`.
///
/// # Errors
/// If the database fails.
pub async fn page(db: impl PgExecutor<'_>, selection: &Selection<'_>, limit: i64) -> sqlx::Result<Vec<Action>> {
    macro_rules! page {
        ($behind:tt, $start:tt, $direction:tt) => {
            sqlx::query_as!(
                Action,
                r#"select id, rule_id, (select name from rule where rule.id = action.rule_id) as rule, event_id as "event_id: LogId", subject, step, kind, params, class as "class: ActionClass",
                    channel_id as "channel_id: ChannelId", as_user as "as_user: UserId", state as "state: ActionState", created_at,
                    coalesce(retry_at, not_before) as "not_before!", expires_at, attempts, settled_at, result, problem
                from action
                where ($1::text is null or state = $1) and ($2::text is null or channel_id = $2)
                    and ($3::bigint is null or rule_id = $3) and id "# + $behind + " coalesce($4, " + $start + r#")
                order by id "# + $direction + " limit $5",
                selection.state as Option<ActionState>,
                selection.channel_id.map(ChannelId::as_str),
                selection.rule_id,
                selection.after,
                limit
            )
            .fetch_all(db)
            .await
        };
    }
    match selection.order {
        Order::Asc => page!(">", "0::bigint", "asc"),
        Order::Desc => page!("<", "9223372036854775807", "desc"),
    }
}

/// What `/status` shows of the actions.
#[derive(Clone, Debug, Default)]
pub struct ActionSummary {
    /// Those of the last day of which it is not known whether they happened.
    pub uncertain: i64,
    /// Those that failed in the last hour.
    pub failed: i64,
    /// Why the newest of these failed.
    pub problem: Option<String>,
    /// Whether a server executes actions.
    pub is_leased: bool,
    /// Those that are due.
    pub due: i64,
}

/// What `/status` shows of the actions.
///
/// # Errors
/// If the database fails.
pub async fn summary(db: impl PgExecutor<'_>) -> sqlx::Result<ActionSummary> {
    sqlx::query_as!(
        ActionSummary,
        r#"select
            (select count(*) from action where state = 'uncertain' and settled_at > now() - interval '1 day') as "uncertain!",
            (select count(*) from action where state = 'failed' and settled_at > now() - interval '1 hour') as "failed!",
            (select problem from action where state = 'failed' and settled_at > now() - interval '1 hour'
                order by id desc limit 1) as problem,
            (select leased_until > clock_timestamp() from action_lease) as "is_leased!",
            (select count(*) from action where state = 'pending' and coalesce(retry_at, not_before) <= now()) as "due!""#
    )
    .fetch_one(db)
    .await
}

/// A step that an account was to do lately.
#[derive(Clone, Debug)]
pub struct WantedStep {
    /// The account.
    pub user_id: UserId,
    /// Its login, if that is known.
    pub login: Option<String>,
    /// Whether it is the bot.
    pub is_bot: bool,
    /// The name of the step.
    pub kind: String,
    /// What one of its actions says.
    pub params: Value,
    /// The scopes that the account has granted; none if it has to consent again.
    pub granted: Vec<String>,
}

/// The kinds of steps that each account was to do lately: in a week, among the last actions.
///
/// # Errors
/// If the database fails.
pub async fn wanted(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<WantedStep>> {
    sqlx::query_as!(
        WantedStep,
        r#"select distinct on (last.as_user, last.kind, last.params ? 'text')
            last.as_user as "user_id!: UserId", coalesce(bot.login, token.login) as login,
            bot.user_id is not null as "is_bot!", last.kind as "kind!", last.params as "params!",
            case when token.needs_consent is null then coalesce(token.scopes, '{}') else '{}' end as "granted!"
        from (
            select as_user, kind, params, created_at from action where class <> 'planning' order by id desc limit 5000
        ) as last
            left join token on token.holder = last.as_user left join bot on bot.user_id = last.as_user
        where last.created_at > now() - interval '7 days'
        order by last.as_user, last.kind, last.params ? 'text'"#
    )
    .fetch_all(db)
    .await
}

/// How many actions wait, by bucket.
///
/// # Errors
/// If the database fails.
pub async fn waiting(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select bucket, count(*) as "count!" from action where state = 'pending' group by bucket order by bucket"#
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.bucket, row.count)).collect())
}

/// Deletes what was settled before this time.
///
/// # Errors
/// If the database fails.
pub async fn prune(db: impl PgExecutor<'_>, before: OffsetDateTime) -> sqlx::Result<u64> {
    let pruned =
        sqlx::query!("delete from action where settled_at < $1 and state not in ('pending', 'sending')", before);
    Ok(pruned.execute(db).await?.rows_affected())
}

/// The account that acts where a channel's own need not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bot {
    /// Its id.
    pub user_id: UserId,
    /// Its login.
    pub login: String,
}

/// The bot, if there is one.
///
/// # Errors
/// If the database fails.
pub async fn bot(db: impl PgExecutor<'_>) -> sqlx::Result<Option<Bot>> {
    sqlx::query_as!(Bot, r#"select user_id as "user_id: UserId", login from bot"#).fetch_optional(db).await
}

/// Makes this account the bot.
///
/// # Errors
/// If the database fails.
pub async fn set_bot(db: impl PgExecutor<'_>, bot: &Bot) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into bot (user_id, login) values ($1, $2)
        on conflict (is_only) do update set user_id = excluded.user_id, login = excluded.login",
        bot.user_id.as_str(),
        bot.login
    )
    .execute(db)
    .await?;
    Ok(())
}
