//! Table `viewer`: what somebody has done on a channel.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::stream::{Latest, Stamp, State, Subscribed, Tally, Viewer};

type Viewers = BTreeMap<(String, String), Viewer>;

#[derive(Serialize)]
struct Row {
    channel_id: String,
    user_id: String,
    #[serde(with = "time::serde::rfc3339::option")]
    first_followed_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    first_bits_at: Option<OffsetDateTime>,
    bits: i64,
    cheers: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    first_gift_at: Option<OffsetDateTime>,
    gifts: i64,
    gift_events: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    first_raid_at: Option<OffsetDateTime>,
    raids: i64,
    raid_viewers: i64,
    is_subscribed: Option<bool>,
    subscription_tier: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    subscription_at: Option<OffsetDateTime>,
    subscription_by: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    subscription_began_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    subscription_ended_at: Option<OffsetDateTime>,
    subscription_months: Option<i64>,
}

pub(super) async fn load(conn: &mut PgConnection, touched: &State) -> sqlx::Result<Viewers> {
    if touched.viewers.is_empty() {
        return Ok(Viewers::new());
    }
    let (channels, users): (Vec<_>, Vec<_>) = touched.viewers.keys().cloned().unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select v.channel_id, v.user_id, v.first_followed_at, v.first_bits_at, v.bits, v.cheers,
            v.first_gift_at, v.gifts, v.gift_events, v.first_raid_at, v.raids, v.raid_viewers,
            v.is_subscribed, v.subscription_tier, v.subscription_at, v.subscription_by,
            v.subscription_began_at, v.subscription_ended_at, v.subscription_months
        from viewer as v join unnest($1::text[], $2::text[]) as touched (channel_id, user_id) using (channel_id, user_id)
        "#,
        &channels,
        &users
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.channel_id.clone(), row.user_id.clone()), row.into())).collect())
}

pub(super) async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    if state.viewers.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> =
        state.viewers.iter().map(|((channel, user), viewer)| Row::new(channel, user, viewer)).collect();
    sqlx::query!(
        r#"
        insert into viewer select * from jsonb_populate_recordset(null::viewer, $1)
        on conflict (channel_id, user_id) do update set
            first_followed_at = excluded.first_followed_at,
            first_bits_at = excluded.first_bits_at, bits = excluded.bits, cheers = excluded.cheers,
            first_gift_at = excluded.first_gift_at, gifts = excluded.gifts, gift_events = excluded.gift_events,
            first_raid_at = excluded.first_raid_at, raids = excluded.raids, raid_viewers = excluded.raid_viewers,
            is_subscribed = excluded.is_subscribed, subscription_tier = excluded.subscription_tier,
            subscription_at = excluded.subscription_at, subscription_by = excluded.subscription_by,
            subscription_began_at = excluded.subscription_began_at,
            subscription_ended_at = excluded.subscription_ended_at,
            subscription_months = excluded.subscription_months
        "#,
        Json(rows) as _
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl Row {
    fn new(channel_id: &str, user_id: &str, viewer: &Viewer) -> Self {
        let (stamp, subscribed) = viewer.subscription.clone().map(|latest| (latest.stamp, latest.value)).unzip();
        let (subscription_at, subscription_by) = stamp.map(|stamp: Stamp| (stamp.at, stamp.by)).unzip();
        let (is_subscribed, subscription_tier) =
            subscribed.map(|subscribed: Subscribed| (subscribed.is_active, subscribed.tier)).unzip();
        Self {
            channel_id: channel_id.to_owned(),
            user_id: user_id.to_owned(),
            first_followed_at: viewer.first_followed_at,
            first_bits_at: viewer.bits.first_at,
            bits: viewer.bits.total,
            cheers: viewer.bits.count,
            first_gift_at: viewer.gifts.first_at,
            gifts: viewer.gifts.total,
            gift_events: viewer.gifts.count,
            first_raid_at: viewer.raids.first_at,
            raids: viewer.raids.count,
            raid_viewers: viewer.raids.total,
            is_subscribed,
            subscription_tier,
            subscription_at,
            subscription_by,
            subscription_began_at: viewer.subscription_began_at,
            subscription_ended_at: viewer.subscription_ended_at,
            subscription_months: viewer.subscription_months,
        }
    }
}

impl From<Row> for Viewer {
    fn from(row: Row) -> Self {
        let stamp = row.subscription_at.zip(row.subscription_by).map(|(at, by)| Stamp { at, by });
        let subscribed = row.is_subscribed.zip(row.subscription_tier);
        Self {
            first_followed_at: row.first_followed_at,
            bits: Tally { first_at: row.first_bits_at, total: row.bits, count: row.cheers },
            gifts: Tally { first_at: row.first_gift_at, total: row.gifts, count: row.gift_events },
            raids: Tally { first_at: row.first_raid_at, total: row.raid_viewers, count: row.raids },
            subscription: stamp
                .zip(subscribed)
                .map(|(stamp, (is_active, tier))| Latest { stamp, value: Subscribed { is_active, tier } }),
            subscription_began_at: row.subscription_began_at,
            subscription_ended_at: row.subscription_ended_at,
            subscription_months: row.subscription_months,
        }
    }
}
