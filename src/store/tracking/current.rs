//! Posts about broadcasts that are live already when they are wanted.

use sqlx::{Acquire as _, PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::announcements::{self, Begun};
use super::spread;
use crate::store::LogId;
use crate::store::signals::Channel;
use crate::twitch::id::{ChannelId, StreamId};

/// The id of the newest event that concerns announcements, and how far they have followed the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The newest event of the types.
    pub newest: LogId,
    /// The event up to which streams are announced.
    pub cursor: LogId,
}

/// How far announcements, which events of these types concern, have followed the log.
///
/// # Errors
/// If the database fails.
pub async fn followed(db: impl PgExecutor<'_>, types: &[&str]) -> sqlx::Result<Followed> {
    sqlx::query_as!(
        Followed,
        r#"select (
                select coalesce(max(newest.id), 0) from unnest($1::text[]) as kind (name)
                cross join lateral (select id from event where type = kind.name order by type desc, id desc limit 1) newest
            ) as "newest!: LogId",
            coalesce((select cursor from follower where name = 'announcements'), 0) as "cursor!: LogId""#,
        types as &[&str]
    )
    .fetch_one(db)
    .await
}

/// Makes the post about the broadcast that is live on a channel, if there is one, unless this destination has a post about it. True
/// if it was made. All streams that are known must be announced where they were tracked before.
///
/// # Errors
/// If the database fails.
pub async fn announce(
    conn: &mut PgConnection,
    destination_id: i64,
    twitch_id: &ChannelId,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let mut transaction = conn.begin().await?;
    let live = sqlx::query_scalar!(
        r#"select id as "id: StreamId" from stream where channel_id = $1 and ended_at is null and started_at is not null
            and type is distinct from 'rerun'
        order by started_at desc, id limit 1"#,
        twitch_id.as_str()
    );
    let Some(live) = live.fetch_optional(&mut *transaction).await? else { return Ok(false) };
    spread::lock(&mut transaction, &[destination_id]).await?;
    let begun = Begun { stream_id: live.clone(), received_at: now };
    if announcements::begin(&mut *transaction, &[begun], now).await? > 0 {
        // It was not tracked when it began: of all tracks only this one is to have a post.
        sqlx::query!(
            "update announcement set is_expanded = true, spread_at = null where stream_id = $1",
            live.as_str()
        )
        .execute(&mut *transaction)
        .await?;
    }
    let made = sqlx::query!(
        "insert into post (stream_id, destination_id, wanted_at, next_at)
        select a.stream_id, $2, $3, $3
        from announcement a join stream known on known.id = a.stream_id join stream live on live.broadcast_id = known.broadcast_id
        where live.id = $1 and a.ended_at is null
        on conflict (stream_id, destination_id, kind) do nothing",
        live.as_str(),
        destination_id,
        now
    );
    let is_made = made.execute(&mut *transaction).await?.rows_affected() > 0;
    if is_made {
        spread::wake(&mut transaction, &[(destination_id, now)], now).await?;
        Channel::Post.notify(&mut transaction, "").await?;
    }
    transaction.commit().await?;
    Ok(is_made)
}
