//! Table `track`: which channels of Twitch are announced in which channels of Discord.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// A channel of Twitch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamer {
    /// Its id.
    pub id: ChannelId,
    /// Its login, in lower case.
    pub login: String,
}

/// Whether a track was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// It was there.
    Known,
    /// The destination has as many as it may.
    Full,
}

/// Adds a track, unless the destination has `limit` of them.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    db: impl PgExecutor<'_>,
    destination_id: i64,
    streamer: &Streamer,
    limit: i64,
    now: OffsetDateTime,
) -> sqlx::Result<Added> {
    let row = sqlx::query!(
        r#"with known as (select from track where destination_id = $1 and twitch_id = $2),
        added as (
            insert into track (destination_id, twitch_id, login, created_at)
            select $1, $2, $3, $4
            where not exists (select from known) and (select count(*) from track where destination_id = $1) < $5
            on conflict (destination_id, twitch_id) do nothing returning id
        )
        select exists (select from added) as "is_new!", exists (select from known) as "is_known!""#,
        destination_id,
        streamer.id.as_str(),
        streamer.login,
        now,
        limit
    )
    .fetch_one(db)
    .await?;
    Ok(match (row.is_new, row.is_known) {
        (true, _) => Added::New,
        (_, true) => Added::Known,
        _ => Added::Full,
    })
}

/// Deletes the track of the channel with this id, or else of that which was called so when it was added. False if there is
/// none.
///
/// # Errors
/// If the database fails.
pub async fn delete(
    db: impl PgExecutor<'_>,
    destination_id: i64,
    id: Option<&ChannelId>,
    login: &str,
) -> sqlx::Result<bool> {
    let deleted = sqlx::query!(
        "delete from track where id = (
            select id from track where destination_id = $1 and (twitch_id = $2 or login = lower($3) or twitch_id = $3)
            order by twitch_id = $2 desc nulls last, id limit 1
        )",
        destination_id,
        id.map(ChannelId::as_str),
        login
    );
    Ok(deleted.execute(db).await?.rows_affected() > 0)
}

/// The logins of what is tracked in a destination, as they are now, in the order in which they were added.
///
/// # Errors
/// If the database fails.
pub async fn logins(db: impl PgExecutor<'_>, destination_id: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select coalesce(twitch_user.login, track.login) as "login!"
        from track left join twitch_user on twitch_user.id = track.twitch_id
        where destination_id = $1 order by track.id"#,
        destination_id
    )
    .fetch_all(db)
    .await
}

/// Deletes the tracks and announcements of a channel.
///
/// # Errors
/// If the database fails.
pub async fn forget(db: impl PgExecutor<'_>, id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "with forgotten as (delete from track where twitch_id = $1) delete from announcement where twitch_id = $1",
        id
    )
    .execute(db)
    .await?;
    Ok(())
}
