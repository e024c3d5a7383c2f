//! Channels with their names, live stream and current segment.

use std::slice;

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

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
    Ok(page(db, None, Some(slice::from_ref(id)), "", 1).await?.pop())
}

/// The channels with these ids (all, if `None`) in the order of their ids, starting after the id `after`; only live ones, or
/// only others, as `live` says.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: impl PgExecutor<'_>,
    live: Option<bool>,
    ids: Option<&[ChannelId]>,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<Channel>> {
    sqlx::query_as!(
        Channel,
        r#"select id as "id!: ChannelId", login as "login!", display_name as "display_name!", title, language, category_id,
            category_name, content_classification_labels, updated_at, anonymous_bits as "anonymous_bits!",
            anonymous_gifts as "anonymous_gifts!", is_live as "is_live!", stream_id as "stream_id: StreamId", stream_type, stream_started_at,
            broadcast_id as "broadcast_id: StreamId", broadcast_started_at, segment_id, segment_title, segment_reference, segment_started_at
        from channel_now
        where ($1::bool is null or is_live = $1) and ($2::text[] is null or id = any($2)) and id > $3
        order by id
        limit $4"#,
        live,
        ids as Option<&[ChannelId]>,
        after,
        limit
    )
    .fetch_all(db)
    .await
}

/// The id of the channel with this name: an id, or else a login in any case. A login that several accounts had means the one
/// that had it last.
///
/// # Errors
/// If the database fails.
pub async fn find(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<ChannelId>> {
    sqlx::query_scalar!(
        r#"select id as "id: ChannelId" from channel
        where id = coalesce(
            (select id from channel where id = $1),
            (select id from twitch_user where login = lower($1) order by named_at desc, named_by desc limit 1)
        )"#,
        name
    )
    .fetch_optional(db)
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

/// The channel with this name, as in [`find`], or else a served channel of which there is no event yet.
///
/// # Errors
/// If the database fails.
pub async fn find_served(db: &mut PgConnection, name: &str) -> sqlx::Result<Option<Names>> {
    if let Some(id) = find(&mut *db, name).await? {
        return sqlx::query_as!(
            Names,
            r#"select id as "id: ChannelId", login, display_name from twitch_user where id = $1"#,
            id.as_str()
        )
        .fetch_optional(db)
        .await;
    }
    sqlx::query_as!(
        Names,
        r#"select id as "id: ChannelId", login, display_name from served_channel where id = $1 or login = lower($1)
        order by id = $1 desc limit 1"#,
        name
    )
    .fetch_optional(db)
    .await
}
