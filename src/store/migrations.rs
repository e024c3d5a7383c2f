//! Applying and reverting the migrations.

use std::collections::HashSet;

use sqlx::migrate::{Migrate as _, MigrateError};
use sqlx::{Connection as _, PgConnection};

use super::MIGRATOR;
use crate::program::Program;

/// A migration, and whether this database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The number that its file name begins with.
    pub version: i64,
    /// The words of its file name.
    pub description: String,
    /// Whether the database has it.
    pub is_applied: bool,
}

/// Why the database can't be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database was migrated by a program with other migrations.
    #[error(
        "{0}: the database belongs to another version of this program. Use that version, or start over with an empty \
        database (`{server} local-db reset` deletes the private one)",
        server = Program::Server
    )]
    OtherVersion(MigrateError),
    /// The database failed.
    #[error(transparent)]
    Failed(#[from] MigrateError),
}

/// Applies the missing migrations, under a lock that keeps out other servers that start at the same time.
///
/// # Errors
/// If a migration fails, or the database has one that this program does not have, or has in a different form.
pub async fn up(conn: &mut PgConnection) -> Result<(), MigrationError> {
    silence_notices(conn).await.map_err(MigrateError::from)?;
    // The same as `run`, whose generic `Acquire` can't be proved `Send` in a spawned task.
    MIGRATOR.run_direct(None, conn, false).await.map_err(|error| match error {
        MigrateError::VersionMismatch(_) | MigrateError::VersionMissing(_) => MigrationError::OtherVersion(error),
        error => MigrationError::Failed(error),
    })
}

/// Reverts the newest applied migration and returns it; `None` if there is none.
///
/// # Errors
/// If reverting fails.
pub async fn down(conn: &mut PgConnection) -> Result<Option<Migration>, MigrateError> {
    let applied: Vec<_> = status(conn).await?.into_iter().filter(|migration| migration.is_applied).collect();
    let Some(newest) = applied.last().cloned() else { return Ok(None) };
    let target = applied.iter().rev().nth(1).map_or(0, |migration| migration.version);
    silence_notices(conn).await?;
    MIGRATOR.undo(conn, target).await?;
    Ok(Some(newest))
}

/// Suppresses Postgres's notice that sqlx's table already exists.
async fn silence_notices(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query_scalar!("select set_config('client_min_messages', 'warning', false)").fetch_one(conn).await.map(drop)
}

/// Lists all migrations, oldest first, including those that only the database has. Changes nothing.
///
/// # Errors
/// If the database fails.
pub async fn status(conn: &mut PgConnection) -> Result<Vec<Migration>, MigrateError> {
    conn.ping().await?;
    let applied =
        if has_table(conn).await? { conn.list_applied_migrations("_sqlx_migrations").await? } else { Vec::new() };
    let mut applied: HashSet<i64> = applied.into_iter().map(|migration| migration.version).collect();
    let mut all: Vec<Migration> = MIGRATOR
        .iter()
        .filter(|migration| migration.migration_type.is_up_migration())
        .map(|migration| Migration {
            version: migration.version,
            description: migration.description.to_string(),
            is_applied: applied.remove(&migration.version),
        })
        .collect();
    all.extend(applied.into_iter().map(|version| Migration {
        version,
        description: "unknown to this program".to_owned(),
        is_applied: true,
    }));
    all.sort_unstable_by_key(|migration| migration.version);
    Ok(all)
}

/// Whether sqlx's table of applied migrations exists.
pub(super) async fn has_table(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "exists!""#).fetch_one(conn).await
}
