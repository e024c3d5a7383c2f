//! Tables `log_epoch` and `log_gap`: ids that are no cursors any more.
//!
//! A database that was restored from a backup lacks its newest events. Their ids would be given to others, and a reader that
//! knows them would miss those. So the log goes on far above: an *epoch* begins, and the ids between are recorded.

use sqlx::PgConnection;

use super::LogId;
use super::locks::Lock;

/// An epoch begins at the number of seconds since 1970 times this. No log gains a million events a second, so it begins above
/// all ids that were ever used, also those of which the restored database knows nothing; and until 2242 below 2⁵³, up to which
/// JavaScript counts exactly.
const IDS_PER_SECOND: i64 = 1 << 20;

/// Begins a new epoch, in a transaction of its own. To be called after a restore, before any server runs.
///
/// # Errors
/// If the database fails.
pub async fn begin(conn: &mut PgConnection) -> sqlx::Result<LogId> {
    let mut transaction = Lock::Append.begin(conn).await?;
    let first = begin_in(&mut transaction).await?;
    record_identity(&mut transaction).await?;
    transaction.commit().await?;
    Ok(first)
}

/// Begins a new epoch if the database or the log's table is another one than at the last start, as after `pg_restore`. Returns
/// the first id of the new epoch.
///
/// # Errors
/// If the database fails.
pub async fn check(conn: &mut PgConnection) -> sqlx::Result<Option<LogId>> {
    let current = identity(conn).await?;
    // Without the lock at first: a rebuild may hold it for minutes.
    if known_identity(conn).await?.is_some_and(|known| known == current) {
        return Ok(None);
    }
    let mut transaction = Lock::Append.begin(conn).await?;
    let first = match known_identity(&mut transaction).await? {
        Some(known) if known != current => Some(begin_in(&mut transaction).await?),
        _ => None,
    };
    record_identity(&mut transaction).await?;
    transaction.commit().await?;
    Ok(first)
}

async fn begin_in(conn: &mut PgConnection) -> sqlx::Result<LogId> {
    let first = sqlx::query_scalar!(
        r#"with gap as (
            insert into log_gap (first_id, last_id)
            select newest + 1, greatest(newest, used, (select max(last_id) from log_gap),
                extract(epoch from clock_timestamp())::bigint * $1)
            from (select coalesce(max(id), 0) as newest,
                pg_sequence_last_value(pg_get_serial_sequence('event', 'id')::regclass) as used from event) as log
            on conflict (first_id) do update set last_id = excluded.last_id
            returning last_id + 1 as first_id
        ), epoch as (
            update log_epoch set epoch = epoch + 1
        )
        select setval(pg_get_serial_sequence('event', 'id'), first_id, false) as "first!: LogId" from gap"#,
        IDS_PER_SECOND
    )
    .fetch_one(conn)
    .await?;
    Ok(first)
}

async fn record_identity(conn: &mut PgConnection) -> sqlx::Result<()> {
    let identity = identity(conn).await?;
    sqlx::query!(
        "insert into log_epoch (identity) values ($1) on conflict (is_only) do update set identity = excluded.identity",
        identity
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn known_identity(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let row = sqlx::query_scalar!("select identity from log_epoch").fetch_optional(conn).await?;
    Ok(row.flatten())
}

/// The cluster, its timeline, the database and the table: a restore of any kind changes one of them. So does the promotion of
/// a standby, where a new epoch does no harm.
async fn identity(conn: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar!(
        r#"select concat_ws('/', system_identifier, timeline_id, pg_database.oid, 'event'::regclass::oid) as "identity!"
        from pg_control_system(), pg_control_checkpoint(), pg_database where datname = current_database()"#
    )
    .fetch_one(conn)
    .await
}
