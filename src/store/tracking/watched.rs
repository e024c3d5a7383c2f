//! Table `watched_channel`: the channels that bots track and that are not served of which Twitch is to send streams and titles.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;
use crate::twitch::signature::SecretFingerprint;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedChannel {
    /// Twitch's id.
    pub id: ChannelId,
    /// Whether Twitch sends all of it. Until then its stream is looked up.
    pub is_enabled: bool,
    /// Of the webhook secret with which its subscriptions were created.
    pub secret_fingerprint: Option<SecretFingerprint>,
    /// Attempts to create subscriptions since all of them were enabled.
    pub attempts: i32,
    /// No attempt is made before.
    pub next_attempt_at: Option<OffsetDateTime>,
    /// Why one could not be created, in words.
    pub problem: Option<String>,
}

impl WatchedChannel {
    /// A channel of which nothing was tried yet.
    #[must_use]
    pub fn new(id: ChannelId) -> Self {
        Self { id, is_enabled: false, secret_fingerprint: None, attempts: 0, next_attempt_at: None, problem: None }
    }
}

/// All rows, by id.
///
/// # Errors
/// If the database fails.
pub async fn list(db: &mut PgConnection) -> sqlx::Result<Vec<WatchedChannel>> {
    sqlx::query_as!(
        WatchedChannel,
        r#"select twitch_id as "id: ChannelId", is_enabled, secret_fingerprint as "secret_fingerprint: SecretFingerprint",
            attempts, next_attempt_at, problem
        from watched_channel order by twitch_id"#
    )
    .fetch_all(db)
    .await
}

/// The channels that are worth it most: those that are tracked in many Discord channels and were live often in the last 30
/// days. One that has its subscriptions counts twice and goes first, so that two that are nearly equal do not take turns.
///
/// # Errors
/// If the database fails.
pub async fn choose(db: &mut PgConnection, limit: u32, now: OffsetDateTime) -> sqlx::Result<Vec<ChannelId>> {
    sqlx::query_scalar!(
        r#"select tracked.twitch_id as "id!: ChannelId"
        from (select twitch_id, count(*) as tracks from track group by twitch_id) as tracked
        left join watched_channel watched using (twitch_id)
        left join (
            select channel_id, count(*) as starts from stream where started_at > $2::timestamptz - interval '30 days'
            group by channel_id
        ) as live on live.channel_id = tracked.twitch_id
        where tracked.twitch_id ~ '^[1-9][0-9]{0,19}$' and not exists (select from served_channel where id = tracked.twitch_id)
        order by tracks * (1 + coalesce(starts, 0)) * (case when watched.twitch_id is null then 1 else 2 end) desc,
            watched.twitch_id is null, tracked.twitch_id
        limit $1"#,
        i64::from(limit),
        now
    )
    .fetch_all(db)
    .await
}

/// Adds channels that have no row yet.
///
/// # Errors
/// If the database fails.
pub async fn add(db: &mut PgConnection, ids: &[ChannelId]) -> sqlx::Result<()> {
    let added = sqlx::query!(
        "insert into watched_channel (twitch_id) select unnest($1::text[]) on conflict do nothing",
        ids as &[ChannelId]
    );
    added.execute(db).await?;
    Ok(())
}

/// Saves a row, if it is still there.
///
/// # Errors
/// If the database fails.
pub async fn update(db: &mut PgConnection, row: &WatchedChannel) -> sqlx::Result<()> {
    sqlx::query!(
        "update watched_channel set is_enabled = $2, secret_fingerprint = $3, attempts = $4, next_attempt_at = $5,
            problem = $6
        where twitch_id = $1",
        row.id.as_str(),
        row.is_enabled,
        row.secret_fingerprint.as_ref().map(SecretFingerprint::as_str),
        row.attempts,
        row.next_attempt_at,
        row.problem
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a channel, whose subscriptions must have been deleted.
///
/// # Errors
/// If the database fails.
pub async fn remove(db: &mut PgConnection, id: &ChannelId) -> sqlx::Result<()> {
    sqlx::query!("delete from watched_channel where twitch_id = $1", id.as_str()).execute(db).await?;
    Ok(())
}

/// Writes that Twitch sends nothing of any channel: there is no callback.
///
/// # Errors
/// If the database fails.
pub async fn set_none_enabled(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("update watched_channel set is_enabled = false where is_enabled").execute(db).await?;
    Ok(())
}
