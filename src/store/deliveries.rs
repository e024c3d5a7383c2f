//! Table `delivery`: events that a webhook failed to deliver while others passed.
//!
//! The server that holds the sink's lease writes it; what it writes after the lease was taken over is dropped.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::followers;
use super::sinks::SinkDefinition;
use super::{LogId, Order};

/// An event that was not delivered.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event.
    pub event_id: LogId,
    /// Its type; `None` if the log no longer has it.
    pub kind: Option<String>,
    /// Attempts so far.
    pub attempts: i32,
    /// When it is tried again; `None` if it is out of attempts.
    pub next_at: Option<OffsetDateTime>,
    /// The status of the last answer; `None` if there was none.
    pub last_status: Option<i32>,
    /// What was wrong with the last attempt.
    pub problem: String,
}

/// An event to try again.
#[derive(Clone, Copy, Debug)]
pub struct DueDelivery {
    /// The event.
    pub event_id: LogId,
    /// Attempts so far.
    pub attempts: i32,
}

/// What a sink has not delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DeliverySummary {
    /// Events that are tried again.
    pub pending: i64,
    /// Events that are out of attempts.
    pub failed: i64,
    /// Seconds until the next attempt, negative if it is due; `None` if there is none.
    pub due_in: Option<f64>,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedAttempt<'a> {
    /// Attempts so far.
    pub attempts: i32,
    /// The pause before the next one; `None` if there is none.
    pub next_in: Option<Duration>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What was wrong.
    pub problem: &'a str,
}

/// Sets an event aside that failed, moves the cursor behind it, and renews the lease. False if the lease was taken over
/// since this epoch: then nothing is written.
///
/// # Errors
/// If the database fails.
pub async fn set_aside(
    conn: &mut PgConnection,
    sink: &SinkDefinition,
    epoch: i64,
    event: (LogId, OffsetDateTime),
    attempt: FailedAttempt<'_>,
    lease: Duration,
) -> sqlx::Result<bool> {
    let mut transaction = conn.begin().await?;
    if !followers::save(&mut transaction, &sink.follower, epoch, Some(event), lease).await? {
        return Ok(false);
    }
    sqlx::query!(
        "insert into delivery (sink_id, event_id, attempts, next_at, last_status, problem)
        values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5, $6)
        on conflict (sink_id, event_id) do update set attempts = excluded.attempts, next_at = excluded.next_at,
            last_status = excluded.last_status, problem = excluded.problem",
        sink.id,
        event.0.0,
        attempt.attempts,
        attempt.next_in.map(|pause| pause.as_secs_f64()),
        attempt.status.map(i32::from),
        attempt.problem
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// The event that is to be tried next, or `None`; with `is_due` only if its time has come.
///
/// # Errors
/// If the database fails.
pub async fn next(db: impl PgExecutor<'_>, sink_id: i64, is_due: bool) -> sqlx::Result<Option<DueDelivery>> {
    sqlx::query_as!(
        DueDelivery,
        r#"select event_id as "event_id: LogId", attempts from delivery
        where sink_id = $1 and next_at <= case when $2 then clock_timestamp() else 'infinity' end
        order by next_at, event_id limit 1"#,
        sink_id,
        is_due
    )
    .fetch_optional(db)
    .await
}

/// Records that an event was tried again and failed.
///
/// # Errors
/// If the database fails.
pub async fn record_failure(
    conn: &mut PgConnection,
    sink: &SinkDefinition,
    epoch: i64,
    event: LogId,
    attempt: FailedAttempt<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update delivery set attempts = $4, next_at = clock_timestamp() + make_interval(secs => $5), last_status = $6, problem = $7
        from follower where sink_id = $1 and event_id = $3 and follower.name = $2 and follower.epoch = $8",
        sink.id,
        sink.follower,
        event.0,
        attempt.attempts,
        attempt.next_in.map(|pause| pause.as_secs_f64()),
        attempt.status.map(i32::from),
        attempt.problem,
        epoch
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the row of an event that was delivered, or is no longer to be.
///
/// # Errors
/// If the database fails.
pub async fn settle(db: impl PgExecutor<'_>, sink_id: i64, event: LogId) -> sqlx::Result<()> {
    sqlx::query!("delete from delivery where sink_id = $1 and event_id = $2", sink_id, event.0).execute(db).await?;
    Ok(())
}

/// What a sink has not delivered.
///
/// # Errors
/// If the database fails.
pub async fn summary(db: impl PgExecutor<'_>, sink_id: i64) -> sqlx::Result<DeliverySummary> {
    sqlx::query_as!(
        DeliverySummary,
        r#"select count(next_at) as "pending!", count(*) - count(next_at) as "failed!",
            extract(epoch from min(next_at) - clock_timestamp())::float8 as due_in
        from delivery where sink_id = $1"#,
        sink_id
    )
    .fetch_one(db)
    .await
}

/// The events that a sink has not delivered, in this order, behind `after`.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    sink_id: i64,
    order: Order,
    after: Option<LogId>,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    macro_rules! page {
        ($behind:tt, $start:tt, $direction:tt) => {
            sqlx::query_as!(
                Delivery,
                r#"select event_id as "event_id: LogId", event.type as "kind?", attempts, next_at, last_status, problem
                from delivery left join event on event.id = event_id
                where sink_id = $1 and event_id "#
                    + $behind
                    + " coalesce($2, "
                    + $start
                    + r#")
                order by event_id "#
                    + $direction
                    + " limit $3",
                sink_id,
                after.map(|after| after.0),
                limit
            )
            .fetch_all(db)
            .await
        };
    }
    match order {
        Order::Asc => page!(">", "0::bigint", "asc"),
        Order::Desc => page!("<", "9223372036854775807", "desc"),
    }
}

/// Lets an event be sent again at once, with all its attempts; without one, all that are out of attempts. Returns how many.
///
/// # Errors
/// If the database fails.
pub async fn resend(db: impl PgExecutor<'_>, sink_id: i64, event: Option<LogId>) -> sqlx::Result<u64> {
    let resent = sqlx::query!(
        "update delivery set attempts = 0, next_at = clock_timestamp()
        where sink_id = $1 and (event_id = $2 or $2::bigint is null and next_at is null)",
        sink_id,
        event as Option<LogId>
    );
    Ok(resent.execute(db).await?.rows_affected())
}

/// Removes the row of an event that is out of attempts; without one, all such rows. Returns how many.
///
/// # Errors
/// If the database fails.
pub async fn dismiss(db: impl PgExecutor<'_>, sink_id: i64, event: Option<LogId>) -> sqlx::Result<u64> {
    let dismissed = sqlx::query!(
        "delete from delivery where sink_id = $1 and next_at is null and event_id = coalesce($2, event_id)",
        sink_id,
        event as Option<LogId>
    );
    Ok(dismissed.execute(db).await?.rows_affected())
}

/// Removes the rows of the events behind the cursor of a sink, which are sent in their turn.
///
/// # Errors
/// If the database fails.
pub async fn remove_behind_cursor(db: impl PgExecutor<'_>, sink: &SinkDefinition) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from delivery using follower where sink_id = $1 and follower.name = $2 and event_id > cursor",
        sink.id,
        sink.follower
    )
    .execute(db)
    .await?;
    Ok(())
}
