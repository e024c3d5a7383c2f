//! Tables `twitch_user`, `channel_login`, `channel`, `viewer`, `activity`, `told` and `subscription`, whose rows do not depend on
//! each other.

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::arrays::{self, column, sparse};
use crate::message::Message;
use crate::projection::repeats::{Chats, FOLLOW, Key, MAX_REDELIVERY, Relations, StoredTold, ToldByKey};
use crate::projection::{Activity, Channel, Latest, State, Subscribed, Viewer};
use crate::store::chat_lines;
use crate::store::locks::Lock;
use crate::store::log::fields;
use crate::store::signals;
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

/// What is merged into the tables, in the shape of their columns.
pub(super) struct Changes<'a> {
    state: &'a State,
    logins: Vec<&'a str>,
    named_channels: Vec<&'a str>,
    unchanged_channels: Vec<&'a str>,
    changed_channels: Vec<ChannelRow<'a>>,
    viewer_channels: Vec<&'a str>,
    viewer_users: Vec<&'a str>,
    activities: Vec<ActivityRow<'a>>,
    told: ToldByKey<'a>,
    keys: BTreeSet<Key<'a>>,
    chats: Chats<'a>,
}

/// How an append of messages that may all be new ended.
#[derive(Clone, Copy, Debug)]
pub struct AppendOfNew {
    /// Whether all are in the log now. Otherwise nothing was written.
    pub is_appended: bool,
    /// Whether another connection held the lock.
    pub has_waited: bool,
}

/// A statement that passes on these changes to a function of `db/migrations/0017_append.up.sql`, behind its other parameters.
macro_rules! with_changes {
    ($query:ident, [$($first:tt)*], $of:ident) => {
        sqlx::$query!(
            $($first)*,
            &arrays::keys(&$of.state.users) as &[&str],
            &column(&$of.state.users, |user| user.value.login.as_str()) as &[&str],
            &column(&$of.state.users, |user| user.value.display_name.as_str()) as &[&str],
            &column(&$of.state.users, |user| user.stamp.at),
            &column(&$of.state.users, |user| user.stamp.by.as_str()) as &[&str],
            &$of.viewer_channels as &[&str],
            &$of.viewer_users as &[&str],
            &sparse(&$of.state.viewers, |viewer| viewer.first_followed_at) as &[Option<OffsetDateTime>],
            &sparse(&$of.state.viewers, |viewer| viewer.follow_event_id) as &[Option<i64>],
            &sparse(&$of.state.viewers, |viewer| viewer.bits.first_at) as &[Option<OffsetDateTime>],
            &sparse(&$of.state.viewers, |viewer| viewer.bits.total),
            &sparse(&$of.state.viewers, |viewer| viewer.bits.count),
            &sparse(&$of.state.viewers, |viewer| viewer.gifts.first_at) as &[Option<OffsetDateTime>],
            &sparse(&$of.state.viewers, |viewer| viewer.gifts.total),
            &sparse(&$of.state.viewers, |viewer| viewer.gifts.count),
            &sparse(&$of.state.viewers, |viewer| viewer.raids.first_at) as &[Option<OffsetDateTime>],
            &sparse(&$of.state.viewers, |viewer| viewer.raids.count),
            &sparse(&$of.state.viewers, |viewer| viewer.raids.total),
            &sparse(&$of.state.viewers, |viewer| subscribed(viewer).map(|newest| newest.value.is_active)) as &[Option<bool>],
            &sparse(&$of.state.viewers, |viewer| subscribed(viewer).and_then(|newest| newest.value.tier.as_deref())) as &[Option<&str>],
            &sparse(&$of.state.viewers, |viewer| subscribed(viewer).map(|newest| newest.stamp.at)) as &[Option<OffsetDateTime>],
            &sparse(&$of.state.viewers, |viewer| subscribed(viewer).map(|newest| newest.stamp.by.as_str())) as &[Option<&str>],
            &sparse(&$of.state.viewers, |viewer| viewer.subscription_began_at) as &[Option<OffsetDateTime>],
            &sparse(&$of.state.viewers, |viewer| viewer.subscription_ended_at) as &[Option<OffsetDateTime>],
            &sparse(&$of.state.viewers, |viewer| viewer.subscription_months) as &[Option<i64>],
            &$of.logins as &[&str],
            &$of.named_channels as &[&str],
            &column(&$of.state.logins, |stamp| stamp.at),
            &column(&$of.state.logins, |stamp| stamp.by.as_str()) as &[&str],
            &$of.unchanged_channels as &[&str],
            Json(&$of.changed_channels) as _,
            &$of.told.keys().map(|key| key.kind).collect::<Vec<_>>() as &[&str],
            &$of.told.keys().map(|key| key.channel_id).collect::<Vec<_>>() as &[&str],
            &$of.told.keys().map(|key| key.subject).collect::<Vec<_>>() as &[&str],
            &column(&$of.told, |told| told.id),
            &column(&$of.told, |told| told.at) as &[Option<OffsetDateTime>],
            Json(&$of.activities) as _,
            &arrays::keys(&$of.state.subscriptions) as &[&str],
            &column(&$of.state.subscriptions, |s| s.value.kind.as_str()) as &[&str],
            &column(&$of.state.subscriptions, |s| s.value.version.as_str()) as &[&str],
            &column(&$of.state.subscriptions, |s| s.value.condition.as_str()) as &[&str],
            &column(&$of.state.subscriptions, |s| s.value.transport.as_deref()) as &[Option<&str>],
            &column(&$of.state.subscriptions, |s| s.value.cost),
            &column(&$of.state.subscriptions, |s| s.value.created_at) as &[Option<OffsetDateTime>],
            &column(&$of.state.subscriptions, |s| s.value.status.as_str()) as &[&str],
            &column(&$of.state.subscriptions, |s| s.stamp.at),
            &column(&$of.state.subscriptions, |s| s.stamp.by.as_str()) as &[&str],
            &$of.keys.iter().map(|key| key.kind).collect::<Vec<_>>() as &[&str],
            &$of.keys.iter().map(|key| key.channel_id).collect::<Vec<_>>() as &[&str],
            &$of.keys.iter().map(|key| key.subject).collect::<Vec<_>>() as &[&str],
            &$of.chats.began_at.keys().copied().collect::<Vec<_>>() as &[&str],
            &column(&$of.chats.began_at, |at| *at - MAX_REDELIVERY),
            &column(&$of.chats.began_at, |at| *at),
            &$of.chats.subjects as &[&str]
        )
    };
}

