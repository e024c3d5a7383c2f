//! Table `reconciler`: whether a server keeps the subscriptions, and when it last compared all of them.

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

/// The sign of life of the reconcilers, of which any one counts. All times are by the database's clock.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// Whether one wrote a heartbeat within the last five seconds.
    pub is_recent: bool,
    /// The start of the last complete comparison.
    pub compared_at: Option<OffsetDateTime>,
}

/// Writes that a reconciler runs.
///
/// # Errors
/// If the database fails.
pub async fn beat(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("insert into reconciler (beat_at) values (now()) on conflict (is_only) do update set beat_at = now()")
        .execute(db)
        .await?;
    Ok(())
}

/// Writes that a comparison that began then is complete.
///
/// # Errors
/// If the database fails.
pub async fn complete(db: &mut PgConnection, began_at: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into reconciler (beat_at, compared_at) values (now(), $1)
        on conflict (is_only) do update set beat_at = now(), compared_at = $1",
        began_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last sign of life, if there ever was one.
///
/// # Errors
/// If the database fails.
pub async fn heartbeat(db: &mut PgConnection) -> sqlx::Result<Option<Heartbeat>> {
    sqlx::query_as!(
        Heartbeat,
        r#"select beat_at > now() - interval '5 seconds' as "is_recent!", compared_at from reconciler"#
    )
    .fetch_optional(db)
    .await
}

/// The time by the database's clock.
///
/// # Errors
/// If the database fails.
pub async fn now(db: &mut PgConnection) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(db).await
}
