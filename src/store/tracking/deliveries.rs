//! Table `post` as bots see it, and what they say of posts that may or may not be there.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::posts::{PostKind, PostState};
use super::spread;
use crate::discord::snowflake::Snowflake;
use crate::store::signals::Channel;
use crate::twitch::id::{ChannelId, StreamId};

/// A post.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the tables, which db/migrations describes")]
pub struct Delivery {
    pub id: i64,
    pub channel_id: Snowflake,
    pub guild_id: Option<Snowflake>,
    pub twitch_id: ChannelId,
    pub login: String,
    pub stream_id: StreamId,
    pub kind: PostKind,
    pub state: PostState,
    pub message_id: Option<Snowflake>,
    pub lost_answers: i32,
    pub attempts: i32,
    pub attempt_at: Option<OffsetDateTime>,
    pub posted_at: Option<OffsetDateTime>,
    pub next_at: Option<OffsetDateTime>,
    pub problem: Option<String>,
}

/// Which posts to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryFilter {
    /// Only those in this state.
    pub state: Option<PostState>,
    /// Only those in this Discord channel.
    pub channel_id: Option<Snowflake>,
}

/// A page of a bot's posts, by id, behind this one.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    bot_id: i64,
    filter: DeliveryFilter,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as!(
        Delivery,
        r#"select post.id, d.channel_id as "channel_id: Snowflake", d.guild_id as "guild_id: Snowflake",
            a.twitch_id as "twitch_id: ChannelId", a.login, a.stream_id as "stream_id: StreamId", post.kind as "kind: PostKind",
            post.state as "state: PostState", post.message_id as "message_id: Snowflake", post.lost_answers, post.attempts, post.attempt_at, post.posted_at,
            post.next_at, post.problem
        from post join destination d on d.id = post.destination_id join announcement a on a.stream_id = post.stream_id
        where d.bot_id = $1 and post.id > $2 and ($3::text is null or post.state = $3)
            and ($4::bigint is null or d.channel_id = $4)
        order by post.id limit $5"#,
        bot_id,
        after,
        filter.state.map(<&str>::from),
        filter.channel_id.map(|id| id.0),
        limit
    )
    .fetch_all(db)
    .await
}

/// A bot's post, and its destination, locked until the transaction ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(conn: &mut PgConnection, bot_id: i64, id: i64) -> sqlx::Result<Option<(i64, Delivery)>> {
    // As the executor does: the destination first.
    let destination = sqlx::query_scalar!(
        "select d.id from post join destination d on d.id = post.destination_id
        where d.bot_id = $1 and post.id = $2 for no key update of d",
        bot_id,
        id
    );
    let Some(destination_id) = destination.fetch_optional(&mut *conn).await? else { return Ok(None) };
    let found = page(conn, bot_id, DeliveryFilter::default(), id - 1, 1).await?.pop();
    Ok(found.filter(|found| found.id == id).map(|found| (destination_id, found)))
}

/// Records what the bot says of a post whose answer was lost: it is this message, which is edited to what is to be said now; or it
/// is not there, and is posted. If it was posted again, that message is deleted once the first one was edited.
///
/// # Errors
/// If the database fails.
pub async fn settle(
    conn: &mut PgConnection,
    (destination_id, id): (i64, i64),
    message_id: Option<Snowflake>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update post set
            -- What Discord is called for now is looked at when its answer is there.
            state = case when state = 'sending' then state when $2::bigint is null then 'pending' else 'posted' end,
            extra_message_id = case when message_id <> $2 then message_id end, message_id = $2, posted_channel_id = null,
            posted_at = case when $2::bigint is null then null else coalesce(posted_at, attempt_at, $3) end,
            have_revision = 0, lost_answers = 0, problem = null, next_at = $3,
            -- What comes of an edit under way says nothing of this message.
            attempts = attempts + case when state = 'posted' then 1 else 0 end
        where id = $1",
        id,
        message_id.map(|id| id.0),
        now
    )
    .execute(&mut *conn)
    .await?;
    spread::wake(&mut *conn, &[(destination_id, now)], now).await?;
    Channel::Post.notify(conn, "").await
}
