//! Every SQL statement of the program, as functions on a connection.

pub mod read;

/// The schema, as the migrations that lead to it.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("db/migrations");
