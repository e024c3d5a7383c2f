//! Table `reconciler`: when a server last compared all subscriptions.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use time::OffsetDateTime;

use super::within;

/// The time limit of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects apart from the pool. If this machine vanishes, Postgres notices within half a minute, and another server can
/// have what locks the connection held.
///
/// # Errors
/// If the database fails.
pub async fn connect(database: &PgConnectOptions, name: &str) -> sqlx::Result<PgConnection> {
    let options = database.clone().options([
        ("application_name", name),
        ("statement_timeout", "5000"),
        ("tcp_keepalives_idle", "15"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
    ]);
    within(CONNECT_TIMEOUT, options.connect()).await
}

/// Writes that a comparison that began then is complete.
///
/// # Errors
/// If the database fails.
pub async fn complete(db: &mut PgConnection, began_at: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into reconciler (compared_at) values ($1) on conflict (is_only) do update set compared_at = $1",
        began_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The start of the last complete comparison.
///
/// # Errors
/// If the database fails.
pub async fn compared_at(db: &mut PgConnection) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!("select compared_at from reconciler").fetch_optional(db).await
}

/// The time by the database's clock.
///
/// # Errors
/// If the database fails.
pub async fn now(db: &mut PgConnection) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(db).await
}
