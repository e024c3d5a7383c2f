//! Table `track`: which Twitch channels are announced in which Discord channels.

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// A Twitch channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamer {
    /// Its id.
    pub id: ChannelId,
    /// Its login, in lower case.
    pub login: String,
}

/// A track, as it is kept.
#[derive(Clone, Debug)]
pub struct Track {
    /// The Discord channel.
    pub destination_id: i64,
    /// The Twitch channel.
    pub twitch_id: ChannelId,
    /// Its login, as it is now.
    pub login: String,
    /// What the bot has set.
    pub settings: Value,
    /// When it was added.
    pub created_at: OffsetDateTime,
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

impl Added {
    fn of(is_new: bool, is_known: bool) -> Self {
        match (is_new, is_known) {
            (true, _) => Self::New,
            (_, true) => Self::Known,
            _ => Self::Full,
        }
    }
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
    Ok(Added::of(row.is_new, row.is_known))
}

/// Adds tracks, each to a destination, as [`insert`] does, and says of each what became of it. One that is given twice is new
/// both times.
///
/// # Errors
/// If the database fails.
pub async fn insert_all(
    db: impl PgExecutor<'_>,
    new: &[(i64, &Streamer)],
    limit: i64,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Added>> {
    let destinations: Vec<_> = new.iter().map(|(destination_id, _)| *destination_id).collect();
    let ids: Vec<_> = new.iter().map(|(_, streamer)| streamer.id.to_string()).collect();
    let logins: Vec<_> = new.iter().map(|(_, streamer)| streamer.login.clone()).collect();
    let rows = sqlx::query!(
        r#"with given as (
            select * from unnest($1::bigint[], $2::text[], $3::text[]) with ordinality as given (place_id, twitch_id, login, number)
        ), fresh as (
            select distinct on (place_id, twitch_id) * from given
            where not exists (select from track where destination_id = place_id and track.twitch_id = given.twitch_id)
            order by place_id, twitch_id, number
        ), counted as (
            select *, row_number() over (partition by place_id order by number) as rank from fresh
        ), added as (
            insert into track (destination_id, twitch_id, login, created_at)
            select place_id, twitch_id, login, $5 from counted
            where rank + (select count(*) from track where destination_id = place_id) <= $4 order by number
            on conflict (destination_id, twitch_id) do nothing returning destination_id, twitch_id
        )
        select added.twitch_id is not null as "is_new!", track.id is not null as "is_known!"
        from given
            left join added on added.destination_id = place_id and added.twitch_id = given.twitch_id
            left join track on track.destination_id = place_id and track.twitch_id = given.twitch_id
        order by number"#,
        &destinations,
        &ids,
        &logins,
        limit,
        now
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Added::of(row.is_new, row.is_known)).collect())
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
    Ok(of(db, &[destination_id]).await?.into_iter().map(|track| track.login).collect())
}

/// Sets the settings of a track.
///
/// # Errors
/// If the database fails.
pub async fn set_settings(db: impl PgExecutor<'_>, track: &Track, settings: &Value) -> sqlx::Result<()> {
    let set = sqlx::query!(
        "update track set settings = $3 where destination_id = $1 and twitch_id = $2",
        track.destination_id,
        track.twitch_id.as_str(),
        settings
    );
    set.execute(db).await?;
    Ok(())
}

/// Sets the settings of tracks, each named by its destination and the Twitch channel.
///
/// # Errors
/// If the database fails.
pub async fn set_all(db: impl PgExecutor<'_>, settings: &[(i64, &ChannelId, Value)]) -> sqlx::Result<()> {
    let destinations: Vec<_> = settings.iter().map(|(destination_id, ..)| *destination_id).collect();
    let ids: Vec<_> = settings.iter().map(|(_, id, _)| id.to_string()).collect();
    let values: Vec<_> = settings.iter().map(|(.., value)| value.clone()).collect();
    sqlx::query!(
        "update track set settings = given.settings
        from unnest($1::bigint[], $2::text[], $3::jsonb[]) as given (destination_id, twitch_id, settings)
        where track.destination_id = given.destination_id and track.twitch_id = given.twitch_id",
        &destinations,
        &ids,
        &values
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What is tracked in these destinations, in the order in which it was added.
///
/// # Errors
/// If the database fails.
pub async fn of(db: impl PgExecutor<'_>, destination_ids: &[i64]) -> sqlx::Result<Vec<Track>> {
    sqlx::query_as!(
        Track,
        r#"select destination_id, twitch_id as "twitch_id: ChannelId", coalesce(twitch_user.login, track.login) as "login!",
            track.settings, track.created_at
        from track left join twitch_user on twitch_user.id = track.twitch_id
        where destination_id = any($1) order by track.id"#,
        destination_ids
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
        r#"with forgotten as (delete from track where twitch_id = $1),
        told as (delete from bot_event where body ->> 'twitch_id' = $1)
        delete from announcement where twitch_id = $1"#,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}
