//! Applying and reverting the migrations.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::migrate::{Migrate as _, MigrateError};
use sqlx::{Connection as _, PgConnection};

use super::{MIGRATOR, databases};
use crate::program::Program;

/// A migration, and whether this database has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
        database (`{server} local-db reset --force` deletes the private one)",
        server = Program::Server
    )]
    OtherVersion(MigrateError),
    /// The database can't store every text.
    #[error(
        "its encoding is {encoding}, in which not every text can be stored: make one with `create database {database} \
        encoding 'UTF8' template template0`"
    )]
    Encoding {
        /// The encoding that is not UTF8.
        encoding: String,
        /// The name of the database.
        database: String,
    },
    /// The user may not migrate a database that lacks nothing.
    #[error("{0}: it has all migrations, but {user} may not apply any: set SHOWTIME_MIGRATE=false", user = .1)]
    NothingToDo(MigrateError, String),
    /// The user may not create what the migrations create.
    #[error(
        "{error}: make {user} the owner of the database (`alter database {database} owner to {user}`), or let it create \
        tables (`grant create on schema public to {user}`); if another user applies the migrations (`{server} migrate \
        up`), set SHOWTIME_MIGRATE=false",
        server = Program::Server
    )]
    Forbidden {
        /// What the database refuses.
        error: MigrateError,
        /// The user, as SQL spells it.
        user: String,
        /// The database, as SQL spells it.
        database: String,
    },
    /// The database failed.
    #[error(transparent)]
    Failed(#[from] MigrateError),
}

fn database_error(error: &MigrateError) -> Option<&sqlx::Error> {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Some(error),
        _ => None,
    }
}

/// Applies the missing migrations, under a lock that keeps out other servers that start at the same time.
///
/// # Errors
/// If a migration fails, or the database has one that this program does not have, or has in a different form.
pub async fn up(conn: &mut PgConnection) -> Result<(), MigrationError> {
    silence_notices(conn).await.map_err(MigrateError::from)?;
    let encoding = databases::encoding(conn).await.map_err(MigrateError::from)?;
    if encoding != "UTF8" {
        let (_, database) = databases::names(conn).await.map_err(MigrateError::from)?;
        return Err(MigrationError::Encoding { encoding, database });
    }
    // The same as `run`, whose generic `Acquire` can't be proved `Send` in a spawned task.
    match MIGRATOR.run_direct(None, conn, false).await {
        Ok(()) => Ok(()),
        Err(error @ (MigrateError::VersionMismatch(_) | MigrateError::VersionMissing(_))) => {
            Err(MigrationError::OtherVersion(error))
        }
        Err(error) if is_forbidden(&error) => Err(forbidden(conn, error).await),
        Err(error) => Err(MigrationError::Failed(error)),
    }
}

/// Whether the user lacks a right.
fn is_forbidden(error: &MigrateError) -> bool {
    let code = database_error(error).and_then(sqlx::Error::as_database_error).and_then(|error| error.code());
    code.as_deref() == Some("42501")
}

/// What to do about a right that the user lacks.
async fn forbidden(conn: &mut PgConnection, error: MigrateError) -> MigrationError {
    let Ok((user, database)) = databases::names(conn).await else { return MigrationError::Failed(error) };
    match status(conn).await.is_ok_and(|all| all.iter().all(|migration| migration.is_applied)) {
        true => MigrationError::NothingToDo(error, user),
        false => MigrationError::Forbidden { error, user, database },
    }
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

/// Reverts all migrations, so that nothing of this program is left in the database.
///
/// # Errors
/// If reverting fails, or the database was migrated by another version of this program.
pub async fn revert_all(conn: &mut PgConnection) -> Result<(), MigrationError> {
    if !has_table(conn).await.map_err(MigrateError::from)? {
        return Ok(());
    }
    silence_notices(conn).await.map_err(MigrateError::from)?;
    match MIGRATOR.undo(&mut *conn, 0).await {
        Err(error @ (MigrateError::VersionMismatch(_) | MigrateError::VersionMissing(_))) => {
            Err(MigrationError::OtherVersion(error))
        }
        undone => Ok(undone.and(databases::remove_migrations_table(conn).await.map_err(MigrateError::from))?),
    }
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
