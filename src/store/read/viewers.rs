//! Viewers and their activity in a channel.

use serde::Deserialize;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::store::Order;
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
    /// What it is sorted by, as a number: with the id it is a cursor. A time is in microseconds since 1970.
    pub sort_key: i64,
}

/// What viewers are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "id")]
pub enum Sort {
    /// By their ids.
    #[default]
    Id,
    /// Only followers, by the time of their first follow.
    FirstFollowedAt,
    /// Only those who cheered, by their bits.
    Bits,
    /// Only those who gave subscriptions, by how many.
    Gifts,
    /// Only those who raided, by how many viewers they brought.
    RaidViewers,
}

/// A part of a channel's viewers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// What they are sorted by.
    pub sort: Sort,
    /// The direction.
    pub order: Order,
    /// Only those whose login begins with this, in lower-case ASCII.
    pub login: Option<&'a str>,
    /// Only those behind the one with this key and id.
    pub after: Option<(i64, &'a str)>,
}

/// A channel's viewers, at most `limit`. A page by bits, gifts or raids reads all viewers who have some: an index would cost more with
/// each cheer than a rare list does.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    channel_id: &ChannelId,
    selection: &Selection<'_>,
    limit: i64,
) -> sqlx::Result<Vec<Viewer>> {
    select(db, channel_id, None, selection, limit).await
}

/// The viewer of this channel with this id, or else with this login.
///
/// # Errors
/// If the database fails.
pub async fn get(db: &mut PgConnection, channel_id: &ChannelId, name: &str) -> sqlx::Result<Option<Viewer>> {
    let user = sqlx::query_scalar!(
        r#"select id as "id!: UserId" from (
            select id, named_at, named_by from twitch_user where id = $1
            union all
            select id, named_at, named_by from twitch_user where login = lower($1)
        ) found
        order by id = $1 desc, named_at desc, named_by desc limit 1"#,
        name
    );
    let Some(user) = user.fetch_optional(&mut *db).await? else { return Ok(None) };
    Ok(select(db, channel_id, Some(&user), &Selection::default(), 1).await?.pop())
}

async fn select(
    db: impl PgExecutor<'_>,
    channel_id: &ChannelId,
    user: Option<&UserId>,
    selection: &Selection<'_>,
    limit: i64,
) -> sqlx::Result<Vec<Viewer>> {
    // Its key as a number, which viewers have one, the key of a row, that of a cursor, and the direction.
    macro_rules! page {
        ($number:tt, $present:tt, $key:tt, $after:tt, $behind:tt, $direction:tt) => {
            sqlx::query_as!(
                Viewer,
                r#"select twitch_user.id as "id: UserId", login, display_name, first_followed_at, first_bits_at, bits, cheers,
                    first_gift_at, gifts, gift_events, first_raid_at, raids, raid_viewers, is_subscribed, subscription_tier,
                    subscription_began_at, subscription_ended_at, subscription_months, "# + $number + r#" as "sort_key!"
                from viewer
                join twitch_user on twitch_user.id = viewer.user_id
                where channel_id = $1 and ($2::text is null or user_id = $2)
                    and ($3::text is null or login >= $3 and login < $3 || '~') and "# + $present + r#"
                    and ($4::bigint is null or ("# + $key + ", user_id) " + $behind + " (" + $after + r#", $5::text))
                order by "# + $key + " " + $direction + ", user_id " + $direction + " limit $6",
                channel_id.as_str(),
                user.map(UserId::as_str),
                selection.login,
                selection.after.map(|(key, _)| key),
                selection.after.map(|(_, id)| id),
                limit
            )
            .fetch_all(db)
            .await
        };
        (both $number:tt, $present:tt, $key:tt, $after:tt) => {
            match selection.order {
                Order::Asc => page!($number, $present, $key, $after, ">", "asc"),
                Order::Desc => page!($number, $present, $key, $after, "<", "desc"),
            }
        };
    }
    match selection.sort {
        Sort::Id => page!(both "0::bigint", "true", "user_id", "$5"),
        Sort::FirstFollowedAt => page!(both
            "(extract(epoch from first_followed_at) * 1000000)::bigint", "first_followed_at is not null",
            "first_followed_at", "timestamptz 'epoch' + $4 * interval '1 microsecond'"),
        Sort::Bits => page!(both "bits", "bits > 0", "bits", "$4"),
        Sort::Gifts => page!(both "gifts", "gifts > 0", "gifts", "$4"),
        Sort::RaidViewers => page!(both "raid_viewers", "raids > 0", "raid_viewers", "$4"),
    }
}
