//! Table `bot_event`: what Discord bots are told. Ids are handed out in commit order, so that a reader that has one has all
//! before it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::posts::PostKind;
use crate::discord::shard::Shard;
use crate::discord::snowflake::Snowflake;
use crate::store::LogId;
use crate::store::locks::Lock;
use crate::store::signals::Channel;

/// What happened to something of a bot.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum BotNews {
    /// The webhook of a channel was deleted.
    WebhookGone(WebhookGone),
    /// The webhook of a channel posts into another channel.
    WebhookMoved(WebhookMoved),
    /// A message was posted.
    PostCreated(PostNews),
    /// A message was edited while the stream is live.
    PostUpdated(PostNews),
    /// A message was edited or deleted because the stream has ended.
    PostEnded(PostNews),
    /// It is unknown whether a message was posted.
    DeliveryUncertain(PostNews),
    /// A message could not be posted.
    DeliveryFailed(PostNews),
    /// Not all mentions of a message were made.
    MentionIneffective(MentionIneffective),
    /// A Twitch channel has another login.
    ChannelRenamed(ChannelRenamed),
    /// A Twitch channel does not exist any more.
    ChannelVanished(ChannelVanished),
}

/// A webhook that was deleted.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct WebhookGone {
    /// The Discord channel.
    #[schema(value_type = String)]
    pub channel_id: Snowflake,
    /// The webhook.
    #[schema(value_type = String)]
    pub webhook_id: Snowflake,
    /// How that is known.
    pub reason: String,
    /// The logins of what is tracked there.
    pub logins: Vec<String>,
    /// Whether the channel and its tracks were dropped, as the bot's settings say.
    pub is_dropped: bool,
}

/// A webhook that was moved.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct WebhookMoved {
    /// The Discord channel.
    #[schema(value_type = String)]
    pub channel_id: Snowflake,
    /// The webhook.
    #[schema(value_type = String)]
    pub webhook_id: Snowflake,
    /// Where it posts to.
    #[schema(value_type = String)]
    pub moved_to: Snowflake,
}

/// A message about a stream.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct PostNews {
    /// The delivery, of `GET /v2/deliveries`.
    pub delivery_id: i64,
    /// The Discord channel.
    #[schema(value_type = String)]
    pub channel_id: Snowflake,
    /// The Twitch channel.
    pub twitch_id: String,
    /// Its login.
    pub login: String,
    /// The stream that began the broadcast.
    pub stream_id: String,
    /// Which message about it: the one about its start, or the one about its end.
    #[serde(default)]
    #[schema(required)]
    pub kind: PostKind,
    /// The message, if there is one.
    #[schema(value_type = Option<String>)]
    pub message_id: Option<Snowflake>,
    /// Where the message is: the channel, or a thread in it.
    #[schema(value_type = Option<String>)]
    pub posted_channel_id: Option<Snowflake>,
    /// Whether the bot is asked to publish the message to the followers of the channel.
    #[serde(default)]
    #[schema(required)]
    pub crosspost_requested: bool,
    /// What went wrong.
    pub problem: Option<String>,
}

/// Mentions of a message that Discord did not make, as its answer says: the role is not one that all may mention, or the webhook has not
/// the permission.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct MentionIneffective {
    /// The delivery, of `GET /v2/deliveries`.
    pub delivery_id: i64,
    /// The Discord channel.
    #[schema(value_type = String)]
    pub channel_id: Snowflake,
    /// The Twitch channel.
    pub twitch_id: String,
    /// Its login.
    pub login: String,
    /// The message.
    #[schema(value_type = Option<String>)]
    pub message_id: Option<Snowflake>,
    /// The roles that were not notified. In a thread Discord may not say which, and these are all of the message.
    #[schema(value_type = Vec<String>)]
    pub roles: Vec<Snowflake>,
    /// Whether `@everyone` and `@here` notified no one.
    pub everyone: bool,
}

/// A Twitch channel that has another login.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct ChannelRenamed {
    /// The Twitch channel.
    pub twitch_id: String,
    /// Its login before.
    pub old_login: String,
    /// Its login now.
    pub login: String,
}

/// A Twitch channel that does not exist any more.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct ChannelVanished {
    /// The Twitch channel.
    pub twitch_id: String,
    /// Its last login.
    pub login: String,
}

/// An event, as it is kept.
#[derive(Clone, Debug)]
pub struct BotEvent {
    /// Greater than that of each event before it.
    pub id: LogId,
    /// Whose it is.
    pub bot_id: i64,
    /// The Discord server, if it is about one that is known.
    pub guild_id: Option<Snowflake>,
    /// The type of [`BotNews`], or one of a newer server.
    pub kind: String,
    /// The data of [`BotNews`].
    pub body: Json<Value>,
    /// When it happened.
    pub at: OffsetDateTime,
}

