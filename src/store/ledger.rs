//! The messages of a load run and the rows that follow from them. A run is identified by the ranges of its message ids and its
//! channel ids.

use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use time::OffsetDateTime;

/// A message of the run.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The message id.
    pub message_id: String,
    /// When it was sent.
    pub occurred_at: OffsetDateTime,
}

/// A row of `viewer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the same names")]
pub struct Viewer {
    pub first_followed_at: Option<OffsetDateTime>,
    pub first_bits_at: Option<OffsetDateTime>,
    pub bits: i64,
    pub cheers: i64,
    pub first_gift_at: Option<OffsetDateTime>,
    pub gifts: i64,
    pub gift_events: i64,
    pub first_raid_at: Option<OffsetDateTime>,
    pub raids: i64,
    pub raid_viewers: i64,
    pub subscription: Option<Box<Subscribed>>,
}

/// The columns of `viewer` about a subscription; null for viewers without a message about one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the same names, after `subscription_`")]
pub struct Subscribed {
    pub is_subscribed: bool,
    pub tier: String,
    pub at: OffsetDateTime,
    pub by: String,
    pub began_at: Option<OffsetDateTime>,
    pub ended_at: Option<OffsetDateTime>,
    pub months: Option<i64>,
}

/// The derived columns of `stream`, and those that identify it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the same names")]
pub struct Stream {
    pub channel_id: String,
    pub started_at: Option<OffsetDateTime>,
    pub ended_at: Option<OffsetDateTime>,
    pub is_end_estimated: bool,
    pub broadcast_id: Option<String>,
}

/// The columns of `channel` about anonymous users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the same names")]
pub struct Anonymous {
    pub bits: i64,
    pub gifts: i64,
}

/// Begins a transaction that sees the database as it is now.
///
/// # Errors
/// If the database fails.
pub async fn snapshot(conn: &mut PgConnection) -> sqlx::Result<Transaction<'_, Postgres>> {
    let mut snapshot = conn.begin_with("begin isolation level repeatable read, read only").await?;
    sqlx::query!("set local statement_timeout = '60s'").execute(&mut *snapshot).await?;
    Ok(snapshot)
}

/// Those of these message ids that the log has.
///
/// # Errors
/// If the database fails.
pub async fn known(conn: &mut PgConnection, message_ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select message_id from event where message_id = any($1)", message_ids).fetch_all(conn).await
}

/// A page of the messages with ids after `after` and up to `last`, in the order of the ids.
///
/// # Errors
/// If the database fails.
pub async fn messages(conn: &mut PgConnection, after: &str, last: &str, limit: i64) -> sqlx::Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"
        select message_id, occurred_at from event
        where message_id > $1 and message_id <= $2 order by message_id limit $3
        "#,
        after,
        last,
        limit
    )
    .fetch_all(conn)
    .await
}

/// A page of the viewers after a channel and user id and up to the channel `last`, with the ids of channel and user.
///
/// # Errors
/// If the database fails.
pub async fn viewers(
    conn: &mut PgConnection,
    after: (&str, &str),
    last: &str,
    limit: i64,
) -> sqlx::Result<Vec<(String, String, Viewer)>> {
    let rows = sqlx::query!(
        r#"
        select channel_id, user_id, first_followed_at, first_bits_at, bits, cheers, first_gift_at, gifts, gift_events,
            first_raid_at, raids, raid_viewers, is_subscribed, subscription_tier, subscription_at, subscription_by,
            subscription_began_at, subscription_ended_at, subscription_months
        from viewer
        where (channel_id, user_id) > ($1, $2) and channel_id <= $3
        order by channel_id, user_id limit $4
        "#,
        after.0,
        after.1,
        last,
        limit
    )
    .fetch_all(conn)
    .await?;
    let viewers = rows.into_iter().map(|row| {
        let stamp = row.subscription_at.zip(row.subscription_by);
        let subscription = stamp.zip(row.is_subscribed.zip(row.subscription_tier));
        let viewer = Viewer {
            first_followed_at: row.first_followed_at,
            first_bits_at: row.first_bits_at,
            bits: row.bits,
            cheers: row.cheers,
            first_gift_at: row.first_gift_at,
            gifts: row.gifts,
            gift_events: row.gift_events,
            first_raid_at: row.first_raid_at,
            raids: row.raids,
            raid_viewers: row.raid_viewers,
            subscription: subscription.map(|((at, by), (is_subscribed, tier))| {
                Box::new(Subscribed {
                    is_subscribed,
                    tier,
                    at,
                    by,
                    began_at: row.subscription_began_at,
                    ended_at: row.subscription_ended_at,
                    months: row.subscription_months,
                })
            }),
        };
        (row.channel_id, row.user_id, viewer)
    });
    Ok(viewers.collect())
}

/// A page of the streams of the channels from `first` to `last`, after the stream id `after`, with their ids.
///
/// # Errors
/// If the database fails.
pub async fn streams(
    conn: &mut PgConnection,
    after: &str,
    [first, last]: [&str; 2],
    limit: i64,
) -> sqlx::Result<Vec<(String, Stream)>> {
    let rows = sqlx::query!(
        r#"
        select id, channel_id, started_at, ended_at, is_end_estimated, broadcast_id from stream
        where id > $1 and channel_id between $2 and $3 order by id limit $4
        "#,
        after,
        first,
        last,
        limit
    )
    .fetch_all(conn)
    .await?;
    let streams = rows.into_iter().map(|row| {
        let stream = Stream {
            channel_id: row.channel_id,
            started_at: row.started_at,
            ended_at: row.ended_at,
            is_end_estimated: row.is_end_estimated,
            broadcast_id: row.broadcast_id,
        };
        (row.id, stream)
    });
    Ok(streams.collect())
}

/// The channels from `first` to `last`, with their ids.
///
/// # Errors
/// If the database fails.
pub async fn channels(conn: &mut PgConnection, [first, last]: [&str; 2]) -> sqlx::Result<Vec<(String, Anonymous)>> {
    let rows =
        sqlx::query!("select id, anonymous_bits, anonymous_gifts from channel where id between $1 and $2", first, last)
            .fetch_all(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, Anonymous { bits: row.anonymous_bits, gifts: row.anonymous_gifts }))
        .collect())
}
