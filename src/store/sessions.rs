//! Tables `websocket_session` and `websocket_earlier_session`: the sessions with Twitch, and which server keeps each.
//!
//! The server that holds a user's lease connects and writes the session. The reconciler creates the subscriptions on it, and
//! writes the outcome beside it. Each wakes the other by [`Channel::Session`] and [`Channel::Reconcile`].

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::signals::Channel;
use crate::twitch::id::UserId;

/// How long a server keeps a user's session without renewing its lease.
pub const LEASE: Duration = Duration::from_secs(15);

/// How often a server renews its leases.
pub const RENEWAL: Duration = Duration::from_secs(5);

/// What the reconciler needs of a session, and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The user whose token creates the subscriptions.
    pub user_id: UserId,
    /// Whether the server that keeps the connection has renewed its lease in time.
    pub is_leased: bool,
    /// Twitch's id of the session, while there is one.
    pub session_id: Option<String>,
    /// Why the last session ended: the close code, and words.
    pub ended_reason: Option<String>,
    /// When all that is wanted first existed on this session.
    pub subscribed_at: Option<OffsetDateTime>,
    /// Why subscribing failed, in words.
    pub problem: Option<String>,
}

/// What `/status` shows of a channel that is served over WebSocket, or that is if nothing else is set.
#[derive(Clone, Debug)]
pub struct SessionState {
    /// The channel's login.
    pub login: String,
    /// Whether the channel is served over WebSocket, whatever the setting says.
    pub is_chosen: bool,
    /// Whether its user has consented.
    pub has_token: bool,
    /// Why the user has to consent again.
    pub needs_consent: Option<String>,
    /// Whether there is a session, and a server that keeps it.
    pub has_session: bool,
    /// When the session began.
    pub connected_at: Option<OffsetDateTime>,
    /// How long ago the last message was kept, in seconds.
    pub silence: Option<f64>,
    /// When the last session ended.
    pub ended_at: Option<OffsetDateTime>,
    /// Why it ended.
    pub ended_reason: Option<String>,
    /// How often a connection replaced another one.
    pub reconnects: i32,
    /// Why subscribing failed.
    pub problem: Option<String>,
    /// How many of the wanted subscriptions are enabled.
    pub enabled: i64,
    /// How many are wanted.
    pub total: i64,
}

/// The channels that may be served over WebSocket, those without a session first, then by login.
///
/// # Errors
/// If the database fails.
pub async fn states(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<SessionState>> {
    sqlx::query_as!(
        SessionState,
        r#"select channel.login, served.transport is not null as "is_chosen!", token.holder is not null as "has_token!",
            token.needs_consent as "needs_consent?",
            coalesce(session_id is not null and lease_until > clock_timestamp(), false) as "has_session!",
            connected_at as "connected_at?", extract(epoch from clock_timestamp() - last_message_at)::float8 as silence,
            ended_at as "ended_at?", ended_reason as "ended_reason?", coalesce(reconnects, 0) as "reconnects!",
            problem as "problem?", desired.enabled as "enabled!", desired.total as "total!"
        from served_channel channel join channel_transport served on served.channel_id = channel.id
        left join token on token.holder = channel.id
        left join websocket_session on websocket_session.user_id = channel.id
        cross join lateral (
            select count(*) as total, count(*) filter (where status = 'enabled') as enabled
            from desired_subscription where channel_id = channel.id and transport = 'websocket'
        ) desired
        where served.transport is distinct from 'webhook'
        order by session_id is not null, channel.login limit $1"#,
        limit
    )
    .fetch_all(conn)
    .await
}

/// A lease that this server holds.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The user.
    pub user_id: UserId,
    /// Up to when all messages were kept, if there was a session before.
    pub last_message_at: Option<OffsetDateTime>,
}

/// The users that are to have a session: those of channels with subscriptions over WebSocket who have a token that can be used.
/// The session of a channel that switches to webhooks stays until what is under way on it has arrived.
///
/// # Errors
/// If the database fails.
pub async fn wanted(conn: &mut PgConnection, is_default: bool) -> sqlx::Result<BTreeSet<UserId>> {
    let users = sqlx::query_scalar!(
        r#"select channel_id as "id!: UserId" from (
            select channel_id from channel_transport where coalesce(transport = 'websocket', $1)
            union select channel_id from transport_switch
            where from_transport = 'websocket' and state in ('deleting', 'lingering')
        ) channel
        where exists (select from token where holder = channel_id and needs_consent is null)"#,
        is_default
    );
    Ok(users.fetch_all(conn).await?.into_iter().collect())
}

