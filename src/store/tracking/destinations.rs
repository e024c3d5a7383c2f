//! Table `destination`: the channels of Discord that bots have posts made in.

use serde::Serialize;
use sqlx::{PgConnection, PgExecutor};
use strum::IntoStaticStr;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::discord::snowflake::Snowflake;

/// Whether posts can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum DestinationState {
    /// The webhook is there.
    Ok,
    /// The webhook was deleted.
    Gone,
    /// The webhook posts into another channel.
    Moved,
}

/// A channel of Discord with its webhook.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of destination, which db/migrations describes")]
pub struct Destination {
    pub id: i64,
    pub bot_id: i64,
    pub channel_id: Snowflake,
    pub guild_id: Option<Snowflake>,
    pub webhook_id: Snowflake,
    pub token_sealed: Vec<u8>,
    pub state: DestinationState,
    pub state_reason: Option<String>,
    pub state_at: OffsetDateTime,
}

/// The webhook of a channel of Discord, as it was verified.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of destination, which db/migrations describes")]
pub struct NewWebhook {
    pub bot_id: i64,
    pub channel_id: Snowflake,
    pub guild_id: Option<Snowflake>,
    pub webhook_id: Snowflake,
    pub token_sealed: Vec<u8>,
    pub application_id: Option<Snowflake>,
}

/// A bot's channel of Discord.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, bot_id: i64, channel_id: Snowflake) -> sqlx::Result<Option<Destination>> {
    sqlx::query_as!(
        Destination,
        r#"select id, bot_id, channel_id as "channel_id: Snowflake", guild_id as "guild_id: Snowflake",
            webhook_id as "webhook_id: Snowflake", token_sealed, state as "state: DestinationState", state_reason, state_at
        from destination where bot_id = $1 and channel_id = $2"#,
        bot_id,
        channel_id.0
    )
    .fetch_optional(db)
    .await
}

/// Gives a channel of Discord this webhook, in place of the one that it has, and lets it go on. `None` if another channel of
/// the bot has the webhook.
///
/// # Errors
/// If the database fails.
pub async fn put_webhook(
    conn: &mut PgConnection,
    new: &NewWebhook,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Destination>> {
    let put = sqlx::query_as!(
        Destination,
        r#"insert into destination as old
            (bot_id, channel_id, guild_id, webhook_id, token_sealed, application_id, state_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $7)
        on conflict (bot_id, channel_id) do update set
            guild_id = excluded.guild_id, webhook_id = excluded.webhook_id, token_sealed = excluded.token_sealed,
            application_id = excluded.application_id, state = 'ok', state_reason = null,
            state_at = case when old.state = 'ok' then old.state_at else excluded.state_at end,
            not_before = case when old.webhook_id = excluded.webhook_id then old.not_before end
        returning id, bot_id, channel_id as "channel_id: Snowflake", guild_id as "guild_id: Snowflake",
            webhook_id as "webhook_id: Snowflake", token_sealed, state as "state: DestinationState", state_reason, state_at"#,
        new.bot_id,
        new.channel_id.0,
        new.guild_id.map(|id| id.0),
        new.webhook_id.0,
        new.token_sealed,
        new.application_id.map(|id| id.0),
        now
    );
    match put.fetch_one(conn).await {
        Ok(destination) => Ok(Some(destination)),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Records that the webhook of a destination was deleted or moved, and cancels what was to be posted if it is deleted. False
/// if the destination has another webhook by now.
///
/// # Errors
/// If the database fails.
pub async fn record_state(
    conn: &mut PgConnection,
    (id, webhook_id): (i64, Snowflake),
    state: DestinationState,
    reason: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let recorded = sqlx::query!(
        "update destination set state = $3, state_reason = $4, state_at = $5,
            next_at = case when $3 = 'gone' then null else next_at end
        where id = $1 and webhook_id = $2 and state <> $3",
        id,
        webhook_id.0,
        state as DestinationState,
        reason,
        now
    );
    if recorded.execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(false);
    }
    if state == DestinationState::Gone {
        sqlx::query!(
            "update post set next_at = null, state = case when state in ('pending', 'sending') then 'skipped' else state end,
                problem = $2
            where destination_id = $1 and next_at is not null",
            id,
            reason
        )
        .execute(conn)
        .await?;
    }
    Ok(true)
}

/// Deletes a bot's channel of Discord and all that is tracked there. False if there is none.
///
/// # Errors
/// If the database fails.
pub async fn delete(db: impl PgExecutor<'_>, bot_id: i64, channel_id: Snowflake) -> sqlx::Result<bool> {
    let deleted = sqlx::query!("delete from destination where bot_id = $1 and channel_id = $2", bot_id, channel_id.0);
    Ok(deleted.execute(db).await?.rows_affected() > 0)
}
