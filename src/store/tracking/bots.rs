//! Table `discord_bot`: the bots that may use tracking.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A bot, without its secret.
#[derive(Clone, Debug)]
pub struct Bot {
    /// Unique, and never used again.
    pub id: i64,
    /// Unique.
    pub name: String,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When it was switched off, if it is.
    pub disabled_at: Option<OffsetDateTime>,
    /// Its Discord channels.
    pub destinations: i64,
    /// What it tracks, in all of them.
    pub tracks: i64,
}

/// What proves that a bot is the one that it says.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The bot.
    pub id: i64,
    /// The hash of its secret, in the PHC format.
    pub secret_hash: String,
    /// Tokens of another generation are refused.
    pub generation: i32,
}

/// What is done with a Discord channel when its webhook was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum OnWebhookGone {
    /// Its tracks are kept, and go on with another webhook.
    #[default]
    Keep,
    /// It is dropped with all that is tracked there.
    Drop,
}

/// What a bot has set for all that it tracks.
#[derive(Clone, Debug)]
pub struct StoredSettings {
    /// What becomes of its channels whose webhook was deleted.
    pub on_webhook_gone: OnWebhookGone,
    /// How many days these are kept.
    pub keep_gone_days: i32,
    /// How its tracks are announced, but for what a Discord channel or a track sets itself.
    pub defaults: Value,
}

/// All bots, by name.
///
/// # Errors
/// If the database fails.
pub async fn all(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Bot>> {
    sqlx::query_as!(
        Bot,
        r#"select id, name, created_at, disabled_at,
            (select count(*) from destination where bot_id = discord_bot.id) as "destinations!",
            (select count(*) from track join destination on destination.id = destination_id where bot_id = discord_bot.id)
                as "tracks!"
        from discord_bot order by name"#
    )
    .fetch_all(db)
    .await
}

/// Adds a bot. False if there is one of that name.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    db: impl PgExecutor<'_>,
    id: i64,
    name: &str,
    secret_hash: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let added = sqlx::query!(
        "insert into discord_bot (id, name, secret_hash, created_at) values ($1, $2, $3, $4) on conflict (name) do nothing",
        id,
        name,
        secret_hash,
        now
    );
    Ok(added.execute(db).await?.rows_affected() > 0)
}

/// Gives a bot another secret, so that its tokens are refused. False if there is no such bot.
///
/// # Errors
/// If the database fails.
pub async fn rotate(db: impl PgExecutor<'_>, name: &str, secret_hash: &str) -> sqlx::Result<bool> {
    let rotated = sqlx::query!(
        "update discord_bot set secret_hash = $2, generation = generation + 1 where name = $1",
        name,
        secret_hash
    );
    Ok(rotated.execute(db).await?.rows_affected() > 0)
}

/// Switches a bot off, or on again. False if there is no such bot.
///
/// # Errors
/// If the database fails.
pub async fn switch(db: impl PgExecutor<'_>, name: &str, disabled_at: Option<OffsetDateTime>) -> sqlx::Result<bool> {
    let switched = sqlx::query!(
        "update discord_bot set disabled_at = $2,
            generation = generation + case when disabled_at is null and $2::timestamptz is not null then 1 else 0 end
        where name = $1",
        name,
        disabled_at
    );
    Ok(switched.execute(db).await?.rows_affected() > 0)
}

/// Removes a bot, and all that it tracks. False if there is no such bot.
///
/// # Errors
/// If the database fails.
pub async fn delete(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let deleted = sqlx::query!("delete from discord_bot where name = $1", name).execute(conn).await?;
    Ok(deleted.rows_affected() > 0)
}

/// What proves that it is the bot of this name; `None` if there is none, or it is switched off.
///
/// # Errors
/// If the database fails.
pub async fn credentials(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<Credentials>> {
    sqlx::query_as!(
        Credentials,
        "select id, secret_hash, generation from discord_bot where name = $1 and disabled_at is null",
        name
    )
    .fetch_optional(db)
    .await
}

/// The generation of a bot's tokens; `None` if there is no such bot, or it is switched off.
///
/// # Errors
/// If the database fails.
pub async fn generation(db: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!("select generation from discord_bot where id = $1 and disabled_at is null", id)
        .fetch_optional(db)
        .await
}

/// What a bot has set for all that it tracks; `None` if there is no such bot.
///
/// # Errors
/// If the database fails.
pub async fn settings(db: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<StoredSettings>> {
    sqlx::query_as!(
        StoredSettings,
        r#"select on_webhook_gone as "on_webhook_gone: OnWebhookGone", keep_gone_days, defaults
        from discord_bot where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

/// Sets what holds for all that a bot tracks. False if there is no such bot.
///
/// # Errors
/// If the database fails.
pub async fn set_settings(db: impl PgExecutor<'_>, id: i64, settings: &StoredSettings) -> sqlx::Result<bool> {
    let set = sqlx::query!(
        "update discord_bot set on_webhook_gone = $2, keep_gone_days = $3, defaults = $4 where id = $1",
        id,
        settings.on_webhook_gone as OnWebhookGone,
        settings.keep_gone_days,
        settings.defaults
    );
    Ok(set.execute(db).await?.rows_affected() > 0)
}
