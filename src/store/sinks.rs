//! Table `sink`: the programs that get every event, and how each of them does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, PgExecutor};
use strum::IntoStaticStr;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::LogId;
use super::followers::{self, Start};

/// The state of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum SinkStatus {
    /// Events arrive.
    Ok,
    /// They do not, and are tried again.
    Waiting,
    /// The receiver takes none for now.
    Blocked,
    /// It is paused, or runs on no server.
    Off,
}

/// How events leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoStaticStr, Deserialize, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum SinkKind {
    /// Published to RabbitMQ.
    #[default]
    Amqp,
    /// Sent in signed requests.
    Webhook,
}

/// What a sink is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkDefinition {
    /// Of its row.
    pub id: i64,
    /// How events leave.
    pub kind: SinkKind,
    /// Unique.
    pub name: String,
    /// The name of its follower.
    pub follower: String,
    /// What its kind requires.
    pub settings: Value,
    /// Its secret, encrypted: the broker's URL, or the URL and keys of a webhook.
    pub secret_sealed: Option<Vec<u8>>,
    /// Patterns of the types; `None` for all.
    pub types: Option<Vec<String>>,
    /// Ids or logins; `None` for all.
    pub channels: Option<Vec<String>>,
    /// Whether it is paused.
    pub is_paused: bool,
}

impl SinkDefinition {
    /// Whether a lease of this epoch is this sink's, and not that of a later one with the same name.
    #[must_use]
    pub fn owns(&self, epoch: i64) -> bool {
        epoch >> EPOCHS <= self.id
    }
}

/// A sink as `/status`, `/sinks` and `/metrics` show it.
#[derive(Clone, Debug)]
pub struct SinkState {
    /// Unique.
    pub name: String,
    /// How events leave.
    pub kind: SinkKind,
    /// How it does, as the server that runs it saw it.
    pub status: SinkStatus,
    /// What is wrong, and what to do.
    pub problem: Option<String>,
    /// Since when something is wrong.
    pub failing_since: Option<OffsetDateTime>,
    /// Messages that the broker dropped, since no queue was bound.
    pub dropped: i64,
    /// The last event that has arrived.
    pub cursor: LogId,
    /// Whether the log still has what is behind the cursor.
    pub is_reachable: bool,
    /// Whether a server runs it.
    pub is_leased: bool,
    /// Events behind the cursor, at most.
    pub events_behind: i64,
    /// The age of the oldest of them.
    pub seconds_behind: f64,
    /// What its kind requires.
    pub settings: Value,
    /// Patterns of the types; `None` for all.
    pub types: Option<Vec<String>>,
    /// Ids or logins; `None` for all.
    pub channels: Option<Vec<String>>,
}

/// All sinks, by name.
///
/// # Errors
/// If the database fails.
pub async fn definitions(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<SinkDefinition>> {
    sqlx::query_as!(
        SinkDefinition,
        r#"select id, kind as "kind: SinkKind", name, follower as "follower!", settings, secret_sealed, types, channels, state = 'off' as "is_paused!"
        from sink order by name"#
    )
    .fetch_all(db)
    .await
}

/// How all sinks do, by name.
///
/// # Errors
/// If the database fails.
pub async fn states(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<SinkState>> {
    sqlx::query_as!(
        SinkState,
        r#"select sink.name, kind as "kind: SinkKind", state as "status: SinkStatus", problem, sink.failing_since, dropped,
            cursor as "cursor!: LogId", is_reachable as "is_reachable!", is_leased as "is_leased!",
            events_behind as "events_behind!", seconds_behind as "seconds_behind!", settings, types, channels
        from sink join follower_state on follower_state.name = sink.follower order by sink.name"#
    )
    .fetch_all(db)
    .await
}

/// Bits of an epoch that count; those above are the sink's id, so that no two sinks have an epoch in common.
const EPOCHS: u32 = 32;

/// A sink to add.
#[derive(Debug)]
pub struct NewSink<'a> {
    /// How events leave.
    pub kind: SinkKind,
    /// Unique.
    pub name: &'a str,
    /// What its kind requires.
    pub settings: &'a Value,
    /// Its secret, encrypted: the broker's URL, or the URL and keys of a webhook.
    pub secret_sealed: Option<&'a [u8]>,
    /// Patterns of the types; `None` for all.
    pub types: Option<&'a [String]>,
    /// Ids or logins; `None` for all.
    pub channels: Option<&'a [String]>,
}

/// Adds a sink that starts there. False if there is one of this name.
///
/// # Errors
/// If the database fails.
pub async fn insert(conn: &mut PgConnection, sink: &NewSink<'_>, start: Start) -> sqlx::Result<bool> {
    let mut transaction = conn.begin().await?;
    let kind: &str = sink.kind.into();
    let added = sqlx::query!(
        r#"insert into sink (kind, name, settings, secret_sealed, types, channels) values ($1, $2, $3, $4, $5, $6)
        on conflict (name) do nothing returning id, follower as "follower!""#,
        kind,
        sink.name,
        sink.settings,
        sink.secret_sealed,
        sink.types,
        sink.channels
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(added) = added else { return Ok(false) };
    // A server that still runs another sink, which had this name, must not save here.
    followers::add(&mut transaction, &added.follower, start, added.id << EPOCHS).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Keeps others from changing the sink of this name, if there is one, until the transaction ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query!("select from sink where name = $1 for update", name).execute(conn).await?;
    Ok(())
}

/// Replaces what a sink is to do. The server that runs it starts it again, at its cursor. False if it is not there any more.
///
/// # Errors
/// If the database fails.
pub async fn update(conn: &mut PgConnection, sink: &SinkDefinition) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        "update sink set settings = $2, secret_sealed = $3, types = $4, channels = $5 where id = $1",
        sink.id,
        sink.settings,
        sink.secret_sealed,
        sink.types.as_deref(),
        sink.channels.as_deref()
    );
    Ok(updated.execute(conn).await?.rows_affected() > 0)
}

