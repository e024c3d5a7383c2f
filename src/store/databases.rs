//! Databases as such: creation and removal of the private Postgres' database, and what a database is like.
//!
//! These statements are sent as they are, not prepared: a connection pooler may mix up prepared statements, which is what
//! [`shares_sessions`] finds out.

use sqlx::{PgConnection, Row as _};

/// Creates the database `showtime`.
///
/// # Errors
/// If the server refuses.
pub async fn create(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("create database showtime").execute(conn).await.map(drop)
}

/// Removes the database `showtime`, if it exists, and ends all connections to it.
///
/// # Errors
/// If the server refuses.
pub async fn remove(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("drop database if exists showtime with (force)").execute(conn).await.map(drop)
}

/// The encoding of the database, as `UTF8`.
///
/// # Errors
/// If the database fails.
pub async fn encoding(conn: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::raw_sql("show server_encoding").fetch_one(conn).await?.try_get(0)
}

/// The names of the user and of the database, quoted where SQL requires it.
///
/// # Errors
/// If the database fails.
pub async fn names(conn: &mut PgConnection) -> sqlx::Result<(String, String)> {
    let names = "select quote_ident(current_user), quote_ident(current_database())";
    let row = sqlx::raw_sql(names).fetch_one(conn).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Whether two connections share sessions of the database, as they do behind a connection pooler in transaction mode:
/// it lends the session of a connection that is idle to another one.
///
/// # Errors
/// If the database fails.
pub async fn shares_sessions(idle: &mut PgConnection, other: &mut PgConnection) -> sqlx::Result<bool> {
    let own = session(idle, "select pg_backend_pid()").await?;
    // In a transaction, so that it keeps what it was lent.
    let lent = session(other, "begin; select pg_backend_pid()").await?;
    let is_shared = lent == own || session(idle, "select pg_backend_pid()").await? != own;
    sqlx::raw_sql("rollback").execute(other).await?;
    Ok(is_shared)
}

/// The process id of the session on the database's side.
async fn session(conn: &mut PgConnection, statement: &'static str) -> sqlx::Result<i32> {
    sqlx::raw_sql(statement).fetch_one(conn).await?.try_get(0)
}

/// Whether an error says that a connection pooler can't do what sessions need: it refuses settings of the connection, or mixes
/// up prepared statements.
#[must_use]
pub fn is_poolers_fault(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    match error.code().as_deref() {
        Some("08P01") => error.message().contains("unsupported startup parameter"),
        // A statement of that name exists already, or does not exist.
        Some("42P05" | "26000") => true,
        _ => false,
    }
}

/// Removes sqlx's table of applied migrations, which no migration reverts.
///
/// # Errors
/// If the database fails.
pub async fn remove_migrations_table(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("drop table _sqlx_migrations").execute(conn).await.map(drop)
}

/// Whether there are tables where those of this program would be.
///
/// # Errors
/// If the database fails.
pub async fn has_tables(conn: &mut PgConnection) -> sqlx::Result<bool> {
    let tables = "select exists (select from pg_tables where schemaname = current_schema())";
    sqlx::raw_sql(tables).fetch_one(conn).await?.try_get(0)
}

/// Whether a server of this program is connected to the database.
///
/// # Errors
/// If the database fails.
pub async fn is_served(conn: &mut PgConnection) -> sqlx::Result<bool> {
    let sessions = "select exists (select from pg_stat_activity
        where datname = current_database() and application_name like 'showtime %')";
    sqlx::raw_sql(sessions).fetch_one(conn).await?.try_get(0)
}
