//! Table `destination`: the Discord channels that bots have posts made in.

use serde::Serialize;
use serde_json::Value;
use sqlx::{Acquire as _, PgConnection, PgExecutor};
use strum::IntoStaticStr;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::events::{self, BotNews, WebhookGone, WebhookMoved};
use super::tracks;
use crate::discord::shard::Shard;
use crate::discord::snowflake::Snowflake;
use crate::store::locks::Lock;

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

/// A Discord channel with its webhook.
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
    pub moved_to: Option<Snowflake>,
    pub verified_at: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
    pub settings: Value,
}

/// The webhook of a Discord channel.
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

/// Why no more can be posted over a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It was deleted.
    Gone,
    /// It posts into this channel.
    Moved(Snowflake),
}

/// A bot's Discord channel.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, bot_id: i64, channel_id: Snowflake) -> sqlx::Result<Option<Destination>> {
    Ok(of_channels(db, bot_id, &[channel_id]).await?.pop())
}

/// The bot's Discord channels among these.
///
/// # Errors
/// If the database fails.
pub async fn of_channels(
    db: impl PgExecutor<'_>,
    bot_id: i64,
    channel_ids: &[Snowflake],
) -> sqlx::Result<Vec<Destination>> {
    sqlx::query_as!(
        Destination,
        r#"select id, bot_id, channel_id as "channel_id: Snowflake", guild_id as "guild_id: Snowflake",
            webhook_id as "webhook_id: Snowflake", token_sealed, state as "state: DestinationState", state_reason, state_at,
            moved_to as "moved_to: Snowflake", verified_at, created_at, settings
        from destination where bot_id = $1 and channel_id = any($2)"#,
        bot_id,
        channel_ids as &[Snowflake]
    )
    .fetch_all(db)
    .await
}

/// A page of a bot's Discord channels, by id.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    bot_id: i64,
    shard: Option<Shard>,
    after: Option<Snowflake>,
    limit: i64,
) -> sqlx::Result<Vec<Destination>> {
    sqlx::query_as!(
        Destination,
        r#"select id, bot_id, channel_id as "channel_id: Snowflake", guild_id as "guild_id: Snowflake",
            webhook_id as "webhook_id: Snowflake", token_sealed, state as "state: DestinationState", state_reason, state_at,
            moved_to as "moved_to: Snowflake", verified_at, created_at, settings
        from destination where bot_id = $1 and channel_id > $2
            and ($3::bigint is null or (coalesce(guild_id, 0) >> 22) % $3 = $4)
        order by channel_id limit $5"#,
        bot_id,
        after.map_or(0, |after| after.0),
        shard.map(Shard::count),
        shard.map(Shard::number),
        limit
    )
    .fetch_all(db)
    .await
}

/// Gives a Discord channel this webhook, which was verified now, in place of the one that it has, and lets it go on. `None`
/// if another channel of the bot has the webhook.
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
            (bot_id, channel_id, guild_id, webhook_id, token_sealed, application_id, state_at, verified_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $7, $7)
        on conflict (bot_id, channel_id) do update set
            guild_id = excluded.guild_id, webhook_id = excluded.webhook_id, token_sealed = excluded.token_sealed,
            application_id = excluded.application_id, state = 'ok', state_reason = null, moved_to = null,
            state_at = case when old.state = 'ok' then old.state_at else excluded.state_at end,
            verified_at = excluded.verified_at,
            not_before = case when old.webhook_id = excluded.webhook_id then old.not_before end
        returning id, bot_id, channel_id as "channel_id: Snowflake", guild_id as "guild_id: Snowflake",
            webhook_id as "webhook_id: Snowflake", token_sealed, state as "state: DestinationState", state_reason, state_at,
            moved_to as "moved_to: Snowflake", verified_at, created_at, settings"#,
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

/// Records that Discord has taken a message for each of these destinations over its webhook, and where that was posted.
///
/// # Errors
/// If the database fails.
pub async fn verify(db: impl PgExecutor<'_>, ids: &[i64], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("update destination set verified_at = $2 where id = any($1) and verified_at is null", ids, now)
        .execute(db)
        .await?;
    Ok(())
}

/// Adds Discord channels with webhooks that were not verified, and returns those that are new: neither the channel nor the
/// webhook was there.
///
/// # Errors
/// If the database fails.
pub async fn insert_unverified(
    db: impl PgExecutor<'_>,
    bot_id: i64,
    new: &[NewWebhook],
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Destination>> {
    let channels: Vec<_> = new.iter().map(|new| new.channel_id.0).collect();
    let guilds: Vec<_> = new.iter().map(|new| new.guild_id.map(|id| id.0)).collect();
    let webhooks: Vec<_> = new.iter().map(|new| new.webhook_id.0).collect();
    let tokens: Vec<_> = new.iter().map(|new| new.token_sealed.clone()).collect();
    sqlx::query_as!(
        Destination,
        r#"insert into destination (bot_id, channel_id, guild_id, webhook_id, token_sealed, state_at, created_at)
        select $1, channel_id, guild_id, webhook_id, token_sealed, $6, $6
        from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[]) as new (channel_id, guild_id, webhook_id, token_sealed)
        on conflict do nothing
        returning id, bot_id, channel_id as "channel_id: Snowflake", guild_id as "guild_id: Snowflake",
            webhook_id as "webhook_id: Snowflake", token_sealed, state as "state: DestinationState", state_reason, state_at,
            moved_to as "moved_to: Snowflake", verified_at, created_at, settings"#,
        bot_id,
        &channels,
        &guilds as &[Option<i64>],
        &webhooks,
        &tokens,
        now
    )
    .fetch_all(db)
    .await
}

