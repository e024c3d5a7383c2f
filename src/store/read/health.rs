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

/// When the newest event of the log occurred that was no test, and when it was received.
#[derive(Clone, Copy, Debug)]
pub struct LastEvent {
    /// By Twitch's clock.
    pub occurred_at: OffsetDateTime,
    /// By ours.
    pub received_at: OffsetDateTime,
}

/// The newest event of the log that was no test.
///
/// # Errors
/// When the database fails.
pub async fn last_event(db: impl PgExecutor<'_>) -> sqlx::Result<Option<LastEvent>> {
    sqlx::query_as!(LastEvent, "select occurred_at, received_at from event where not is_test order by id desc limit 1")
        .fetch_optional(db)
        .await
}

/// A subscription that a served channel should have.
#[derive(Debug)]
pub struct Wanted {
    /// Whose: Twitch's id.
    pub channel_id: String,
    /// Whose.
    pub channel_login: String,
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
    /// When the server tries again.
    pub next_attempt_at: Option<OffsetDateTime>,
}

/// How many subscriptions are wanted, and how many of these are enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct WantedCount {
    /// All.
    pub total: i64,
    /// Those that deliver.
    pub enabled: i64,
}

/// The wanted subscriptions, those first that are not enabled, and how many there are.
///
/// # Errors
/// When the database fails.
pub async fn wanted(db: &mut PgConnection, limit: i64) -> sqlx::Result<(Vec<Wanted>, WantedCount)> {
    let count = sqlx::query_as!(
        WantedCount,
        r#"select count(*) as "total!", count(*) filter (where status = 'enabled') as "enabled!"
        from desired_subscription"#
    )
    .fetch_one(&mut *db)
    .await?;
    let first = sqlx::query_as!(
        Wanted,
        "select w.channel_id, c.login as channel_login, w.type as kind, w.version, w.subscription_id, w.status,
            w.since, w.problem, w.next_attempt_at
        from desired_subscription w join served_channel c on c.id = w.channel_id
        order by w.status = 'enabled', w.channel_id, w.type, w.version
        limit $1",
        limit
    )
    .fetch_all(db)
    .await?;
    Ok((first, count))
}

/// A token that is kept, without itself.
#[derive(Debug)]
pub struct Token {
    /// A user id, or `app`.
    pub holder: String,
    /// The user's login.
    pub login: Option<String>,
    /// When the access token expires by itself.
    pub expires_at: Option<OffsetDateTime>,
    /// When Twitch last confirmed it.
    pub validated_at: Option<OffsetDateTime>,
    /// Why the user has to consent again.
    pub needs_consent: Option<String>,
}

/// The tokens, those first that need somebody.
///
/// # Errors
/// When the database fails.
pub async fn tokens(db: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Token>> {
    sqlx::query_as!(
        Token,
        "select holder, login, expires_at, validated_at, needs_consent
        from token order by needs_consent is null, holder limit $1",
        limit
    )
    .fetch_all(db)
    .await
}