/// All rows, by user.
///
/// # Errors
/// If the database fails.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"select user_id as "user_id: UserId", lease_until > clock_timestamp() as "is_leased!", session_id, ended_reason,
            subscribed_at, problem
        from websocket_session order by user_id"#
    )
    .fetch_all(conn)
    .await
}

/// Takes or renews the leases of these users, and writes up to when all messages of each are kept. Returns the leases that
/// this server holds now. The session of a server that has lost its lease is an earlier one. (Those are joined because they have
/// to be locked before they are updated: the same statement does not see them afterwards.)
///
/// # Errors
/// If the database fails.
pub async fn lease(
    conn: &mut PgConnection,
    holder: i64,
    users: &[(UserId, Option<OffsetDateTime>)],
) -> sqlx::Result<Vec<Lease>> {
    let (ids, last_messages): (Vec<_>, Vec<_>) = users.iter().map(|(id, at)| (id.to_string(), *at)).unzip();
    sqlx::query_as!(
        Lease,
        r#"with lost as (
            select session_id, user_id from websocket_session
            where user_id = any($2) and holder <> $1 and lease_until <= clock_timestamp() and session_id is not null
            for update
        ), earlier as (
            insert into websocket_earlier_session (session_id, user_id, ended_at)
            select session_id, user_id, clock_timestamp() from lost on conflict do nothing
        )
        insert into websocket_session as session (user_id, holder, lease_until, last_message_at)
        select id, $1, clock_timestamp() + make_interval(secs => $4), seen_at
        from unnest($2::text[], $3::timestamptz[]) as wanted (id, seen_at) left join lost on lost.user_id = wanted.id
        on conflict (user_id) do update set
            holder = $1, lease_until = excluded.lease_until,
            last_message_at = coalesce(excluded.last_message_at, session.last_message_at),
            session_id = case when session.holder = $1 then session.session_id end,
            subscribed_at = case when session.holder = $1 then session.subscribed_at end,
            problem = case when session.holder = $1 then session.problem end,
            ended_at = case when session.holder = $1 or session.session_id is null then session.ended_at
                else session.lease_until end,
            ended_reason = case when session.holder = $1 or session.session_id is null then session.ended_reason
                else 'the server that kept the connection ended' end
        where session.holder = $1 or session.lease_until <= clock_timestamp()
        returning user_id as "user_id: UserId", last_message_at"#,
        holder,
        &ids,
        &last_messages as &[Option<OffsetDateTime>],
        LEASE.as_secs_f64()
    )
    .fetch_all(conn)
    .await
}

/// Ends all leases of this holder, so that no server waits until they expire.
///
/// # Errors
/// If the database fails.
pub async fn release(conn: &mut PgConnection, holder: i64) -> sqlx::Result<()> {
    sqlx::query!("update websocket_session set lease_until = clock_timestamp() where holder = $1", holder)
        .execute(&mut *conn)
        .await?;
    Channel::Session.notify(conn, "").await
}

/// Ends the sessions of all users but these, who are to have none any more, if no other server holds them. The row of a user
/// whose channel waits for a new consent stays: it says where the gap begins that ends with the consent.
///
/// # Errors
/// If the database fails.
pub async fn keep_only(
    conn: &mut PgConnection,
    holder: i64,
    users: &BTreeSet<UserId>,
    is_default: bool,
) -> sqlx::Result<()> {
    let users: Vec<_> = users.iter().map(ToString::to_string).collect();
    let ended = sqlx::query_scalar!(
        r#"with ended as (
            select session_id, user_id, exists (
                select from served_channel where id = user_id and coalesce(transport = 'websocket', $3)
            ) as is_waiting
            from websocket_session
            where user_id <> all($2) and (holder = $1 or lease_until <= clock_timestamp())
            for update of websocket_session
        ), earlier as (
            insert into websocket_earlier_session (session_id, user_id, ended_at)
            select session_id, user_id, clock_timestamp() from ended where session_id is not null on conflict do nothing
        ), gone as (
            delete from websocket_session session using ended
            where session.user_id = ended.user_id and not is_waiting returning session.user_id
        ), waiting as (
            update websocket_session session set
                session_id = null, subscribed_at = null, problem = null, lease_until = clock_timestamp(),
                ended_at = clock_timestamp(), ended_reason = 'the user has to consent again'
            from ended where session.user_id = ended.user_id and is_waiting and ended.session_id is not null
            returning session.user_id
        )
        select (select count(*) from gone) + (select count(*) from waiting) as "count!""#,
        holder,
        &users,
        is_default
    );
    if ended.fetch_one(&mut *conn).await? > 0 {
        Channel::Reconcile.notify(conn, "").await?;
    }
    Ok(())
}