/// Records that the webhook of a destination was deleted or moved, and tells the bot. If it was deleted, what was to be posted is
/// cancelled, and the destination is dropped if the bot wants that. False if it was recorded already, or the destination has
/// another webhook by now.
///
/// # Errors
/// If the database fails.
pub async fn record_loss(
    conn: &mut PgConnection,
    (id, webhook_id): (i64, Snowflake),
    loss: Loss,
    reason: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let mut transaction = conn.begin().await?;
    let (state, moved_to) = match loss {
        Loss::Gone => (DestinationState::Gone, None),
        Loss::Moved(to) => (DestinationState::Moved, Some(to)),
    };
    let recorded = sqlx::query!(
        r#"update destination set state = $3, state_reason = $4, state_at = $5, moved_to = $6,
            next_at = case when $3 = 'gone' then null else next_at end
        from discord_bot
        where destination.id = $1 and webhook_id = $2 and (state, moved_to) is distinct from ($3, $6) and discord_bot.id = bot_id
        returning bot_id, channel_id as "channel_id: Snowflake", guild_id as "guild_id: Snowflake",
            on_webhook_gone = 'drop' as "is_dropping!""#,
        id,
        webhook_id.0,
        state as DestinationState,
        reason,
        now,
        moved_to.map(|to| to.0)
    );
    let Some(lost) = recorded.fetch_optional(&mut *transaction).await? else { return Ok(false) };
    let channel_id = lost.channel_id;
    let news = match loss {
        Loss::Moved(moved_to) => BotNews::WebhookMoved(WebhookMoved { channel_id, webhook_id, moved_to }),
        Loss::Gone => {
            let logins = tracks::logins(&mut *transaction, id).await?;
            let is_dropped = lost.is_dropping;
            match is_dropped {
                true => drop(delete(&mut *transaction, lost.bot_id, channel_id).await?),
                false => cancel_posts(&mut transaction, id, reason).await?,
            }
            let reason = reason.to_owned();
            BotNews::WebhookGone(WebhookGone { channel_id, webhook_id, reason, logins, is_dropped })
        }
    };
    events::append(&mut transaction, lost.bot_id, lost.guild_id, &news, now).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Drops a destination whose webhook was deleted longer ago than its bot has such kept, and tells the bot. False if there is none.
///
/// # Errors
/// If the database fails.
pub async fn drop_gone(conn: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<bool> {
    let mut transaction = conn.begin().await?;
    let late = sqlx::query!(
        r#"select d.id, bot_id, channel_id as "channel_id: Snowflake", guild_id as "guild_id: Snowflake",
            webhook_id as "webhook_id: Snowflake", keep_gone_days
        from destination d join discord_bot bot on bot.id = bot_id
        where state = 'gone' and state_at < $1::timestamptz - make_interval(days => keep_gone_days)
        order by d.id limit 1 for no key update of d skip locked"#,
        now
    );
    let Some(late) = late.fetch_optional(&mut *transaction).await? else { return Ok(false) };
    let logins = tracks::logins(&mut *transaction, late.id).await?;
    // Before its tracks, which a transaction that has the lock may want.
    Lock::BotEvent.acquire(&mut transaction).await?;
    delete(&mut *transaction, late.bot_id, late.channel_id).await?;
    let (channel_id, webhook_id) = (late.channel_id, late.webhook_id);
    let reason = format!("its webhook was deleted more than {} days ago", late.keep_gone_days);
    let news = BotNews::WebhookGone(WebhookGone { channel_id, webhook_id, reason, logins, is_dropped: true });
    events::append(&mut transaction, late.bot_id, late.guild_id, &news, now).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn cancel_posts(conn: &mut PgConnection, destination_id: i64, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update post set next_at = null, state = case when state in ('pending', 'sending') then 'skipped' else state end,
            problem = $2
        where destination_id = $1 and next_at is not null",
        destination_id,
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets how the tracks of a destination are announced.
///
/// # Errors
/// If the database fails.
pub async fn set_settings(db: impl PgExecutor<'_>, id: i64, settings: &Value) -> sqlx::Result<()> {
    sqlx::query!("update destination set settings = $2 where id = $1", id, settings).execute(db).await?;
    Ok(())
}

/// Deletes a bot's Discord channel and all that is tracked there. False if there is none.
///
/// # Errors
/// If the database fails.
pub async fn delete(db: impl PgExecutor<'_>, bot_id: i64, channel_id: Snowflake) -> sqlx::Result<bool> {
    let deleted = sqlx::query!("delete from destination where bot_id = $1 and channel_id = $2", bot_id, channel_id.0);
    Ok(deleted.execute(db).await?.rows_affected() > 0)
}

/// Deletes a bot's channels in a Discord server and all that is tracked there. False if there is none.
///
/// # Errors
/// If the database fails.
pub async fn delete_guild(db: impl PgExecutor<'_>, bot_id: i64, guild_id: Snowflake) -> sqlx::Result<bool> {
    let deleted = sqlx::query!("delete from destination where bot_id = $1 and guild_id = $2", bot_id, guild_id.0);
    Ok(deleted.execute(db).await?.rows_affected() > 0)
}
