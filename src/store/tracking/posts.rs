//! Table `post`: what is to be posted to Discord, and what became of it. A server claims destinations, commits what it is
//! about to send, sends it outside of any transaction, and commits what came of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use strum::{EnumString, IntoStaticStr};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::discord::snowflake::Snowflake;
use crate::twitch::id::{ChannelId, StreamId};

/// The state of a post.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Deserialize, EnumString, IntoStaticStr, Serialize, ToSchema, sqlx::Type,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum PostState {
    /// It waits for its turn, or to be tried again.
    Pending,
    /// Discord is being called.
    Sending,
    /// Discord has the message.
    Posted,
    /// Discord may have the message; it is not posted again.
    Uncertain,
    /// It is not wanted any more, or so soon after the last one, or the webhook is gone.
    Skipped,
    /// Discord refuses it.
    Failed,
    /// The message was deleted.
    Dismissed,
    /// It was too late to post it: the stream had ended, or for the message about the end, it goes on or ended long ago.
    Expired,
    /// The filter of the track leaves it out, as long as category and title are these.
    Filtered,
}

/// Which message about a broadcast it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, IntoStaticStr, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum PostKind {
    /// The one that says that it is live.
    #[default]
    Start,
    /// The one that says how long it was, if the track wants a message of its own for that.
    End,
}

/// The post that is due first in a destination that was claimed.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the tables, which db/migrations describes")]
pub struct DuePost {
    pub id: i64,
    pub bot_id: i64,
    pub destination_id: i64,
    pub guild_id: Option<Snowflake>,
    pub channel_id: Snowflake,
    pub webhook_id: Snowflake,
    pub token_sealed: Vec<u8>,
    /// Whether the bot is switched off.
    pub is_disabled: bool,
    pub kind: PostKind,
    pub state: PostState,
    pub lost_answers: i32,
    pub attempts: i32,
    pub failures: i32,
    /// Whether Discord has refused the name that the message was to have.
    pub is_name_refused: bool,
    pub message_id: Option<Snowflake>,
    pub extra_message_id: Option<Snowflake>,
    pub posted_channel_id: Option<Snowflake>,
    pub have_revision: i32,
    pub is_end_shown: bool,
    pub stream_id: StreamId,
    pub twitch_id: ChannelId,
    pub login: String,
    pub display_name: String,
    pub title: Option<String>,
    pub category_id: Option<String>,
    pub category_name: Option<String>,
    pub language: Option<String>,
    pub labels: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
    pub segments: Value,
    pub video_id: Option<String>,
    pub video_picture_url: Option<String>,
    /// Of the last minutes.
    pub viewers: Option<i64>,
    pub started_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
    pub wanted_at: OffsetDateTime,
    /// When a message about an earlier broadcast was last posted there, or may have been; looked up for new messages only.
    pub last_posted_at: Option<OffsetDateTime>,
    /// The post about the broadcast before, if it has a message, and when that broadcast ended; looked up for new messages only.
    pub earlier_post_id: Option<i64>,
    pub earlier_ended_at: Option<OffsetDateTime>,
    pub posted_at: Option<OffsetDateTime>,
    pub began_at: Option<OffsetDateTime>,
    pub edited_at: Option<OffsetDateTime>,
    pub revision: i32,
    /// The settings of the bot, the Discord channel and the track, of which the last counts; `None` if it is not tracked any more.
    pub settings: Option<Value>,
}

/// A post whose server ended while it called Discord: the message may be there.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the tables, which db/migrations describes")]
pub struct LostPost {
    pub id: i64,
    pub bot_id: i64,
    pub guild_id: Option<Snowflake>,
    pub channel_id: Snowflake,
    pub kind: PostKind,
    pub message_id: Option<Snowflake>,
    pub posted_channel_id: Option<Snowflake>,
    pub stream_id: StreamId,
    pub twitch_id: ChannelId,
    pub login: String,
}

/// What a server has claimed.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The destinations.
    pub destinations: Vec<i64>,
    /// What is due in them: at most one post each.
    pub due: Vec<DuePost>,
    /// Posts in them whose server ended while it called Discord. Others may be due first.
    pub lost: Vec<LostPost>,
}

