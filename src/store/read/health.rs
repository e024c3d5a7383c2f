//! What `/readyz` and `/status` ask.

use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::store::MIGRATOR;

/// The migrations of this program that the database doesn't have, or has in another wording, by
/// version. A newer program's migrations are no concern of ours.
///
/// # Errors
/// When the database fails.
pub async fn missing_migrations(db: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let wanted = MIGRATOR.iter().filter(|it| it.migration_type.is_up_migration());
    if !sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "exists!""#)
        .fetch_one(&mut *db)
        .await?
    {
        return Ok(wanted.map(|it| it.version).collect());
    }
    let applied = sqlx::query!("select version, checksum from _sqlx_migrations where success").fetch_all(db).await?;
    let is_applied =
        |version, checksum: &[u8]| applied.iter().any(|it| it.version == version && it.checksum == checksum);
    Ok(wanted.filter(|it| !is_applied(it.version, &it.checksum)).map(|it| it.version).collect())
}

/// An EventSub subscription through which messages came.
#[derive(Debug)]
pub struct Subscription {
    /// Twitch's id.
    pub id: String,
    /// For example `channel.follow`.
    pub kind: String,
    /// For example `2`.
    pub version: String,
    /// As Twitch sent it.
    pub condition: Json<Box<RawValue>>,
    /// `enabled`, or why it died (webhook.md §7).
    pub status: String,
    /// Since when.
    pub since: OffsetDateTime,
}

/// The subscriptions that we know of, dead ones first, and how many there are in all.
///
/// # Errors
/// When the database fails.
pub async fn subscriptions(db: &mut PgConnection, limit: i64) -> sqlx::Result<(Vec<Subscription>, i64)> {
    let total = sqlx::query_scalar!(r#"select count(*) as "count!" from subscription"#).fetch_one(&mut *db).await?;
    let first = sqlx::query_as!(
        Subscription,
        r#"select id, type as kind, version, condition as "condition: Json<Box<RawValue>>", status,
            status_at as since
        from subscription
        order by status = 'enabled', type, version, id
        limit $1"#,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok((first, total))
}

/// When the newest event of the log occurred, and when it was received.
#[derive(Clone, Copy, Debug)]
pub struct LastEvent {
    /// By Twitch's clock.
    pub occurred_at: OffsetDateTime,
    /// By ours.
    pub received_at: OffsetDateTime,
}

/// The newest event of the log.
///
/// # Errors
/// When the database fails.
pub async fn last_event(db: impl PgExecutor<'_>) -> sqlx::Result<Option<LastEvent>> {
    sqlx::query_as!(LastEvent, "select occurred_at, received_at from event order by id desc limit 1")
        .fetch_optional(db)
        .await
}
