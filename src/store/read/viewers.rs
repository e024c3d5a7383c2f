//! Viewers and their activity in a channel.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::twitch::id::{ChannelId, UserId};

/// A viewer of one channel, with names.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of viewer, which db/migrations describes")]
pub struct Viewer {
    pub id: UserId,
    pub login: String,
    pub display_name: String,
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
    pub is_subscribed: Option<bool>,
    pub subscription_tier: Option<String>,
    pub subscription_began_at: Option<OffsetDateTime>,
    pub subscription_ended_at: Option<OffsetDateTime>,
    pub subscription_months: Option<i64>,
}

/// A channel's viewers in the order of their ids, starting after the id `after`.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    channel_id: &ChannelId,
    after: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Viewer>> {
    sqlx::query_as!(
        Viewer,
        r#"select twitch_user.id as "id: UserId", login, display_name, first_followed_at, first_bits_at, bits, cheers, first_gift_at,
            gifts, gift_events, first_raid_at, raids, raid_viewers, is_subscribed, subscription_tier, subscription_began_at,
            subscription_ended_at, subscription_months
        from viewer
        join twitch_user on twitch_user.id = viewer.user_id
        where channel_id = $1 and ($2::text is null or user_id > $2)
        order by user_id
        limit $3"#,
        channel_id.as_str(),
        after,
        limit
    )
    .fetch_all(db)
    .await
}
