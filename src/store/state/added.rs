//! Tables `twitch_user`, `channel`, `viewer` and `subscription`: what merges row by row.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::{column, keys};
use crate::projection::{Channel, ChannelInfo, Latest, Stamp, State, Subscribed, Viewer};

/// A row of `channel`. The columns from `title` to `updated_by` are null until a `channel.update` came.
#[derive(Serialize)]
struct ChannelRow {
    id: String,
    title: Option<String>,
    language: Option<String>,
    category_id: Option<String>,
    category_name: Option<String>,
    content_classification_labels: Option<Vec<String>>,
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    updated_by: Option<String>,
    anonymous_bits: i64,
    anonymous_gifts: i64,
}

/// Adds to each row what was told of it. All tables in one statement: most batches touch them all, and
/// each round trip makes everybody wait who is in the batch.
pub(super) async fn add(conn: &mut PgConnection, told: &State) -> sqlx::Result<()> {
    fn subscribed(viewer: &Viewer) -> Option<&Latest<Subscribed>> {
        viewer.subscription.as_ref()
    }
    let State { users, channels, viewers, subscriptions, .. } = told;
    if users.is_empty() && channels.is_empty() && viewers.is_empty() && subscriptions.is_empty() {
        return Ok(());
    }
    let channels: Vec<ChannelRow> = channels.iter().map(|(id, channel)| ChannelRow::new(id, channel)).collect();
    let (viewer_channels, viewer_users): (Vec<_>, Vec<_>) =
        viewers.keys().map(|(channel, user)| (channel.as_str(), user.as_str())).unzip();
    sqlx::query!(
        r#"
        with users as (
            insert into twitch_user as known (id, login, display_name, named_at, named_by)
            select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
            on conflict (id) do update set
                login = excluded.login, display_name = excluded.display_name,
                named_at = excluded.named_at, named_by = excluded.named_by
            where (excluded.named_at, excluded.named_by) > (known.named_at, known.named_by)
        ), channels as (
            insert into channel as known select * from jsonb_populate_recordset(null::channel, $6)
            on conflict (id) do update set
                (title, language, category_id, category_name, content_classification_labels, updated_at, updated_by) = (
                    select told.* from (values
                        (known.title, known.language, known.category_id, known.category_name,
                            known.content_classification_labels, known.updated_at, known.updated_by),
                        (excluded.title, excluded.language, excluded.category_id, excluded.category_name,
                            excluded.content_classification_labels, excluded.updated_at, excluded.updated_by)
                    ) as told (title, language, category_id, category_name, labels, at, by)
                    order by told.at desc nulls last, told.by desc
                    limit 1
                ),
                anonymous_bits = known.anonymous_bits + excluded.anonymous_bits,
                anonymous_gifts = known.anonymous_gifts + excluded.anonymous_gifts
            where excluded.updated_at is not null or excluded.anonymous_bits > 0 or excluded.anonymous_gifts > 0
        ), viewers as (
            insert into viewer as known (
                channel_id, user_id, first_followed_at, first_bits_at, bits, cheers, first_gift_at, gifts, gift_events,
                first_raid_at, raids, raid_viewers, is_subscribed, subscription_tier, subscription_at, subscription_by,
                subscription_began_at, subscription_ended_at, subscription_months
            )
            select * from unnest(
                $7::text[], $8::text[], $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::bigint[],
                $13::timestamptz[], $14::bigint[], $15::bigint[], $16::timestamptz[], $17::bigint[], $18::bigint[],
                $19::bool[], $20::text[], $21::timestamptz[], $22::text[], $23::timestamptz[], $24::timestamptz[],
                $25::bigint[]
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
        )
        insert into subscription as known
            (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        select id, type, version, condition::json, transport::json, cost, created_at, status, status_at, status_by
        from unnest($26::text[], $27::text[], $28::text[], $29::text[], $30::text[], $31::int[], $32::timestamptz[],
                $33::text[], $34::timestamptz[], $35::text[])
            as s (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        on conflict (id) do update set
            type = excluded.type, version = excluded.version, condition = excluded.condition,
            transport = excluded.transport, cost = excluded.cost, created_at = excluded.created_at,
            status = excluded.status, status_at = excluded.status_at, status_by = excluded.status_by
        where (excluded.status_at, excluded.status_by) > (known.status_at, known.status_by)
        "#,
        &keys(users),
        &column(users, |user| user.value.login.as_str()) as &[&str],
        &column(users, |user| user.value.display_name.as_str()) as &[&str],
        &column(users, |user| user.stamp.at),
        &column(users, |user| user.stamp.by.as_str()) as &[&str],
        Json(channels) as _,
        &viewer_channels as &[&str],
        &viewer_users as &[&str],
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
        &column(viewers, |viewer| subscribed(viewer).map(|word| word.value.is_active)) as &[Option<bool>],
        &column(viewers, |viewer| subscribed(viewer).map(|word| word.value.tier.as_str())) as &[Option<&str>],
        &column(viewers, |viewer| subscribed(viewer).map(|word| word.stamp.at)) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| subscribed(viewer).map(|word| word.stamp.by.as_str())) as &[Option<&str>],
        &column(viewers, |viewer| viewer.subscription_began_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.subscription_ended_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.subscription_months) as &[Option<i64>],
        &keys(subscriptions),
        &column(subscriptions, |s| s.value.kind.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.version.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.condition.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.transport.as_deref()) as &[Option<&str>],
        &column(subscriptions, |s| s.value.cost),
        &column(subscriptions, |s| s.value.created_at) as &[Option<OffsetDateTime>],
        &column(subscriptions, |s| s.value.status.as_str()) as &[&str],
        &column(subscriptions, |s| s.stamp.at),
        &column(subscriptions, |s| s.stamp.by.as_str()) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl ChannelRow {
    fn new(id: &str, channel: &Channel) -> Self {
        let (stamp, info) = channel.info.clone().map(|info| (info.stamp, info.value)).unzip();
        let (updated_at, updated_by) = stamp.map(|stamp: Stamp| (stamp.at, stamp.by)).unzip();
        Self {
            id: id.to_owned(),
            title: info.as_ref().map(|info: &ChannelInfo| info.title.clone()),
            language: info.as_ref().map(|info| info.language.clone()),
            category_id: info.as_ref().map(|info| info.category_id.clone()),
            category_name: info.as_ref().map(|info| info.category_name.clone()),
            content_classification_labels: info.map(|info| info.content_classification_labels),
            updated_at,
            updated_by,
            anonymous_bits: channel.anonymous_bits,
            anonymous_gifts: channel.anonymous_gifts,
        }
    }
}