impl BotEvent {
    /// What happened; `None` if this version does not know its type.
    #[must_use]
    pub fn news(&self) -> Option<BotNews> {
        serde_json::from_value(serde_json::json!({ "type": self.kind, "data": self.body.0 })).ok()
    }
}

/// Adds an event to the caller's transaction. Until it ends, no other transaction adds one, so it should end soon.
///
/// # Errors
/// If the database fails.
pub async fn append(
    conn: &mut PgConnection,
    bot_id: i64,
    guild_id: Option<Snowflake>,
    news: &BotNews,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let news = serde_json::to_value(news).unwrap_or_default();
    Lock::BotEvent.acquire(&mut *conn).await?;
    sqlx::query!(
        "insert into bot_event (bot_id, guild_id, kind, body, at) values ($1, $2, $3, $4, $5)",
        bot_id,
        guild_id.map(|id| id.0),
        news["type"].as_str().unwrap_or_default(),
        news["data"],
        now
    )
    .execute(&mut *conn)
    .await?;
    Channel::BotEvent.notify(conn, "").await
}

/// An event to add, about a Discord server if one is known.
#[derive(Clone, Debug)]
pub struct NewBotEvent {
    /// Whose it is.
    pub bot_id: i64,
    /// The server.
    pub guild_id: Option<Snowflake>,
    /// What happened.
    pub news: BotNews,
}

/// Adds events to the caller's transaction, like [`append`].
///
/// # Errors
/// If the database fails.
pub async fn append_all(conn: &mut PgConnection, new: &[NewBotEvent], now: OffsetDateTime) -> sqlx::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let news: Vec<_> = new.iter().map(|it| serde_json::to_value(&it.news).unwrap_or_default()).collect();
    let bots: Vec<_> = new.iter().map(|it| it.bot_id).collect();
    let guilds: Vec<_> = new.iter().map(|it| it.guild_id.map(|id| id.0)).collect();
    Lock::BotEvent.acquire(&mut *conn).await?;
    sqlx::query!(
        "insert into bot_event (bot_id, guild_id, kind, body, at)
        select bot_id, guild_id, news ->> 'type', news -> 'data', $4
        from unnest($1::bigint[], $2::bigint[], $3::jsonb[]) with ordinality as new (bot_id, guild_id, news, place)
        order by place",
        &bots,
        &guilds as &[Option<i64>],
        &news,
        now
    )
    .execute(&mut *conn)
    .await?;
    Channel::BotEvent.notify(conn, "").await
}

/// The next events of a bot, in the order of their ids.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    bot_id: i64,
    shard: Option<Shard>,
    after: LogId,
    limit: i64,
) -> sqlx::Result<Vec<BotEvent>> {
    sqlx::query_as!(
        BotEvent,
        r#"select id as "id: LogId", bot_id, guild_id as "guild_id: Snowflake", kind, body as "body: Json<Value>", at
        from bot_event where bot_id = $1 and id > $2
            and ($3::bigint is null or (coalesce(guild_id, 0) >> 22) % $3 = $4)
        order by id limit $5"#,
        bot_id,
        after.0,
        shard.map(Shard::count),
        shard.map(Shard::number),
        limit
    )
    .fetch_all(db)
    .await
}

/// The next events of all bots, in the order of their ids.
///
/// # Errors
/// If the database fails.
pub async fn after(db: impl PgExecutor<'_>, after: LogId, limit: i64) -> sqlx::Result<Vec<BotEvent>> {
    sqlx::query_as!(
        BotEvent,
        r#"select id as "id: LogId", bot_id, guild_id as "guild_id: Snowflake", kind, body as "body: Json<Value>", at
        from bot_event where id > $1 order by id limit $2"#,
        after.0,
        limit
    )
    .fetch_all(db)
    .await
}

/// The id of the newest event, or 0.
///
/// # Errors
/// If the database fails.
pub async fn newest(db: impl PgExecutor<'_>) -> sqlx::Result<LogId> {
    sqlx::query_scalar!(r#"select coalesce(max(id), 0) as "newest!: LogId" from bot_event"#).fetch_one(db).await
}

/// Deletes the events before this time.
///
/// # Errors
/// If the database fails.
pub async fn prune(db: impl PgExecutor<'_>, before: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("delete from bot_event where at < $1", before).execute(db).await?;
    Ok(())
}
