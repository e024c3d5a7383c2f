//! Table `transport_switch`: channels that change from one transport to another. All times are of the database's clock.
//!
//! A switch is opened in the transaction that changes the channel's transport, so it is there before the first subscription
//! that tells an event a second time. From then on one server moves it, and every move is conditional on the state before.

use serde::Serialize;
use sqlx::PgConnection;
use strum::{AsRefStr, Display, EnumString};
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;
use crate::twitch::transport::TransportKind;

/// How far a switch has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, Display, EnumString, Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SwitchState {
    /// All servers look for echoes; the new subscriptions are not created yet.
    Opening,
    /// The new subscriptions are created; the old ones deliver.
    Creating,
    /// All new ones are enabled; both deliver.
    Overlapping,
    /// The old ones are deleted.
    Deleting,
    /// Messages of the old ones may still arrive.
    Lingering,
    /// Only the new ones deliver. The row stays while a message of the old ones may be sent again.
    Done,
    /// The new ones could not be created; the old ones deliver.
    Aborted,
}

impl From<String> for SwitchState {
    /// A state of a later version counts as one in which nothing is done.
    fn from(text: String) -> Self {
        text.parse().unwrap_or(Self::Lingering)
    }
}

/// A row, with what decides on the next state.
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// The channel.
    pub channel_id: ChannelId,
    /// The channel's login.
    pub login: String,
    /// What delivered before.
    pub from: TransportKind,
    /// What is to deliver.
    pub to: TransportKind,
    /// How far it has got.
    pub state: SwitchState,
    /// When it began.
    pub began_at: OffsetDateTime,
    /// For how long it has been in this state, in seconds.
    pub age: f64,
    /// Why it was aborted.
    pub problem: Option<String>,
    /// Twitch's ids of the subscriptions that are to be deleted.
    pub to_delete: Vec<String>,
    /// Whether everything that the old subscriptions deliver comes over the new ones, too, and all of these were tried.
    pub is_ready: bool,
    /// Whether an attempt to create a new one failed.
    pub has_failed: bool,
}

/// The switches that are to be moved, the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn pending(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Switch>> {
    sqlx::query_as!(
        Switch,
        r#"select channel_id as "channel_id!: ChannelId", login as "login!", from_transport as "from!: TransportKind",
            to_transport as "to!: TransportKind", state as "state!", began_at as "began_at!", age as "age!", problem,
            to_delete as "to_delete!", is_ready as "is_ready!", has_failed as "has_failed!"
        from transport_switch_state
        where state not in ('done', 'aborted') or to_delete <> '{}'
        order by began_at, login limit $1"#,
        limit
    )
    .fetch_all(conn)
    .await
}

