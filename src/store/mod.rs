//! Every SQL statement of the program, as functions on a connection.
//!
//! Functions take a connection, so that the caller decides what belongs to one transaction;
//! look-ups return an `Option`.

pub mod access_tokens;
pub mod actions;
pub mod backfill;
pub mod chat;
mod chat_lines;
pub mod consent_links;
pub mod databases;
pub mod deliveries;
pub mod desired_subscriptions;
mod echo;
pub mod epoch;
pub mod followers;
pub mod forget;
pub mod gaps;
pub mod ledger;
pub mod locks;
pub mod log;
mod log_id;
pub mod migrations;
mod order;
pub mod outages;
pub mod overlays;
pub mod prune;
pub mod read;
pub mod reconciler;
pub mod rules;
pub mod served_channels;
pub mod servers;
pub mod sessions;
pub mod signals;
pub mod sinks;
pub mod state;
pub mod switches;
pub mod tokens;
pub mod tracking;
mod write_error;

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection, PgPool};
use tokio::time::timeout;

pub use self::log_id::{LogId, LogIdError};
pub use self::order::Order;
pub use self::write_error::WriteError;

/// Time limit for a connection that is given back to its pool to answer: more than that of a statement, which may still run.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(6);

/// Time limit of [`answered`] and [`query`].
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit for [`connect`].
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The migrations, compiled in.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("db/migrations");

/// The same database over connections of which Postgres notices within half a minute when this machine has vanished. Then it
/// frees the locks that they held.
#[must_use]
pub fn with_keepalives(database: PgConnectOptions) -> PgConnectOptions {
    database.options([("tcp_keepalives_idle", "15"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3")])
}

/// Connects apart from the pools, under this application name.
///
/// # Errors
/// If the database fails.
pub async fn connect(database: &PgConnectOptions, name: &str) -> sqlx::Result<PgConnection> {
    let options = database.clone().options([("application_name", name), ("statement_timeout", "5000")]);
    within(CONNECT_TIMEOUT, options.connect()).await
}

/// Options of a pool that looks at each connection that is given back. Without a limit, sqlx would wait for the answer of one that
/// went silent, and such connections would keep all places. Of a transaction whose `begin` was cancelled, sqlx knows
/// nothing, so it is rolled back here.
#[must_use]
pub fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new().after_release(|connection, _| {
        let end_transaction = sqlx::raw_sql("begin; rollback").execute(connection);
        Box::pin(async move { within(RELEASE_TIMEOUT, end_transaction).await.map(|_| true) })
    })
}

/// Awaits the answer of the database, to all statements of this, within five seconds: over a connection that has gone silent, none comes, whatever
/// limits Postgres has.
///
/// # Errors
/// The database's error, or an I/O error of kind `TimedOut`.
pub async fn answered<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    within(ANSWER_TIMEOUT, answer).await
}

/// Runs queries on a connection of this pool, within five seconds like [`answered`].
///
/// # Errors
/// If there is no connection, or the database fails.
pub async fn query<T>(pool: &PgPool, query: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> sqlx::Result<T> {
    answered(async { query(&mut *pool.acquire().await?).await }).await
}

/// Awaits the answer of the database within this time.
///
/// # Errors
/// The database's error, or an I/O error of kind `TimedOut`.
pub async fn within<T>(limit: Duration, answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(limit, answer).await.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())))
}

/// Whether the database can't be reached or can't answer now, so that a retry makes sense. A wrong password, role, database
/// or TLS setting is not an outage.
#[must_use]
pub fn is_outage(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => true,
        E::Database(error) => error.code().is_some_and(|code| is_outage_state(&code)),
        _ => false,
    }
}

/// Connection exceptions, insufficient resources, operator intervention (shutdown, timeout, not accepting connections yet),
/// system errors, and a database that only reads for now (a standby).
fn is_outage_state(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "53" | "57" | "58")) || code == "25006"
}