/// Removes a sink and its cursor. False if there is none of this name.
///
/// # Errors
/// If the database fails.
pub async fn remove(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let mut transaction = conn.begin().await?;
    let removed = sqlx::query_scalar!(r#"delete from sink where name = $1 returning follower as "follower!""#, name);
    let Some(follower) = removed.fetch_optional(&mut *transaction).await? else { return Ok(false) };
    followers::remove(&mut transaction, &follower).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Pauses a sink, or lets it go on. False if there is none of this name.
///
/// # Errors
/// If the database fails.
pub async fn pause(conn: &mut PgConnection, name: &str, is_paused: bool) -> sqlx::Result<bool> {
    let changed = sqlx::query!(
        "update sink set state = case when $2 then 'off' when state = 'off' then 'waiting' else state end,
            problem = null, failing_since = null
        where name = $1",
        name,
        is_paused
    );
    Ok(changed.execute(conn).await?.rows_affected() > 0)
}

/// Records how a sink does, and messages that the broker dropped. Does nothing if it is paused, or if the lease was taken
/// over since this epoch.
///
/// # Errors
/// If the database fails.
pub async fn record(
    conn: &mut PgConnection,
    sink: &SinkDefinition,
    epoch: i64,
    status: SinkStatus,
    problem: Option<&str>,
    dropped: i64,
) -> sqlx::Result<()> {
    let status: &str = status.into();
    sqlx::query!(
        "update sink set state = $3, problem = $4, dropped = dropped + $5,
            failing_since = case when $3 = 'ok' then null else coalesce(sink.failing_since, clock_timestamp()) end
        from follower
        where id = $1 and state <> 'off' and follower.name = sink.follower and epoch = $2",
        sink.id,
        epoch,
        status,
        problem,
        dropped
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Switches a sink off, if it has failed for so long, and says why. False if it has not, is off already, or if the lease was
/// taken over since this epoch.
///
/// # Errors
/// If the database fails.
pub async fn switch_off(
    conn: &mut PgConnection,
    sink: &SinkDefinition,
    epoch: i64,
    problem: &str,
    failing_for: Option<Duration>,
) -> sqlx::Result<bool> {
    let switched = sqlx::query!(
        "update sink set state = 'off', problem = $3, failing_since = coalesce(sink.failing_since, clock_timestamp())
        from follower
        where id = $1 and state <> 'off' and follower.name = sink.follower and epoch = $2
            and ($4::float8 is null or sink.failing_since <= clock_timestamp() - make_interval(secs => $4))",
        sink.id,
        epoch,
        problem,
        failing_for.map(|time| time.as_secs_f64())
    );
    Ok(switched.execute(conn).await?.rows_affected() > 0)
}

/// The id of the last event that was received before this time; [`LogId::START`] if there is none.
///
/// # Errors
/// If the database fails.
pub async fn last_before(db: impl PgExecutor<'_>, at: OffsetDateTime) -> sqlx::Result<LogId> {
    let last = sqlx::query_scalar!(
        r#"select id as "id: LogId" from event where received_at < $1 order by received_at desc, id desc limit 1"#,
        at
    );
    Ok(last.fetch_optional(db).await?.unwrap_or(LogId::START))
}
