//! Table `viewer`: what somebody has done on a channel.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::column;
use crate::stream::{Latest, State, Subscribed, Viewer};

pub(super) async fn add(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
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
        insert into viewer as known (
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
            first_followed_at = least(known.first_followed_at, excluded.first_followed_at),
            first_bits_at = least(known.first_bits_at, excluded.first_bits_at),
            bits = known.bits + excluded.bits, cheers = known.cheers + excluded.cheers,
            first_gift_at = least(known.first_gift_at, excluded.first_gift_at),
            gifts = known.gifts + excluded.gifts, gift_events = known.gift_events + excluded.gift_events,
            first_raid_at = least(known.first_raid_at, excluded.first_raid_at),
            raids = known.raids + excluded.raids, raid_viewers = known.raid_viewers + excluded.raid_viewers,
            (is_subscribed, subscription_tier, subscription_at, subscription_by) = (
                select told.* from (values
                    (known.is_subscribed, known.subscription_tier, known.subscription_at, known.subscription_by),
                    (excluded.is_subscribed, excluded.subscription_tier, excluded.subscription_at,
                        excluded.subscription_by)
                ) as told (is_subscribed, tier, at, by)
                order by told.at desc nulls last, told.by desc
                limit 1
            ),
            subscription_began_at = greatest(known.subscription_began_at, excluded.subscription_began_at),
            subscription_ended_at = greatest(known.subscription_ended_at, excluded.subscription_ended_at),
            subscription_months = greatest(known.subscription_months, excluded.subscription_months)
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
