//! Table `server`: the heartbeats of the servers on this database. All times are by the database's clock.

use sqlx::PgConnection;

use crate::twitch::signature::SecretFingerprint;

/// What a server tells the others with each heartbeat.
#[derive(Clone, Debug)]
pub struct ServerRow {
    /// Random, another one at each start.
    pub id: i64,
    /// Of the webhook secret with which it verifies messages.
    pub secret_fingerprint: SecretFingerprint,
    /// Whether it has what it needs to create subscriptions.
    pub creates_subscriptions: bool,
}

/// Writes a heartbeat, and deletes the rows of servers that have ended.
///
/// # Errors
/// If the database fails.
pub async fn beat(db: &mut PgConnection, server: &ServerRow) -> sqlx::Result<()> {
    sqlx::query!(
        "with ended as (delete from server where id <> $1 and id not in (select id from living_server))
        insert into server (id, secret_fingerprint, creates_subscriptions, beat_at, since)
        values ($1, $2, $3, now(), now())
        on conflict (id) do update set beat_at = now(),
            since = case when server.id in (select id from living_server) then server.since else now() end",
        server.id,
        server.secret_fingerprint.as_str(),
        server.creates_subscriptions
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The number of different webhook secrets that the servers have that run.
///
/// # Errors
/// If the database fails.
pub async fn count_secrets(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(distinct secret_fingerprint) as "count!" from living_server"#)
        .fetch_one(db)
        .await
}

/// Whether the webhook secret of this server is that of all servers that run. Each of them has written a heartbeat once
/// this one has done so for the time of a lease; before, the answer is no.
///
/// # Errors
/// If the database fails.
pub async fn has_only_secret(db: &mut PgConnection, id: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select count(distinct secret_fingerprint) = 1
            and coalesce(bool_or(id = $1 and since <= now() - interval '15 seconds'), false) as "has_only_secret!"
        from living_server"#,
        id
    )
    .fetch_one(db)
    .await
}

/// Whether a server that creates subscriptions wrote a heartbeat within the last five seconds.
///
/// # Errors
/// If the database fails.
pub async fn is_creator_running(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
            select from server where creates_subscriptions and beat_at > now() - interval '5 seconds'
        ) as "is_running!""#
    )
    .fetch_one(db)
    .await
}