/// The switches that failed, then those that are under way, by login.
///
/// # Errors
/// If the database fails.
pub async fn open_or_failed(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Switch>> {
    sqlx::query_as!(
        Switch,
        r#"select channel_id as "channel_id!: ChannelId", login as "login!", from_transport as "from!: TransportKind",
            to_transport as "to!: TransportKind", state as "state!", began_at as "began_at!", age as "age!", problem,
            to_delete as "to_delete!", is_ready as "is_ready!", has_failed as "has_failed!"
        from transport_switch_state
        where state <> 'done' order by state <> 'aborted', login limit $1"#,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Opens a switch for each channel (or for this one) that is served over another transport than is wanted: its own, or else
/// the default. A switch that is under way turns back. The caller commits, and wakes the reconcilers.
///
/// # Errors
/// If the database fails.
pub async fn open(
    conn: &mut PgConnection,
    channel: Option<&ChannelId>,
    default: Option<TransportKind>,
) -> sqlx::Result<u64> {
    let (channel, default) = (channel.map(ChannelId::as_str), default.map(TransportKind::as_str));
    let opened = sqlx::query!(
        "insert into transport_switch as switch (channel_id, from_transport, to_transport, state, began_at, since)
        select id, current_transport, coalesce(transport, $2), 'opening', clock_timestamp(), clock_timestamp()
        from served_channel
        where ($1::text is null or id = $1) and current_transport <> coalesce(transport, $2)
        on conflict (channel_id) do update set
            from_transport = excluded.from_transport, to_transport = excluded.to_transport,
            began_at = excluded.began_at, since = excluded.since, problem = null, to_delete = '{}',
            state = case
                when switch.state in ('creating', 'overlapping', 'deleting') then 'creating'
                when switch.state = 'opening' then 'done'
                else 'opening' end,
            gone_at = case when switch.state = 'opening' then clock_timestamp() end",
        channel,
        default
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update served_channel set current_transport = coalesce(transport, $2)
        where ($1::text is null or id = $1) and current_transport is distinct from coalesce(transport, $2)
            and coalesce(transport, $2) is not null",
        channel,
        default
    )
    .execute(conn)
    .await?;
    Ok(opened.rows_affected())
}

/// Ends an aborted switch of this channel if what is wanted of it is what it has; else, if nothing is wanted of it in
/// particular, opens the switch again.
///
/// # Errors
/// If the database fails.
pub async fn retry(conn: &mut PgConnection, channel: &ChannelId) -> sqlx::Result<()> {
    let aborted = sqlx::query!(
        r#"select to_transport as "to: TransportKind", transport as "wanted: TransportKind"
        from transport_switch join served_channel on id = channel_id where channel_id = $1 and state = 'aborted'"#,
        channel.as_str()
    );
    let Some(aborted) = aborted.fetch_optional(&mut *conn).await? else { return Ok(()) };
    if aborted.wanted.is_none() {
        open(conn, Some(channel), Some(aborted.to)).await?;
    } else {
        sqlx::query!(
            "update transport_switch set state = 'done', since = clock_timestamp(), problem = null where channel_id = $1",
            channel.as_str()
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Remembers how channels are served that no server has seen before.
///
/// # Errors
/// If the database fails.
pub async fn adopt(conn: &mut PgConnection, default: TransportKind) -> sqlx::Result<()> {
    sqlx::query!(
        "update served_channel set current_transport = coalesce(transport, $1) where current_transport is null",
        default.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives the switches that create subscriptions their whole time again: no server may have run meanwhile.
///
/// # Errors
/// If the database fails.
pub async fn resume(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("update transport_switch set since = clock_timestamp() where state = 'creating'")
        .execute(conn)
        .await?;
    Ok(())
}

/// Moves a switch to the next state. Old subscriptions that are to be deleted are noted, and when they are gone, so is that.
/// False if the switch is not the same any more.
///
/// # Errors
/// If the database fails.
pub async fn advance(conn: &mut PgConnection, switch: &Switch, to: SwitchState) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "with old as (
            delete from desired_subscription
            where channel_id = $1 and transport = $5 and $4 = 'deleting' returning subscription_id
        )
        update transport_switch set state = $4, since = clock_timestamp(),
            to_delete = case when $4 = 'lingering' then '{}' when $4 = 'deleting' then
                coalesce((select array_agg(subscription_id) from old where subscription_id is not null), '{}')
                else to_delete end,
            gone_at = case when $4 = 'lingering' then clock_timestamp() else gone_at end
        where channel_id = $1 and state = $2 and began_at = $3",
        switch.channel_id.as_str(),
        switch.state.as_ref(),
        switch.began_at,
        to.as_ref(),
        switch.from.as_str()
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() > 0)
}

/// Gives up a switch that could not create its subscriptions: the channel stays on its old transport, and what was created is
/// to be deleted. False if the switch is not the same any more.
///
/// # Errors
/// If the database fails.
pub async fn abort(conn: &mut PgConnection, switch: &Switch, problem: &str) -> sqlx::Result<bool> {
    let aborted = sqlx::query!(
        "with channel as (
            update served_channel set current_transport = $2 where id = $1 and exists (
                select from transport_switch where channel_id = $1 and state = 'creating' and began_at = $3
            ) returning id
        ), new as (
            delete from desired_subscription
            where transport = $4 and channel_id in (select id from channel) returning subscription_id
        )
        update transport_switch set state = 'aborted', since = clock_timestamp(), problem = $5,
            gone_at = clock_timestamp(),
            to_delete = coalesce((select array_agg(subscription_id) from new where subscription_id is not null), '{}')
        where channel_id in (select id from channel) and state = 'creating' and began_at = $3",
        switch.channel_id.as_str(),
        switch.from.as_str(),
        switch.began_at,
        switch.to.as_str(),
        problem
    )
    .execute(conn)
    .await?;
    Ok(aborted.rows_affected() > 0)
}

/// Writes that the subscriptions of an aborted switch are deleted, if it is still the same.
///
/// # Errors
/// If the database fails.
pub async fn record_deleted(conn: &mut PgConnection, switch: &Switch) -> sqlx::Result<()> {
    sqlx::query!(
        "update transport_switch set to_delete = '{}', gone_at = clock_timestamp()
        where channel_id = $1 and state = $2 and began_at = $3",
        switch.channel_id.as_str(),
        switch.state.as_ref(),
        switch.began_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the switches that ended so long ago that no echo can come any more. Of an aborted one the row stays, for `/status`.
///
/// # Errors
/// If the database fails.
pub async fn remove_ended(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "with ended as (
            delete from transport_switch
            where state = 'done' and since < clock_timestamp() - interval '10 minutes' returning channel_id
        )
        delete from transport_switch_message where channel_id in (
            select channel_id from transport_switch
            where state = 'aborted' and to_delete = '{}' and since < clock_timestamp() - interval '10 minutes'
        )"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a comparison that began then has tried to create what switches need.
///
/// # Errors
/// If the database fails.
pub async fn were_compared_at(conn: &mut PgConnection, at: OffsetDateTime) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select not exists (
            select from transport_switch where state = 'opening' or (state = 'creating' and since >= $1)
        ) as "were_compared!""#,
        at
    )
    .fetch_one(conn)
    .await
}

/// The channels with a switch that have no webhooks now: what still delivers to the callback is left over.
///
/// # Errors
/// If the database fails.
pub async fn without_webhooks(conn: &mut PgConnection, default: TransportKind) -> sqlx::Result<Vec<ChannelId>> {
    sqlx::query_scalar!(
        r#"select channel_id as "channel_id: ChannelId" from transport_switch
        where channel_id not in (select channel_id from channel_transport where coalesce(transport, $1) = 'webhook')"#,
        default.as_str()
    )
    .fetch_all(conn)
    .await
}
