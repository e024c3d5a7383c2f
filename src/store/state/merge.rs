//! Tables `twitch_user`, `channel_login`, `channel`, `viewer`, `activity`, `told` and `subscription`, whose rows do not depend on each other.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::arrays::{self, column};
use crate::projection::repeats::{FOLLOW, Relations, StoredTold};
use crate::projection::{Activity, Channel, Latest, State, Subscribed, Viewer};
use crate::twitch::id::ChannelId;

/// A row of `channel`. The columns from `title` to `updated_by` are null until there is a `channel.update`.
#[derive(Serialize)]
struct ChannelRow<'a> {
    id: &'a str,
    title: Option<&'a str>,
    language: Option<&'a str>,
    category_id: Option<&'a str>,
    category_name: Option<&'a str>,
    content_classification_labels: Option<&'a [String]>,
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    updated_by: Option<&'a str>,
    anonymous_bits: i64,
    anonymous_gifts: i64,
}

/// A row of `activity`.
#[derive(Serialize)]
struct ActivityRow<'a> {
    channel_id: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    minute: OffsetDateTime,
    #[serde(flatten)]
    counts: &'a Activity,
}

/// Merges changes into the tables, in one round trip, as the comments of the statement say. Returns what earlier events had
/// told of what these events may repeat.
pub(super) async fn rows(
    conn: &mut PgConnection,
    changes: &State,
    relations: &Relations<'_>,
) -> sqlx::Result<Vec<StoredTold>> {
    let State { users, logins: named, channels, viewers, activity, subscriptions, .. } = changes;
    let (mut told, keys, chats) = (relations.told(), relations.keys(), relations.chats());
    // These are stored with the viewers.
    told.retain(|key, _| key.kind != FOLLOW);
    if is_untouched(changes) && told.is_empty() && keys.is_empty() && chats.is_empty() {
        return Ok(Vec::new());
    }
    let channels: Vec<_> = channels.iter().map(|(id, channel)| ChannelRow::new(id, channel)).collect();
    let (logins, named_channels): (Vec<_>, Vec<_>) =
        named.keys().map(|(login, channel)| (login.as_str(), channel.as_str())).unzip();
    let (viewer_channels, viewer_users): (Vec<_>, Vec<_>) =
        viewers.keys().map(|(channel, user)| (channel.as_str(), user.as_str())).unzip();
    let activities: Vec<_> = activity.iter().map(ActivityRow::new).collect();
    sqlx::query_file_as!(
        StoredTold,
        "db/queries/merge_state.sql",
        &arrays::keys(users) as &[&str],
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
        &column(viewers, |viewer| subscribed(viewer).map(|newest| newest.value.is_active)) as &[Option<bool>],
        &column(viewers, |viewer| subscribed(viewer).and_then(|newest| newest.value.tier.as_deref()))
            as &[Option<&str>],
        &column(viewers, |viewer| subscribed(viewer).map(|newest| newest.stamp.at)) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| subscribed(viewer).map(|newest| newest.stamp.by.as_str())) as &[Option<&str>],
        &column(viewers, |viewer| viewer.subscription_began_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.subscription_ended_at) as &[Option<OffsetDateTime>],
        &column(viewers, |viewer| viewer.subscription_months) as &[Option<i64>],
        &arrays::keys(subscriptions) as &[&str],
        &column(subscriptions, |s| s.value.kind.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.version.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.condition.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.transport.as_deref()) as &[Option<&str>],
        &column(subscriptions, |s| s.value.cost),
        &column(subscriptions, |s| s.value.created_at) as &[Option<OffsetDateTime>],
        &column(subscriptions, |s| s.value.status.as_str()) as &[&str],
        &column(subscriptions, |s| s.stamp.at),
        &column(subscriptions, |s| s.stamp.by.as_str()) as &[&str],
        &logins as &[&str],
        &named_channels as &[&str],
        &column(named, |stamp| stamp.at),
        &column(named, |stamp| stamp.by.as_str()) as &[&str],
        &column(viewers, |viewer| viewer.follow_event_id) as &[Option<i64>],
        &told.keys().map(|key| key.kind).collect::<Vec<_>>() as &[&str],
        &told.keys().map(|key| key.channel_id).collect::<Vec<_>>() as &[&str],
        &told.keys().map(|key| key.subject).collect::<Vec<_>>() as &[&str],
        &column(&told, |told| told.id),
        &column(&told, |told| told.at) as &[Option<OffsetDateTime>],
        &keys.iter().map(|key| key.kind).collect::<Vec<_>>() as &[&str],
        &keys.iter().map(|key| key.channel_id).collect::<Vec<_>>() as &[&str],
        &keys.iter().map(|key| key.subject).collect::<Vec<_>>() as &[&str],
        &chats.keys().copied().collect::<Vec<_>>() as &[&str],
        &chats.values().copied().collect::<Vec<_>>(),
        Json(activities) as _,
    )
    .fetch_all(conn)
    .await
}

/// Whether the changes have no row for any of the tables but `told`.
fn is_untouched(State { users, channels, viewers, activity, subscriptions, .. }: &State) -> bool {
    let has_none = users.is_empty() && channels.is_empty() && viewers.is_empty();
    has_none && activity.is_empty() && subscriptions.is_empty()
}

fn subscribed(viewer: &Viewer) -> Option<&Latest<Subscribed>> {
    viewer.subscription.as_ref()
}

impl<'a> ActivityRow<'a> {
    fn new(((channel_id, minute), counts): (&'a (ChannelId, OffsetDateTime), &'a Activity)) -> Self {
        Self { channel_id: channel_id.as_str(), minute: *minute, counts }
    }
}

impl<'a> ChannelRow<'a> {
    fn new(id: &'a ChannelId, channel: &'a Channel) -> Self {
        let newest = channel.info.as_ref();
        let info = newest.map(|newest| &newest.value);
        Self {
            id: id.as_str(),
            title: info.map(|info| info.title.as_str()),
            language: info.map(|info| info.language.as_str()),
            category_id: info.map(|info| info.category_id.as_str()),
            category_name: info.map(|info| info.category_name.as_str()),
            content_classification_labels: info.map(|info| info.content_classification_labels.as_slice()),
            updated_at: newest.map(|newest| newest.stamp.at),
            updated_by: newest.map(|newest| newest.stamp.by.as_str()),
            anonymous_bits: channel.anonymous_bits,
            anonymous_gifts: channel.anonymous_gifts,
        }
    }
}
