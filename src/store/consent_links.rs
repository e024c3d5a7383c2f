//! Table `consent_link`: the links by which people elsewhere consent. Of what is secret only the hash is kept.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// A link.
#[derive(Clone, Debug)]
pub struct ConsentLink {
    /// The hash of its id.
    pub id: Vec<u8>,
    /// The channel whose broadcaster is asked; `None` for the bot's account.
    pub channel_id: Option<ChannelId>,
    /// The scopes to ask for, beside those that are granted and needed anyway.
    pub scopes: Vec<String>,
    /// When it ends unused.
    pub expires_at: OffsetDateTime,
    /// When the consent was given.
    pub used_at: Option<OffsetDateTime>,
}

/// Adds a link, and deletes those that ended before it is made.
///
/// # Errors
/// If the database fails.
pub async fn insert(db: impl PgExecutor<'_>, link: &ConsentLink, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "with ended as (delete from consent_link where expires_at < $5::timestamptz - interval '30 days')
        insert into consent_link (id, channel_id, scopes, created_at, expires_at) values ($1, $2, $3, $5, $4)",
        link.id,
        link.channel_id.as_ref().map(ChannelId::as_str),
        &link.scopes,
        link.expires_at,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The link with this hash.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, id: &[u8]) -> sqlx::Result<Option<ConsentLink>> {
    sqlx::query_as!(
        ConsentLink,
        r#"select id, channel_id as "channel_id: ChannelId", scopes, expires_at, used_at from consent_link where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

/// Keeps the state that a browser is sent to Twitch with. It replaces an earlier one.
///
/// # Errors
/// If the database fails.
pub async fn begin(db: impl PgExecutor<'_>, id: &[u8], state: &[u8]) -> sqlx::Result<()> {
    sqlx::query!("update consent_link set state = $2 where id = $1", id, state).execute(db).await?;
    Ok(())
}

/// Takes the state that a browser came back with, which counts once. Returns its link.
///
/// # Errors
/// If the database fails.
pub async fn take_state(db: impl PgExecutor<'_>, state: &[u8]) -> sqlx::Result<Option<ConsentLink>> {
    sqlx::query_as!(
        ConsentLink,
        r#"update consent_link set state = null where state = $1
        returning id, channel_id as "channel_id: ChannelId", scopes, expires_at, used_at"#,
        state
    )
    .fetch_optional(db)
    .await
}

/// Records that the consent was given.
///
/// # Errors
/// If the database fails.
pub async fn mark_used(db: impl PgExecutor<'_>, id: &[u8], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("update consent_link set used_at = $2, state = null where id = $1", id, now).execute(db).await?;
    Ok(())
}
