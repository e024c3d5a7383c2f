//! Logins of tracked Twitch channels, which change, and channels that vanish: what bots are told of it.

use sqlx::{Acquire as _, PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::events::{BotNews, ChannelRenamed, ChannelVanished, NewBotEvent, append_all};
use super::tracks::Streamer;
use crate::store::locks::Lock;
use crate::twitch::id::ChannelId;

/// Those of these channels that have another login than a track of them says.
///
/// # Errors
/// If the database fails.
pub async fn renamed(db: impl PgExecutor<'_>, channels: &[ChannelId]) -> sqlx::Result<Vec<Streamer>> {
    // Both are found in the index, so it takes the same time for any number of tracks.
    sqlx::query_as!(
        Streamer,
        r#"select id as "id: ChannelId", login as "login!" from twitch_user
        where id = any($1) and login is not null and (
            exists (select from track where twitch_id = twitch_user.id and track.login < twitch_user.login)
            or exists (select from track where twitch_id = twitch_user.id and track.login > twitch_user.login))
        order by id"#,
        channels as &[ChannelId]
    )
    .fetch_all(db)
    .await
}

/// Records that a Twitch channel has this login, and tells the bots that know it by another one.
///
/// # Errors
/// If the database fails.
pub async fn rename(conn: &mut PgConnection, twitch_id: &str, login: &str, now: OffsetDateTime) -> sqlx::Result<()> {
    let is_known = sqlx::query_scalar!(
        r#"select not exists (select from track where twitch_id = $1 and login <> $2) as "is_known!""#,
        twitch_id,
        login
    );
    if is_known.fetch_one(&mut *conn).await? {
        return Ok(());
    }
    let mut transaction = conn.begin().await?;
    // Before the rows, which a transaction that has the lock may want.
    Lock::BotEvent.acquire(&mut transaction).await?;
    // What was tracked by its id had no login yet.
    let renamed = sqlx::query!(
        r#"with old as (select id, destination_id, login from track where twitch_id = $1 and login <> $2 for update),
        changed as (update track set login = $2 from old where track.id = old.id)
        select distinct on (bot_id) bot_id, old.login from old join destination on destination.id = destination_id
        where old.login <> $1
        order by bot_id, old.id desc"#,
        twitch_id,
        login
    )
    .fetch_all(&mut *transaction)
    .await?;
    let told = renamed.into_iter().map(|old| {
        let (twitch_id, login) = (twitch_id.to_owned(), login.to_owned());
        let news = BotNews::ChannelRenamed(ChannelRenamed { twitch_id, old_login: old.login, login });
        NewBotEvent { bot_id: old.bot_id, guild_id: None, news }
    });
    append_all(&mut transaction, &Vec::from_iter(told), now).await?;
    transaction.commit().await
}

/// Records that a Twitch channel does not exist any more, and tells the bots that track it, unless they were told.
///
/// # Errors
/// If the database fails.
pub async fn vanish(conn: &mut PgConnection, channel: &ChannelId, now: OffsetDateTime) -> sqlx::Result<()> {
    let mut transaction = conn.begin().await?;
    Lock::BotEvent.acquire(&mut transaction).await?;
    let vanished = sqlx::query!(
        r#"with gone as (
            update track set vanished_at = $2 where twitch_id = $1 and vanished_at is null returning destination_id, login
        )
        select bot_id, min(login) as "login!" from gone join destination on destination.id = destination_id
        group by bot_id order by bot_id"#,
        channel.as_str(),
        now
    )
    .fetch_all(&mut *transaction)
    .await?;
    let told = vanished.into_iter().map(|it| {
        let news = BotNews::ChannelVanished(ChannelVanished { twitch_id: channel.to_string(), login: it.login });
        NewBotEvent { bot_id: it.bot_id, guild_id: None, news }
    });
    append_all(&mut transaction, &Vec::from_iter(told), now).await?;
    transaction.commit().await
}

/// Records that something has happened on these channels.
///
/// # Errors
/// If the database fails.
pub async fn show(db: impl PgExecutor<'_>, channels: &[ChannelId]) -> sqlx::Result<()> {
    sqlx::query!(
        "update track set vanished_at = null where twitch_id = any($1) and vanished_at is not null",
        channels as &[ChannelId]
    )
    .execute(db)
    .await?;
    Ok(())
}
