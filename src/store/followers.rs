//! Table `follower`: how far each follower of the log has got, and which server runs it.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::LogId;

/// Where a follower starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// After the newest event.
    Now,
    /// After the event with this id.
    After(LogId),
}

impl Start {
    fn id(self) -> Option<LogId> {
        match self {
            Self::Now => None,
            Self::After(id) => Some(id),
        }
    }
}

/// An attempt to become the holder.
#[derive(Clone, Copy, Debug)]
pub enum Lease {
    /// This server holds it now, in this epoch.
    Taken(i64),
    /// Another server holds it for so long, unless it renews it.
    HeldFor(Duration),
}

/// How far a follower has got.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The id of the last event handled.
    pub cursor: LogId,
    /// Whether the log still has what is behind it.
    pub is_reachable: bool,
}

/// What a follower has to handle next.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// The id of the last event that is saved as handled.
    pub cursor: LogId,
    /// Whether the log still has what is behind it.
    pub is_reachable: bool,
    /// The id of the last event before these.
    pub after: LogId,
    /// The id of the last of these; `None` if there are none.
    pub last: Option<LogId>,
    /// When that one was received.
    pub received_at: Option<OffsetDateTime>,
    /// When the first of these was received.
    pub received_since: Option<OffsetDateTime>,
    /// Whether the log has no more.
    pub is_all: bool,
}

/// A follower as `/status` and `/metrics` show it.
#[derive(Clone, Debug)]
pub struct FollowerState {
    /// Unique.
    pub name: String,
    /// The id of the last event handled.
    pub cursor: LogId,
    /// Whether the log still has what is behind the cursor. If not, the follower has stopped.
    pub is_reachable: bool,
    /// Whether a server runs it.
    pub is_leased: bool,
    /// Ids between the cursor and the end of the log, no fewer than the events.
    pub events_behind: i64,
    /// The age of the oldest event that is not handled, in seconds.
    pub seconds_behind: f64,
    /// Why the last batch failed; `None` after one that succeeded.
    pub last_error: Option<String>,
    /// When the first batch failed of those that failed in a row.
    pub failing_since: Option<OffsetDateTime>,
}

/// Adds the follower, unless there is one of this name. Its epochs begin after this one.
///
/// # Errors
/// If the database fails.
pub async fn add(conn: &mut PgConnection, name: &str, start: Start, epoch: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into follower (name, cursor, received_at, epoch)
        select $1, start.id, event.received_at, $3
        from (select coalesce($2, (select max(id) from event), 0) as id) start left join event on event.id = start.id
        on conflict do nothing",
        name,
        start.id() as Option<LogId>,
        epoch
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds the follower if it is new, and takes its lease if that is free.
///
/// # Errors
/// If the database fails.
pub async fn lease(conn: &mut PgConnection, name: &str, start: Start, lease: Duration) -> sqlx::Result<Lease> {
    add(&mut *conn, name, start, 0).await?;
    try_lease(conn, name, lease).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Takes the lease of a follower if it is free; `None` if there is no such follower.
///
/// # Errors
/// If the database fails.
pub async fn try_lease(conn: &mut PgConnection, name: &str, lease: Duration) -> sqlx::Result<Option<Lease>> {
    let row = sqlx::query!(
        r#"with taken as (
            update follower set epoch = epoch + 1, leased_until = clock_timestamp() + make_interval(secs => $2)
            where name = $1 and leased_until <= clock_timestamp() returning epoch
        )
        select (select epoch from taken) as epoch,
            greatest(extract(epoch from leased_until - clock_timestamp()), 0)::float8 as "held_for!"
        from follower where name = $1"#,
        name,
        lease.as_secs_f64()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| row.epoch.map_or_else(|| Lease::HeldFor(Duration::from_secs_f64(row.held_for)), Lease::Taken)))
}

/// How far the follower has got; `None` if the lease was taken over since this epoch.
///
/// # Errors
/// If the database fails.
pub async fn position(conn: &mut PgConnection, name: &str, epoch: i64) -> sqlx::Result<Option<Position>> {
    sqlx::query_as!(
        Position,
        r#"select cursor as "cursor!: LogId", is_reachable as "is_reachable!" from follower_state
        where name = $1 and epoch = $2"#,
        name,
        epoch
    )
    .fetch_optional(conn)
    .await
}