/// Merges changes into the tables, in one round trip. Returns what earlier events had told of what these events may repeat.
pub(super) async fn rows(conn: &mut PgConnection, changes: &Changes<'_>) -> sqlx::Result<Vec<StoredTold>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    with_changes!(
        query_as,
        [StoredTold, r#"select kind as "kind!", channel_id as "channel_id!", subject as "subject!", id as "id!", at from merge_state_v1(
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
            $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50,
            $51, $52, $53, $54, $55, $56)"#, 0, false],
        changes
    )
    .fetch_all(conn)
    .await
}

/// Appends messages with what they add up to, whose events have the ids from 1 on, in one round trip and one transaction, or
/// writes nothing, if something had to be known first.
pub(super) async fn append(
    conn: &mut PgConnection,
    messages: &[&Message],
    changes: &Changes<'_>,
    received_at: OffsetDateTime,
    has_turn: bool,
) -> sqlx::Result<AppendOfNew> {
    with_changes!(
        query_as,
        [AppendOfNew, r#"select is_appended as "is_appended!", has_waited as "has_waited!" from append_v1(
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
            $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50,
            $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65, $66, $67, $68)"#,
            Lock::Append as i64,
            has_turn,
            received_at,
            signals::Channel::Event.name(),
            &fields(messages, |m| m.id()) as &[&str],
            &fields(messages, |m| m.message_type().as_str()) as &[&str],
            &fields(messages, |m| m.content().kind()) as &[Option<&str>],
            &fields(messages, |m| m.content().version()) as &[Option<&str>],
            &fields(messages, |m| m.content().subscription().map(|s| s.id.as_str())) as &[Option<&str>],
            &fields(messages, |m| m.content().channel_id.as_ref().map(ChannelId::as_str)) as &[Option<&str>],
            &fields(messages, |m| m.at()),
            &fields(messages, |m| m.content().is_test),
            &fields(messages, |m| m.body()) as &[&str],
            &chat_lines::channels(messages) as &[&str]
        ],
        changes
    )
    .fetch_one(conn)
    .await
}

impl<'a> Changes<'a> {
    /// Like [`Changes::new`], but without a look at earlier follows: the append finds them as it merges the viewers.
    pub(super) fn of_new(state: &'a State, relations: &Relations<'a>) -> Self {
        let mut changes = Self::new(state, relations);
        changes.keys.retain(|key| key.kind != FOLLOW);
        changes
    }

    /// What these messages add up to, and how they relate to others.
    pub(super) fn new(state: &'a State, relations: &Relations<'a>) -> Self {
        let State { logins: named, channels, viewers, activity, .. } = state;
        let mut told = relations.told();
        // These are stored with the viewers.
        told.retain(|key, _| key.kind != FOLLOW);
        let (logins, named_channels) = named.keys().map(|(login, channel)| (login.as_str(), channel.as_str())).unzip();
        let (viewer_channels, viewer_users) =
            viewers.keys().map(|(channel, user)| (channel.as_str(), user.as_str())).unzip();
        let (changed_channels, unchanged_channels): (Vec<_>, Vec<_>) =
            channels.iter().partition(|(_, channel)| **channel != Channel::default());
        Self {
            state,
            logins,
            named_channels,
            unchanged_channels: unchanged_channels.into_iter().map(|(id, _)| id.as_str()).collect(),
            changed_channels: changed_channels.into_iter().map(|(id, channel)| ChannelRow::new(id, channel)).collect(),
            viewer_channels,
            viewer_users,
            activities: activity.iter().map(ActivityRow::new).collect(),
            told,
            keys: relations.keys(),
            chats: relations.chats(),
        }
    }

    /// Whether there is nothing to merge and nothing to look up.
    fn is_empty(&self) -> bool {
        let State { users, channels, viewers, activity, subscriptions, .. } = self.state;
        let has_none = users.is_empty() && channels.is_empty() && viewers.is_empty() && activity.is_empty();
        has_none
            && subscriptions.is_empty()
            && self.told.is_empty()
            && self.keys.is_empty()
            && self.chats.began_at.is_empty()
    }
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
