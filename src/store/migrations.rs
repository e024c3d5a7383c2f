//! Applying and reverting the migrations.

use std::collections::HashMap;

use sqlx::migrate::{Migrate as _, MigrateError};
use sqlx::{Connection as _, PgConnection};

use super::MIGRATOR;

/// A migration, and whether this database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// Its name, in words.
    pub description: String,
    /// Whether it is applied.
    pub is_applied: bool,
}

/// Applies what is missing, under a lock that keeps out other servers that start at once.
///
/// # Errors
/// If a migration fails, or the database has one that this program doesn't know.
pub async fn up(conn: &mut PgConnection) -> Result<(), MigrateError> {
    quieten(conn).await?;
    // `run`, whose generic `Acquire` no spawned task can prove, does just this.
    MIGRATOR.run_direct(None, conn, false).await
}

/// Reverts the newest applied migration, and says which that was.
///
/// # Errors
/// If reverting fails.
pub async fn down(conn: &mut PgConnection) -> Result<Option<Migration>, MigrateError> {
    let applied: Vec<_> = status(conn).await?.into_iter().filter(|migration| migration.is_applied).collect();
    let Some(newest) = applied.last().cloned() else { return Ok(None) };
    let target = applied.iter().rev().nth(1).map_or(0, |migration| migration.version);
    quieten(conn).await?;
    MIGRATOR.undo(conn, target).await?;
    Ok(Some(newest))
}

/// Keeps Postgres from giving notice, each time, that sqlx's table is there already.
async fn quieten(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query_scalar!("select set_config('client_min_messages', 'warning', false)").fetch_one(conn).await.map(drop)
}

/// All migrations, oldest first, including those that only the database has. Changes nothing.
///
/// # Errors
/// If the database fails.
pub async fn status(conn: &mut PgConnection) -> Result<Vec<Migration>, MigrateError> {
    let table = "_sqlx_migrations";
    conn.ping().await?;
    let is_there = sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "is_there!""#)
        .fetch_one(&mut *conn);
    let applied = if is_there.await? { conn.list_applied_migrations(table).await? } else { Vec::new() };
    let mut applied: HashMap<i64, ()> = applied.into_iter().map(|migration| (migration.version, ())).collect();
    let mut all: Vec<Migration> = MIGRATOR
        .iter()
        .filter(|migration| migration.migration_type.is_up_migration())
        .map(|migration| Migration {
            version: migration.version,
            description: migration.description.to_string(),
            is_applied: applied.remove(&migration.version).is_some(),
        })
        .collect();
    all.extend(applied.into_keys().map(|version| Migration {
        version,
        description: "unknown to this program".to_owned(),
        is_applied: true,
    }));
    all.sort_unstable_by_key(|migration| migration.version);
    Ok(all)
}
