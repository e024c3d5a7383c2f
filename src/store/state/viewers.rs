//! Table `viewer`.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::arrays::column;
use crate::projection::{Latest, Subscribed, Viewer};

/// Merges these viewers, by channel id and user id, into the table, as the comments of the statement say.
pub(super) async fn merge(conn: &mut PgConnection, viewers: &BTreeMap<(String, String), Viewer>) -> sqlx::Result<()> {
    if viewers.is_empty() {
        return Ok(());
    }
    let (channel_ids, user_ids): (Vec<_>, Vec<_>) =
        viewers.keys().map(|(channel, user)| (channel.as_str(), user.as_str())).unzip();
    let times = |field: fn(&Viewer) -> Option<OffsetDateTime>| column(viewers, field);
    let subscriptions = column(viewers, |viewer| viewer.subscription.as_ref());
    sqlx::query_file!(
        "db/queries/merge_viewers.sql",
        &channel_ids as &[&str],
        &user_ids as &[&str],
        &times(|viewer| viewer.first_followed_at) as &[Option<OffsetDateTime>],
        &times(|viewer| viewer.bits.first_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.bits.total),
        &column(viewers, |viewer| viewer.bits.count),
        &times(|viewer| viewer.gifts.first_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.gifts.total),
        &column(viewers, |viewer| viewer.gifts.count),
        &times(|viewer| viewer.raids.first_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.raids.count),
        &column(viewers, |viewer| viewer.raids.total),
        &of_each(&subscriptions, |newest| newest.value.is_active) as &[Option<bool>],
        &of_each(&subscriptions, |newest| newest.value.tier.as_str()) as &[Option<&str>],
        &of_each(&subscriptions, |newest| newest.stamp.at) as &[Option<OffsetDateTime>],
        &of_each(&subscriptions, |newest| newest.stamp.by.as_str()) as &[Option<&str>],
        &times(|viewer| viewer.subscription_began_at) as &[Option<OffsetDateTime>],
        &times(|viewer| viewer.subscription_ended_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.subscription_months) as &[Option<i64>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

type Subscription<'a> = Option<&'a Latest<Subscribed>>;

/// One field of each subscription, `None` for viewers without one.
fn of_each<'a, T>(subscriptions: &[Subscription<'a>], field: impl Fn(&'a Latest<Subscribed>) -> T) -> Vec<Option<T>> {
    subscriptions.iter().map(|newest| newest.map(&field)).collect()
}
