//! What happened on a channel, in sums.

use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use strum::IntoStaticStr;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::twitch::id::ChannelId;

/// What happened during a broadcast, from the minute in which it began to the one in which it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Totals {
    /// Viewers who followed for the first time.
    pub followers: i64,
    /// Subscriptions that began, without those that were given away.
    pub subscriptions: i64,
    /// Renewals that subscribers announced.
    pub resubscriptions: i64,
    /// Subscriptions given away.
    pub gifts: i64,
    /// Bits cheered.
    pub bits: i64,
    /// Raids into the channel.
    pub raids: i64,
    /// Viewers brought along by them.
    pub raid_viewers: i64,
    /// Rewards redeemed for channel points.
    pub redemptions: i64,
    /// Chat messages.
    pub messages: i64,
    /// Viewers on average; `null` if no sample was taken.
    pub viewers_average: Option<i64>,
    /// The most viewers of a sample; `null` if none was taken.
    pub viewers_peak: Option<i64>,
}

/// What a series shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the fields of Totals, and the number of viewers")]
pub enum Metric {
    Followers,
    Subscriptions,
    Resubscriptions,
    Gifts,
    Bits,
    Raids,
    RaidViewers,
    Redemptions,
    Messages,
    Viewers,
}

/// The sum of a span of time that begins then; of viewers the average.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Point {
    /// When it begins.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The sum, or the average.
    pub value: i64,
}

/// The sums of a channel's spans of so many seconds from `since` to `until`, oldest first, without those of 0; of viewers the
/// averages of those with samples. Spans begin at multiples of their length since 1970, in UTC.
///
/// # Errors
/// If the database fails.
pub async fn series(
    db: impl PgExecutor<'_>,
    channel_id: &ChannelId,
    metric: Metric,
    seconds: f64,
    since: OffsetDateTime,
    until: OffsetDateTime,
) -> sqlx::Result<Vec<Point>> {
    let metric: &str = metric.into();
    sqlx::query_as!(
        Point,
        r#"select date_bin(make_interval(secs => $3), at, 'epoch') as "at!",
            (case $2 when 'viewers' then round(sum(value) / sum(samples)) else sum(value) end)::bigint as "value!"
        from (
            select minute as at,
                case $2 when 'subscriptions' then subscriptions when 'resubscriptions' then resubscriptions when 'gifts' then gifts
                    when 'bits' then bits when 'raids' then raids when 'raid_viewers' then raid_viewers
                    when 'redemptions' then redemptions when 'messages' then messages when 'viewers' then viewers end as value,
                viewer_samples as samples
            from activity where $2 <> 'followers' and channel_id = $1 and minute >= $4 and minute < $5
            union all
            select first_followed_at, 1, 0 from viewer
            where $2 = 'followers' and channel_id = $1 and first_followed_at >= $4 and first_followed_at < $5
        ) as counted where case $2 when 'viewers' then samples > 0 else value > 0 end group by 1 order by 1"#,
        channel_id.as_str(),
        metric,
        seconds,
        since,
        until
    )
    .fetch_all(db)
    .await
}