/// Claims destinations that are due and not among `own`, until `until`.
///
/// # Errors
/// If the database fails.
pub async fn claim(
    conn: &mut PgConnection,
    server: i64,
    own: &[i64],
    limit: i64,
    (now, until): (OffsetDateTime, OffsetDateTime),
) -> sqlx::Result<Claim> {
    let destinations = sqlx::query_scalar!(
        "update destination set leased_by = $3, leased_until = $4, next_at = $4
        from (
            select id from (
                select id from destination
                where not is_edit_next and next_at <= $1 and state = 'ok' and (leased_until is null or leased_until <= $1)
                    and id <> all($5)
                order by next_at limit $2 for no key update skip locked
            ) as posts
            union all select id from (
                select id from destination
                where is_edit_next and next_at <= $1 and state = 'ok' and (leased_until is null or leased_until <= $1)
                    and id <> all($5)
                order by next_at limit $2 for no key update skip locked
            ) as edits
            limit $2
        ) as due
        where destination.id = due.id returning destination.id",
        now,
        limit,
        server,
        until,
        own
    );
    let destinations = destinations.fetch_all(&mut *conn).await?;
    if destinations.is_empty() {
        return Ok(Claim::default());
    }
    // Its lease has run out.
    let lost = sqlx::query_scalar!(
        "update post set state = case when message_id is null then 'pending' else 'posted' end, lost_answers = lost_answers + 1, failures = failures + 1, next_at = $2,
            problem = 'the server that called Discord ended before the answer came'
        where destination_id = any($1) and state = 'sending' returning id",
        &destinations,
        now
    );
    let lost = lost.fetch_all(&mut *conn).await?;
    let lost = lost_posts(&mut *conn, &lost).await?;
    let due = due(conn, &destinations, now).await?;
    Ok(Claim { destinations, due, lost })
}

/// What is told of these posts. Tables are read as in [`due`].
async fn lost_posts(conn: &mut PgConnection, ids: &[i64]) -> sqlx::Result<Vec<LostPost>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as!(
        LostPost,
        r#"select post.id, d.bot_id, d.guild_id as "guild_id: Snowflake", d.channel_id as "channel_id: Snowflake",
            post.kind as "kind: PostKind", post.message_id as "message_id: Snowflake",
            post.posted_channel_id as "posted_channel_id: Snowflake", a.stream_id as "stream_id: StreamId",
            a.twitch_id as "twitch_id: ChannelId", a.login
        from post cross join lateral (select * from destination where id = post.destination_id limit 1) as d
            cross join lateral (select * from announcement where stream_id = post.stream_id limit 1) as a
        where post.id = any($1)
        order by post.id"#,
        ids
    )
    .fetch_all(conn)
    .await
}

/// Each table is read by a key of the one before, in a subquery of its own: plans are kept, and one that was made while the
/// tables were empty would read the whole table for each destination.
async fn due(conn: &mut PgConnection, destinations: &[i64], now: OffsetDateTime) -> sqlx::Result<Vec<DuePost>> {
    sqlx::query_as!(
        DuePost,
        r#"select post.id, d.bot_id, d.id as destination_id, d.guild_id as "guild_id: Snowflake", d.channel_id as "channel_id: Snowflake",
            d.webhook_id as "webhook_id: Snowflake", d.token_sealed, bot.disabled_at is not null as "is_disabled!",
            post.kind as "kind: PostKind", post.state as "state: PostState", post.lost_answers, post.attempts, post.failures, post.is_name_refused,
            post.message_id as "message_id: Snowflake", post.extra_message_id as "extra_message_id: Snowflake",
            post.posted_channel_id as "posted_channel_id: Snowflake", post.have_revision, post.is_end_shown,
            a.stream_id as "stream_id: StreamId", a.twitch_id as "twitch_id: ChannelId", a.login, a.display_name, a.title,
            a.category_id, a.category_name, c.language as "language?", c.content_classification_labels as "labels?",
            a.tags, a.segments, a.video_id, a.video_picture_url, sample.viewers as "viewers?", a.started_at, a.ended_at,
            post.wanted_at, last.posted_at as last_posted_at, post.posted_at, post.began_at, post.edited_at,
            before.id as "earlier_post_id?", before.ended_at as earlier_ended_at, a.revision, bot.defaults || d.settings || track.settings as "settings?"
        from destination d join discord_bot bot on bot.id = d.bot_id
            cross join lateral (
                select * from post where post.destination_id = d.id and post.next_at <= $2
                order by post.state = 'pending' and post.kind = 'start' desc, post.next_at, post.id limit 1
            ) as post
            cross join lateral (select * from announcement where stream_id = post.stream_id limit 1) as a
            left join lateral (
                -- Among its tracks, which are few: those of the channel of Twitch may be in all destinations.
                select settings from (select twitch_id, settings from track where destination_id = d.id offset 0) as own
                where own.twitch_id = a.twitch_id
            ) as track on true
            left join lateral (select * from channel where id = a.twitch_id limit 1) as c on true
            left join lateral (
                select activity.viewers / activity.viewer_samples as viewers from activity
                where channel_id = a.twitch_id and viewer_samples > 0 and minute > $2::timestamptz - interval '10 minutes'
                order by minute desc limit 1
            ) as sample on a.ended_at is null
            left join lateral (
                select max(coalesce(other.posted_at, other.attempt_at)) as posted_at
                from announcement earlier cross join lateral (
                    select * from post where stream_id = earlier.stream_id and destination_id = d.id and kind = 'start' limit 1
                ) as other
                where earlier.twitch_id = a.twitch_id and earlier.stream_id <> a.stream_id
                    and earlier.started_at > a.started_at - interval '7 days'
                    and (other.posted_at is not null or other.lost_answers > 0)
                    and post.state = 'pending' and post.kind = 'start'
            ) as last on true
            left join lateral (
                select other.id, earlier.ended_at from announcement earlier cross join lateral (
                    select * from post where stream_id = earlier.stream_id and destination_id = d.id and kind = 'start' limit 1
                ) as other
                where earlier.twitch_id = a.twitch_id and earlier.stream_id <> a.stream_id
                    and earlier.ended_at between a.started_at - interval '1 day' and a.started_at
                    and other.state = 'posted' and other.message_id is not null
                    and post.state = 'pending' and post.kind = 'start'
                order by earlier.ended_at desc, other.id desc limit 1
            ) as before on true
        where d.id = any($1)
        order by post.state = 'pending' and post.kind = 'start' desc, post.next_at, post.id"#,
        destinations,
        now
    )
    .fetch_all(conn)
    .await
}