/// The events behind the cursor and behind `read_to`, at most `limit`; `None` if the lease was taken over since this epoch.
///
/// # Errors
/// If the database fails.
pub async fn next(
    conn: &mut PgConnection,
    name: &str,
    epoch: i64,
    read_to: LogId,
    limit: i64,
) -> sqlx::Result<Option<Next>> {
    // Ids nearly follow each other, so they are counted instead of the events, unless a range of them was left out.
    sqlx::query_as!(
        Next,
        r#"select cursor as "cursor!: LogId", is_reachable as "is_reachable!", after as "after!: LogId",
            newest.id as "last?: LogId", newest.received_at as "received_at?", oldest.received_at as "received_since?",
            coalesce(newest.id = (select max(id) from event), true) as "is_all!"
        from follower_state
        cross join lateral (select greatest(cursor, $3) as after) place
        left join lateral (select id, received_at from event where id > after order by id limit 1) oldest on true
        left join lateral (
            select id, received_at from event where id > after and id <= greatest(oldest.id, after + $4)
            order by id desc limit 1
        ) newest on true
        where name = $1 and epoch = $2"#,
        name,
        epoch,
        read_to.0,
        limit
    )
    .fetch_optional(conn)
    .await
}

/// Saves that everything up to the event `last` (its id, and when it was received) was handled, and renews the lease.
/// False if the lease was taken over since this epoch: then the transaction must not be committed.
///
/// # Errors
/// If the database fails.
pub async fn save(
    conn: &mut PgConnection,
    name: &str,
    epoch: i64,
    last: Option<(LogId, OffsetDateTime)>,
    lease: Duration,
) -> sqlx::Result<bool> {
    let (cursor, received_at) = last.unzip();
    let saved = sqlx::query!(
        "update follower set cursor = coalesce($3, cursor), received_at = coalesce($4, received_at),
            leased_until = clock_timestamp() + make_interval(secs => $5), last_error = null, failing_since = null
        where name = $1 and epoch = $2",
        name,
        epoch,
        cursor as Option<LogId>,
        received_at,
        lease.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(saved.rows_affected() > 0)
}

/// Ends the lease, unless it was taken over since this epoch.
///
/// # Errors
/// If the database fails.
pub async fn release(conn: &mut PgConnection, name: &str, epoch: i64) -> sqlx::Result<()> {
    let released = sqlx::query!(
        "update follower set leased_until = clock_timestamp() where name = $1 and epoch = $2",
        name,
        epoch
    );
    released.execute(conn).await?;
    Ok(())
}

/// Records why a batch failed, and renews the lease. False if the lease was taken over since this epoch.
///
/// # Errors
/// If the database fails.
pub async fn record_failure(
    conn: &mut PgConnection,
    name: &str,
    epoch: i64,
    error: &str,
    lease: Duration,
) -> sqlx::Result<bool> {
    let recorded = sqlx::query!(
        "update follower set last_error = $3, failing_since = coalesce(failing_since, clock_timestamp()),
            leased_until = clock_timestamp() + make_interval(secs => $4)
        where name = $1 and epoch = $2",
        name,
        epoch,
        error,
        lease.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(recorded.rows_affected() > 0)
}

/// Moves the follower to another place of the log, also one that has stopped. A batch under way is not saved. False if
/// there is no such follower.
///
/// # Errors
/// If the database fails.
pub async fn rewind(conn: &mut PgConnection, name: &str, start: Start) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "update follower set cursor = start.id, received_at = event.received_at, epoch = epoch + 1,
            leased_until = clock_timestamp(), last_error = null, failing_since = null
        from (select coalesce($2, (select max(id) from event), 0) as id) start left join event on event.id = start.id
        where name = $1",
        name,
        start.id() as Option<LogId>
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() > 0)
}

/// Removes the follower.
///
/// # Errors
/// If the database fails.
pub async fn remove(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query!("delete from follower where name = $1", name).execute(conn).await?;
    Ok(())
}

/// All followers that ever started, by name, but for those of sinks.
///
/// # Errors
/// If the database fails.
pub async fn states(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<FollowerState>> {
    sqlx::query_as!(
        FollowerState,
        r#"select name as "name!", cursor as "cursor!: LogId", is_reachable as "is_reachable!", is_leased as "is_leased!",
            events_behind as "events_behind!", seconds_behind as "seconds_behind!",
            last_error, failing_since
        from follower_state where not exists (select from sink where sink.follower = follower_state.name) order by name"#
    )
    .fetch_all(db)
    .await
}
