//! Channels with their names, live stream and current segment.

use std::slice;

use sqlx::PgExecutor;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::activity::Totals;
use crate::store::Order;
use crate::twitch::id::{ChannelId, StreamId};

/// A row of the view `channel_now`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of channel_now, which db/migrations describes")]
pub struct Channel {
    pub id: ChannelId,
    pub login: String,
    pub display_name: String,
    pub title: Option<String>,
    pub language: Option<String>,
    pub category_id: Option<String>,
    pub category_name: Option<String>,
    pub content_classification_labels: Option<Vec<String>>,
    pub updated_at: Option<OffsetDateTime>,
    pub anonymous_bits: i64,
    pub anonymous_gifts: i64,
    pub is_live: bool,
    pub stream_id: Option<StreamId>,
    pub stream_type: Option<String>,
    pub stream_started_at: Option<OffsetDateTime>,
    pub broadcast_id: Option<StreamId>,
    pub broadcast_started_at: Option<OffsetDateTime>,
    pub totals: Option<Json<Totals>>,
    pub segment_id: Option<String>,
    pub segment_title: Option<String>,
    pub segment_reference: Option<String>,
    pub segment_started_at: Option<OffsetDateTime>,
}

/// The channel with this id.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, id: &ChannelId) -> sqlx::Result<Option<Channel>> {
    Ok(page(db, None, Some(slice::from_ref(id)), Order::Asc, None, 1).await?.pop())
}

/// The channels with these ids (all, if `None`) by their ids in this order, starting behind the id `after`; only live ones, or
/// only others, as `live` says.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    live: Option<bool>,
    ids: Option<&[ChannelId]>,
    order: Order,
    after: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Channel>> {
    macro_rules! page {
        ($behind:tt, $start:tt, $direction:tt) => {
            sqlx::query_as!(
                Channel,
                r#"select id as "id!: ChannelId", login as "login!", display_name as "display_name!", title, language, category_id,
                    category_name, content_classification_labels, updated_at, anonymous_bits as "anonymous_bits!",
                    anonymous_gifts as "anonymous_gifts!", is_live as "is_live!", stream_id as "stream_id: StreamId", stream_type, stream_started_at,
                    broadcast_id as "broadcast_id: StreamId", broadcast_started_at,
                    (select to_json(totals) from channel_totals(id, broadcast_started_at, 'infinity') as totals where broadcast_id is not null)
                        as "totals: Json<Totals>",
                    segment_id, segment_title, segment_reference, segment_started_at
                from channel_now
                where ($1::bool is null or is_live = $1) and ($2::text[] is null or id = any($2))
                    and id "# + $behind + " coalesce($3, " + $start + r#")
                order by id "# + $direction + " limit $4",
                live,
                ids as Option<&[ChannelId]>,
                after,
                limit
            )
            .fetch_all(db)
            .await
        };
    }
    match order {
        Order::Asc => page!(">", "''", "asc"),
        Order::Desc => page!("<", "'~'", "desc"),
    }
}

/// The ids that these names stand for, in the same order; `None` for a name that is not known. This is the one rule for
/// names in paths, filters and feeds. A name is, in this order:
///
/// 1. the id of a channel;
/// 2. a login, in any case: that of the channel that was last called so, even if it has another login now;
/// 3. the id or login of a channel that is served, but has had no event yet;
/// 4. the id, or else the login, of a user, since some events concern a user and no channel.
///
/// # Errors
/// If the database fails.
pub async fn resolve(db: impl PgExecutor<'_>, names: &[&str]) -> sqlx::Result<Vec<Option<ChannelId>>> {
    sqlx::query_scalar!(
        r#"select coalesce(
            (select id from channel where id = name),
            (select channel.id from (
                select channel_id, named_at, named_by from channel_login where login = lower(name)
                union all select id, named_at, named_by from twitch_user where login = lower(name)
            ) named join channel on channel.id = named.channel_id
            order by named_at desc, named_by desc limit 1),
            (select id from served_channel where id = name or login = lower(name) order by id = name desc limit 1),
            (select id from twitch_user where id = name),
            (select id from twitch_user where login = lower(name) order by named_at desc, named_by desc limit 1)
        ) as "id: ChannelId"
        from unnest($1::text[]) with ordinality as given (name, place)
        order by place"#,
        names as &[&str]
    )
    .fetch_all(db)
    .await
}

/// The id that this name stands for, as in [`resolve`].
///
/// # Errors
/// If the database fails.
pub async fn find(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<ChannelId>> {
    Ok(resolve(db, &[name]).await?.pop().flatten())
}

/// Whether there is a channel with this id that has had an event.
///
/// # Errors
/// If the database fails.
pub async fn exists(db: impl PgExecutor<'_>, id: &ChannelId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from channel where id = $1) as "exists!""#, id.as_str())
        .fetch_one(db)
        .await
}

/// A channel's id and names.
#[derive(Clone, Debug)]
pub struct Names {
    /// Twitch's id.
    pub id: ChannelId,
    /// In lower-case ASCII.
    pub login: String,
    /// As shown.
    pub display_name: String,
}

/// The names of the channels with these ids, by id: of those that have had an event, or else of those that are served.
///
/// # Errors
/// If the database fails.
pub async fn names(db: impl PgExecutor<'_>, ids: &[ChannelId]) -> sqlx::Result<Vec<Names>> {
    sqlx::query_as!(
        Names,
        r#"select distinct on (id) id as "id!: ChannelId", login as "login!", display_name as "display_name!" from (
            select id, login, display_name, 1 as place from twitch_user
            where id = any($1) and exists (select from channel where channel.id = twitch_user.id)
            union all select id, login, display_name, 2 from served_channel where id = any($1)
        ) named
        order by id, place"#,
        ids as &[ChannelId]
    )
    .fetch_all(db)
    .await
}