/// Records that Discord is about to be called for these posts.
///
/// # Errors
/// If the database fails.
pub async fn begin(db: impl PgExecutor<'_>, ids: &[i64], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "update post set state = case when state = 'pending' then 'sending' else state end, attempts = attempts + 1,
            attempt_at = $2
        where id = any($1)",
        ids,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A destination whose request has ended.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// The destination.
    pub id: i64,
    /// Until when Discord wants no request.
    pub not_before: Option<OffsetDateTime>,
}

/// Gives up the leases that this server has of these destinations, which the transaction has locked, and looks when they are
/// due next.
///
/// # Errors
/// If the database fails.
pub async fn release(db: impl PgExecutor<'_>, server: i64, released: &[Release]) -> sqlx::Result<()> {
    let (ids, times): (Vec<_>, Vec<_>) = released.iter().map(|it| (it.id, it.not_before)).unzip();
    sqlx::query!(
        "update destination set leased_by = null, leased_until = null,
            not_before = greatest(destination.not_before, released.not_before),
            next_at = case when due.at is not null then greatest(due.at, destination.not_before, released.not_before) end,
            is_edit_next = coalesce(due.is_edit, false)
        from unnest($2::bigint[], $3::timestamptz[]) as released (id, not_before)
            left join lateral (
                select min(next_at) as at, bool_and(state = 'posted' or kind = 'end') as is_edit from post
                where post.destination_id = released.id and post.next_at is not null
            ) as due on true
        where destination.id = released.id and destination.leased_by = $1",
        server,
        &ids,
        &times as &[Option<OffsetDateTime>]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// When the next destination is due that is not among `own`.
///
/// # Errors
/// If the database fails.
pub async fn next_at(db: impl PgExecutor<'_>, own: &[i64]) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        "select least(
            (select next_at from destination where not is_edit_next and next_at is not null and state = 'ok'
                and id <> all($1) order by next_at limit 1),
            (select next_at from destination where is_edit_next and next_at is not null and state = 'ok'
                and id <> all($1) order by next_at limit 1))",
        own
    )
    .fetch_one(db)
    .await
}

/// What `/status` shows of the posts.
#[derive(Clone, Debug, Default)]
pub struct PostSummary {
    /// Whether a bot may track anything.
    pub has_bots: bool,
    /// Destinations that have been due for a minute, and more.
    pub late: i64,
    /// Posts of the last day that may or may not be there.
    pub uncertain: i64,
    /// Posts that failed in the last hour.
    pub failed: i64,
    /// Why the newest of these failed.
    pub problem: Option<String>,
    /// Destinations whose webhook was deleted, or posts elsewhere.
    pub unusable: i64,
    /// Whether Discord wants no request at all now.
    pub is_stopped: bool,
    /// Requests of the last ten minutes that Discord counts as invalid.
    pub invalid: i32,
}

/// What `/status` shows of the posts.
///
/// # Errors
/// If the database fails.
pub async fn summary(db: impl PgExecutor<'_>) -> sqlx::Result<PostSummary> {
    sqlx::query_as!(
        PostSummary,
        r#"select exists (select from discord_bot) as "has_bots!",
            (select count(*) from destination where next_at < now() - interval '1 minute' and state = 'ok') as "late!",
            (select count(*) from post where state = 'uncertain' and attempt_at > now() - interval '1 day') as "uncertain!",
            (select count(*) from post where state = 'failed' and attempt_at > now() - interval '1 hour') as "failed!",
            (select problem from post where state = 'failed' and attempt_at > now() - interval '1 hour'
                order by id desc limit 1) as problem,
            (select count(*) from destination where state <> 'ok') as "unusable!",
            coalesce(egress.not_before > now(), false) as "is_stopped!",
            case when egress.invalid_since > now() - interval '10 minutes' then egress.invalid_count else 0 end as "invalid!"
        from egress"#
    )
    .fetch_one(db)
    .await
}

/// How many new messages, and how many edits, wait: by `post` and `edit`.
///
/// # Errors
/// If the database fails.
pub async fn waiting(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select case when state = 'posted' then 'edit' else 'post' end as "kind!", count(*) as "count!"
        from post where next_at is not null group by 1 order by 1"#
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.kind, row.count)).collect())
}
