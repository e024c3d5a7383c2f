//! Creation and removal of the private Postgres' database, on a connection to another database.

use sqlx::PgConnection;

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
