//! The table `gap`: when messages of a channel may have been lost.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::message::{Content, Event};
use crate::store::Order;
use crate::twitch::id::{ChannelId, UserId};
use crate::twitch::payload;

/// Follows that are compared with Twitch's API.
const MAX_FOLLOWS: i64 = 20_000;

/// A gap.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of gap, which db/migrations describes")]
pub struct Gap {
    pub id: i64,
    pub channel_id: ChannelId,
    pub began_at: OffsetDateTime,
    pub ended_at: OffsetDateTime,
    pub cause: String,
    pub looked_up_at: Option<OffsetDateTime>,
    pub found: i64,
}

/// Records a gap, which is still to be looked up.
///
/// # Errors
/// If the database fails.
pub async fn record(
    conn: &mut PgConnection,
    channel: &ChannelId,
    began_at: OffsetDateTime,
    ended_at: OffsetDateTime,
    cause: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into gap (channel_id, began_at, ended_at, cause) values ($1, $2, $3, $4)",
        channel.as_str(),
        began_at,
        ended_at,
        cause
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the gaps of a channel that is forgotten.
///
/// # Errors
/// If the database fails.
pub(super) async fn forget(conn: &mut PgConnection, channel: &ChannelId) -> sqlx::Result<()> {
    sqlx::query!("delete from gap where channel_id = $1", channel.as_str()).execute(conn).await?;
    Ok(())
}

/// The next 100 gaps with an id after `after`, of the last day, whose look-up is due, by id: once when messages have come again
/// for `settling`, and once more after `lag`, when Twitch's API has caught up.
///
/// # Errors
/// If the database fails.
pub async fn due(
    db: impl PgExecutor<'_>,
    after: i64,
    now: OffsetDateTime,
    settling: Duration,
    lag: Duration,
) -> sqlx::Result<Vec<Gap>> {
    sqlx::query_as!(
        Gap,
        r#"select id, channel_id as "channel_id: ChannelId", began_at, ended_at, cause, looked_up_at, found from gap
        where ended_at > $1::timestamptz - interval '1 day' and case
            when looked_up_at is null then ended_at <= $2
            else looked_up_at < ended_at + make_interval(secs => $4) and ended_at <= $3 end
            and id > $5
        order by id limit 100"#,
        now,
        now - settling,
        now - lag,
        lag.as_secs_f64(),
        after
    )
    .fetch_all(db)
    .await
}

/// Records that a gap was looked up, and how many missed events that showed.
///
/// # Errors
/// If the database fails.
pub async fn record_look_up(conn: &mut PgConnection, id: i64, at: OffsetDateTime, found: usize) -> sqlx::Result<()> {
    let found = i64::try_from(found).unwrap_or(i64::MAX);
    sqlx::query!("update gap set looked_up_at = $2, found = found + $3 where id = $1", id, at, found)
        .execute(conn)
        .await?;
    Ok(())
}

/// The follows of a channel that the log has since this time: who, and when in whole seconds.
///
/// # Errors
/// If the database fails.
pub async fn known_follows(
    conn: &mut PgConnection,
    channel: &ChannelId,
    since: OffsetDateTime,
) -> sqlx::Result<HashSet<(UserId, i64)>> {
    let rows = sqlx::query!(
        r#"select occurred_at, payload::text as "payload!" from (
            select id, occurred_at, payload from event
            where channel_id = $1 and type = 'channel.follow' and not is_test order by id desc limit $3
        ) as newest where occurred_at >= $2"#,
        channel.as_str(),
        since,
        MAX_FOLLOWS
    )
    .fetch_all(conn)
    .await?;
    let follow = |at: OffsetDateTime, payload: &str| match Content::read(payload).ok()?.event? {
        Event::Twitch(payload::Event::Follow(it)) => Some((it.user.id, it.followed_at.unwrap_or(at).unix_timestamp())),
        _ => None,
    };
    Ok(rows.iter().filter_map(|row| follow(row.occurred_at, &row.payload)).collect())
}

/// A channel's gaps, newest first, starting after the one with this beginning and id.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    channel: &ChannelId,
    order: Order,
    after: Option<(OffsetDateTime, i64)>,
    limit: i64,
) -> sqlx::Result<Vec<Gap>> {
    macro_rules! page {
        ($behind:tt, $direction:tt) => {
            sqlx::query_as!(
                Gap,
                r#"select id, channel_id as "channel_id: ChannelId", began_at, ended_at, cause, looked_up_at, found from gap
                where channel_id = $1 and ($2::timestamptz is null or (began_at, id) "# + $behind + r#" ($2, $3::bigint))
                order by began_at "# + $direction + ", id " + $direction + " limit $4",
                channel.as_str(),
                after.map(|(began_at, _)| began_at),
                after.map(|(_, id)| id),
                limit
            )
            .fetch_all(db)
            .await
        };
    }
    match order {
        Order::Asc => page!(">", "asc"),
        Order::Desc => page!("<", "desc"),
    }
}

/// The gaps that ended in the last day by the database's clock, newest first.
///
/// # Errors
/// If the database fails.
pub async fn recent(db: impl PgExecutor<'_>, limit: i64) -> sqlx::Result<Vec<Gap>> {
    sqlx::query_as!(
        Gap,
        r#"select id, channel_id as "channel_id: ChannelId", began_at, ended_at, cause, looked_up_at, found from gap
        where ended_at > now() - interval '1 day' order by ended_at desc, id desc limit $1"#,
        limit
    )
    .fetch_all(db)
    .await
}
