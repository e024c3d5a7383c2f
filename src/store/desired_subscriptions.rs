//! Table `desired_subscription`: what each served channel should have.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use time::OffsetDateTime;

use super::within;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A subscription that a served channel should have, and how far it has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whose.
    pub channel_id: String,
    /// For example `channel.follow`.
    pub kind: String,
    /// For example `2`.
    pub version: String,
    /// Twitch's id for it, once created.
    pub subscription_id: Option<String>,
    /// Twitch's status, `missing` or `needs_consent`.
    pub status: String,
    /// Since when.
    pub since: OffsetDateTime,
    /// Why it could not be created, in words.
    pub problem: Option<String>,
    /// Failures in a row.
    pub attempts: i32,
    /// When to try again.
    pub next_attempt_at: Option<OffsetDateTime>,
}

/// A connection of its own for the reconciler, since the lock belongs to the connection. Should
/// this machine vanish, Postgres notices within half a minute and lets another server go on.
///
/// # Errors
/// When the database fails.
pub async fn connect(database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let options = database.clone().options([
        ("application_name", "showtime reconciler"),
        ("statement_timeout", "5000"),
        ("tcp_keepalives_idle", "15"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
    ]);
    within(CONNECT_TIMEOUT, options.connect()).await
}

/// Brings the table in line with what is wanted (types and versions as pairs, for every served
/// channel): adds what is new as `missing`, and forgets what nobody wants any more.
///
/// # Errors
/// When the database fails.
pub async fn want(
    db: &mut PgConnection,
    kinds: &[&str],
    versions: &[&str],
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Wanted>> {
    sqlx::query!(
        "delete from desired_subscription where (type, version) not in (select * from unnest($1::text[], $2::text[]))",
        kinds as &[&str],
        versions as &[&str]
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into desired_subscription (type, version, channel_id, status, since)
        select kind.type, kind.version, channel.id, 'missing', $3
        from served_channel channel cross join unnest($1::text[], $2::text[]) kind (type, version)
        on conflict do nothing",
        kinds as &[&str],
        versions as &[&str],
        now
    )
    .execute(&mut *db)
    .await?;
    sqlx::query_as!(
        Wanted,
        "select channel_id, type as kind, version, subscription_id, status, since, problem, attempts, next_attempt_at
        from desired_subscription order by channel_id, type, version"
    )
    .fetch_all(db)
    .await
}

/// Keeps how far a subscription has got.
///
/// # Errors
/// When the database fails.
pub async fn update(db: &mut PgConnection, wanted: &Wanted) -> sqlx::Result<()> {
    sqlx::query!(
        "update desired_subscription
        set subscription_id = $4, status = $5, since = $6, problem = $7, attempts = $8, next_attempt_at = $9
        where channel_id = $1 and type = $2 and version = $3",
        wanted.channel_id,
        wanted.kind,
        wanted.version,
        wanted.subscription_id,
        wanted.status,
        wanted.since,
        wanted.problem,
        wanted.attempts,
        wanted.next_attempt_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Who consented, by user id, and when they last did so; without those who have to do it again.
///
/// # Errors
/// When the database fails.
pub async fn consents(db: &mut PgConnection) -> sqlx::Result<Vec<(String, OffsetDateTime)>> {
    let rows = sqlx::query!("select holder, obtained_at from token where needs_consent is null").fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (row.holder, row.obtained_at)).collect())
}
