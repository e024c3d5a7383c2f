//! Table `viewer`: what somebody has done on a channel.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::column;
use crate::stream::{Latest, Stamp, State, Subscribed, Tally, Viewer};

type Viewers = BTreeMap<(String, String), Viewer>;

struct Row {
    channel_id: String,
    user_id: String,
    first_followed_at: Option<OffsetDateTime>,
    first_bits_at: Option<OffsetDateTime>,
    bits: i64,
    cheers: i64,
    first_gift_at: Option<OffsetDateTime>,
    gifts: i64,
    gift_events: i64,
    first_raid_at: Option<OffsetDateTime>,
    raids: i64,
    raid_viewers: i64,
    is_subscribed: Option<bool>,
    subscription_tier: Option<String>,
    subscription_at: Option<OffsetDateTime>,
    subscription_by: Option<String>,
    subscription_began_at: Option<OffsetDateTime>,
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
    fn told(viewer: &Viewer) -> Option<&Latest<Subscribed>> {
        viewer.subscription.as_ref()
    }
    if state.viewers.is_empty() {
        return Ok(());
    }
    let viewers = &state.viewers;
    let (channels, users): (Vec<_>, Vec<_>) =
        viewers.keys().map(|(channel, user)| (channel.as_str(), user.as_str())).unzip();
    sqlx::query!(
        r#"
        insert into viewer (
            channel_id, user_id, first_followed_at, first_bits_at, bits, cheers, first_gift_at, gifts, gift_events,
            first_raid_at, raids, raid_viewers, is_subscribed, subscription_tier, subscription_at, subscription_by,
            subscription_began_at, subscription_ended_at, subscription_months
        )
        select * from unnest(
            $1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::bigint[],
            $7::timestamptz[], $8::bigint[], $9::bigint[], $10::timestamptz[], $11::bigint[], $12::bigint[],
            $13::bool[], $14::text[], $15::timestamptz[], $16::text[], $17::timestamptz[], $18::timestamptz[],
            $19::bigint[]
        )
        on conflict (channel_id, user_id) do update set
            first_followed_at = excluded.first_followed_at, first_bits_at = excluded.first_bits_at,
            bits = excluded.bits, cheers = excluded.cheers, first_gift_at = excluded.first_gift_at,
            gifts = excluded.gifts, gift_events = excluded.gift_events, first_raid_at = excluded.first_raid_at,
            raids = excluded.raids, raid_viewers = excluded.raid_viewers, is_subscribed = excluded.is_subscribed,
            subscription_tier = excluded.subscription_tier, subscription_at = excluded.subscription_at,
            subscription_by = excluded.subscription_by, subscription_began_at = excluded.subscription_began_at,
            subscription_ended_at = excluded.subscription_ended_at,
            subscription_months = excluded.subscription_months
        "#,
        &channels as &[&str],
        &users as &[&str],
        &column(viewers, |viewer| viewer.first_followed_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.bits.first_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.bits.total),
        &column(viewers, |viewer| viewer.bits.count),
        &column(viewers, |viewer| viewer.gifts.first_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.gifts.total),
        &column(viewers, |viewer| viewer.gifts.count),
        &column(viewers, |viewer| viewer.raids.first_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.raids.count),
        &column(viewers, |viewer| viewer.raids.total),
        &column(viewers, |viewer| told(viewer).map(|word| word.value.is_active)) as &[Option<bool>],
        &column(viewers, |viewer| told(viewer).map(|word| word.value.tier.as_str())) as &[Option<&str>],
        &column(viewers, |viewer| told(viewer).map(|word| word.stamp.at)) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| told(viewer).map(|word| word.stamp.by.as_str())) as &[Option<&str>],
        &column(viewers, |viewer| viewer.subscription_began_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.subscription_ended_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.subscription_months) as &[Option<i64>],
    )
    .execute(conn)
    .await?;
    Ok(())
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