/// Writes that a session began, and wakes the reconciler. A connection that was moved keeps its id, and with it the
/// subscriptions; a session with another id has none yet. Nothing changes if this server has lost the lease.
///
/// # Errors
/// If the database fails.
pub async fn begin(
    conn: &mut PgConnection,
    holder: i64,
    user: &UserId,
    session_id: &str,
    at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with before as (
            select session_id, user_id from websocket_session where user_id = $2 and holder = $1 for update
        ), earlier as (
            insert into websocket_earlier_session (session_id, user_id, ended_at)
            select session_id, user_id, clock_timestamp() from before where session_id <> $3 on conflict do nothing
        ), old as (
            delete from websocket_earlier_session
            where session_id = $3 or ended_at < clock_timestamp() - interval '1 day'
        )
        update websocket_session session set
            session_id = $3, last_message_at = coalesce(last_message_at, $4),
            connected_at = case when before.session_id = $3 then connected_at else $4 end,
            subscribed_at = case when before.session_id = $3 then subscribed_at end,
            problem = case when before.session_id = $3 then problem end,
            reconnects = reconnects + (connected_at is not null)::integer
        from before where session.user_id = before.user_id",
        holder,
        user.as_str(),
        session_id,
        at
    )
    .execute(&mut *conn)
    .await?;
    Channel::Reconcile.notify(&mut *conn, "").await?;
    Channel::Session.notify(conn, "").await
}

/// Writes that the session ended, when and why (the close code, and words), and wakes the reconciler. If there was none, only
/// why none could begin.
///
/// # Errors
/// If the database fails.
pub async fn end(
    conn: &mut PgConnection,
    holder: i64,
    user: &UserId,
    at: OffsetDateTime,
    reason: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with before as (
            select session_id, user_id from websocket_session where user_id = $2 and holder = $1 for update
        ), earlier as (
            insert into websocket_earlier_session (session_id, user_id, ended_at)
            select session_id, user_id, clock_timestamp() from before where session_id is not null on conflict do nothing
        )
        update websocket_session session set session_id = null, subscribed_at = null, ended_reason = $4,
            ended_at = case when before.session_id is null and ended_at is not null then ended_at else $3 end
        from before where session.user_id = before.user_id",
        holder,
        user.as_str(),
        at,
        reason
    )
    .execute(&mut *conn)
    .await?;
    Channel::Reconcile.notify(&mut *conn, "").await?;
    Channel::Session.notify(conn, "").await
}

/// Writes that all that is wanted exists on this session, and wakes its holder. Nothing changes if another session has begun.
///
/// # Errors
/// If the database fails.
pub async fn record_subscribed(conn: &mut PgConnection, user: &UserId, session_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update websocket_session set subscribed_at = coalesce(subscribed_at, clock_timestamp()), problem = null
        where user_id = $1 and session_id = $2",
        user.as_str(),
        session_id
    )
    .execute(&mut *conn)
    .await?;
    Channel::Session.notify(conn, "").await
}

/// Writes why subscribing on this session failed, and wakes its holder. Nothing changes if another session has begun.
///
/// # Errors
/// If the database fails.
pub async fn record_problem(
    conn: &mut PgConnection,
    user: &UserId,
    session_id: &str,
    problem: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update websocket_session set problem = $3 where user_id = $1 and session_id = $2",
        user.as_str(),
        session_id,
        problem
    )
    .execute(&mut *conn)
    .await?;
    Channel::Session.notify(conn, "").await
}

/// The ids of this user's earlier sessions, of the last day.
///
/// # Errors
/// If the database fails.
pub async fn earlier_ids(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select session_id from websocket_earlier_session where user_id = $1", user.as_str())
        .fetch_all(conn)
        .await
}
