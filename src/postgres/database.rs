//! The database in the cluster, and connections to it.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::data_dir;
use super::error::LocalError;
use crate::store::{databases, within};

/// Name of the database, and of its owner.
pub(super) const NAME: &str = "showtime";

/// Time limit for one attempt to connect through the socket.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time limit for creating or dropping a database.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Options for connecting to the database `showtime` through a socket directory.
pub(super) fn connect_options(socket_dir: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(data_dir::PORT)
        .username(NAME)
        .database(NAME)
        .ssl_mode(PgSslMode::Disable)
}

/// Connects within a time limit.
pub(super) async fn connect(options: PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    within(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await
}

/// Whether an error says that the database does not exist.
pub(super) fn is_missing_database(error: &sqlx::Error) -> bool {
    has_code(error, "3D000")
}

/// Whether an error says that the server is starting or recovering.
pub(super) fn is_starting(error: &sqlx::Error) -> bool {
    has_code(error, "57P03")
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(code)
}

/// Creates the database.
pub(super) async fn create(options: &PgConnectOptions) -> Result<(), LocalError> {
    let mut connection = connect_to_other(options).await?;
    within(STATEMENT_TIMEOUT, databases::create(&mut connection)).await?;
    close(connection).await;
    Ok(())
}

/// Replaces the database with an empty one.
pub(super) async fn reset(options: &PgConnectOptions) -> Result<(), LocalError> {
    let mut connection = connect_to_other(options).await?;
    within(STATEMENT_TIMEOUT, databases::remove(&mut connection)).await?;
    within(STATEMENT_TIMEOUT, databases::create(&mut connection)).await?;
    close(connection).await;
    Ok(())
}

/// Connects to a database that always exists.
async fn connect_to_other(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    connect(options.clone().database("postgres")).await
}

/// The major version of the server.
pub(super) async fn server_major(options: &PgConnectOptions) -> Result<u32, LocalError> {
    let connection = connect(options.clone()).await?;
    let major = connection.server_version_num().map_or(0, |number| number / 10_000);
    close(connection).await;
    Ok(major)
}

/// Closes a connection within a time limit. The server also notices a connection that is only dropped.
pub(super) async fn close(connection: PgConnection) {
    let _ = timeout(CONNECT_TIMEOUT, connection.close()).await;
}
