//! Every SQL statement of the program, as functions on a connection.
//!
//! Functions take a connection, so that the caller decides what belongs to one transaction;
//! look-ups return an `Option`.

pub mod access_tokens;
pub mod gaps;
pub mod local;
pub mod log;
pub mod migrations;
pub mod read;
pub mod served_channels;
pub mod state;
pub mod tokens;
pub mod wanted;

/// The migrations, compiled in.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("db/migrations");
