//! The table `outage`: when parts of servers did not work.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

/// An outage that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of outage, which db/migrations describes")]
pub struct OutageRow {
    pub part: String,
    pub began_at: OffsetDateTime,
    pub ended_at: OffsetDateTime,
    pub cause: String,
}

/// Records an outage, and deletes those that ended 30 days before it did.
///
/// # Errors
/// If the database fails.
pub async fn record(conn: &mut PgConnection, outage: &OutageRow) -> sqlx::Result<()> {
    sqlx::query!(
        "with old as (delete from outage where ended_at < $3::timestamptz - interval '30 days')
        insert into outage (part, began_at, ended_at, cause) values ($1, $2, $3, $4)",
        outage.part,
        outage.began_at,
        outage.ended_at,
        outage.cause
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that no server ran since the last heartbeat, if that is longer ago than the time of a lease and no other server has just
/// recorded it, and deletes outages that ended 30 days ago. To be called before the first heartbeat of a server. Heartbeats do not
/// survive a crash of the database, and then nothing is recorded. A server that starts right after an outage of the database may
/// record an absence although another ran, which could not write its heartbeats.
///
/// # Errors
/// If the database fails.
pub async fn record_absence(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "with old as (delete from outage where ended_at < now() - interval '30 days')
        insert into outage (part, began_at, ended_at, cause)
        select 'server', max(beat_at), now(), 'no server ran' from server
        having max(beat_at) <= now() - interval '15 seconds'
            and not exists (select from outage where part = 'server' and ended_at > now() - interval '15 seconds')"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The outages that ended since this time, the last to end first.
///
/// # Errors
/// If the database fails.
pub async fn since(db: impl PgExecutor<'_>, since: OffsetDateTime, limit: i64) -> sqlx::Result<Vec<OutageRow>> {
    sqlx::query_as!(
        OutageRow,
        "select part, began_at, ended_at, cause from outage where ended_at >= $1 order by ended_at desc, id desc limit $2",
        since,
        limit
    )
    .fetch_all(db)
    .await
}
