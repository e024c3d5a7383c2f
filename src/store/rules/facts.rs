//! What planning knows beside the past of the rules: counters, variables, permits, viewers, our own messages.

use std::collections::HashSet;

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// A name on a channel, and what it stands for.
pub type Named<T> = (ChannelId, String, T);

/// The counters of these channels.
///
/// # Errors
/// If the database fails.
pub async fn counters(db: impl PgExecutor<'_>, channels: &[ChannelId]) -> sqlx::Result<Vec<Named<i64>>> {
    let rows = sqlx::query!(
        r#"select channel_id as "channel_id: ChannelId", name, value from counter where channel_id = any($1)"#,
        channels as &[ChannelId]
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.channel_id, row.name, row.value)).collect())
}

/// The variables of these channels.
///
/// # Errors
/// If the database fails.
pub async fn variables(db: impl PgExecutor<'_>, channels: &[ChannelId]) -> sqlx::Result<Vec<Named<String>>> {
    let rows = sqlx::query!(
        r#"select channel_id as "channel_id: ChannelId", name, value from variable where channel_id = any($1)"#,
        channels as &[ChannelId]
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.channel_id, row.name, row.value)).collect())
}

/// Those of these channels that Discord bots track and that are not served.
///
/// # Errors
/// If the database fails.
pub async fn only_tracked(db: impl PgExecutor<'_>, channels: &[ChannelId]) -> sqlx::Result<HashSet<ChannelId>> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!: ChannelId" from unnest($1::text[]) as wanted (id)
        where exists (select from track where twitch_id = wanted.id)
            and not exists (select from served_channel where served_channel.id = wanted.id)"#,
        channels as &[ChannelId]
    );
    Ok(ids.fetch_all(db).await?.into_iter().collect())
}

/// The newest number of viewers of each of these channels since this time, if there is one.
///
/// # Errors
/// If the database fails.
pub async fn live_viewers(
    db: impl PgExecutor<'_>,
    channels: &[ChannelId],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<(ChannelId, i64)>> {
    let rows = sqlx::query!(
        r#"select id as "id!: ChannelId", sample.viewers as "viewers!"
        from unnest($1::text[]) as wanted (id) cross join lateral (
            select viewers / viewer_samples as viewers from activity
            where channel_id = wanted.id and viewer_samples > 0 and minute > $2 order by minute desc limit 1
        ) as sample"#,
        channels as &[ChannelId],
        since
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.viewers)).collect())
}

/// The permits on these channels: by login, how long each lasts, and for how many messages.
///
/// # Errors
/// If the database fails.
pub async fn permits(
    db: impl PgExecutor<'_>,
    channels: &[ChannelId],
) -> sqlx::Result<Vec<Named<(OffsetDateTime, i32)>>> {
    let rows = sqlx::query!(
        r#"select channel_id as "channel_id: ChannelId", login, until, uses from permit where channel_id = any($1)"#,
        channels as &[ChannelId]
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.channel_id, row.login, (row.until, row.uses))).collect())
}

/// The rules that have reacted to these subjects.
///
/// # Errors
/// If the database fails.
pub async fn reacted(db: impl PgExecutor<'_>, subjects: &[String]) -> sqlx::Result<Vec<(i64, String)>> {
    let rows =
        sqlx::query!("select distinct rule_id, subject from action where rule_id <> 0 and subject = any($1)", subjects);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.rule_id, row.subject)).collect())
}

/// What is known of a viewer of a channel.
#[derive(Clone, Debug)]
pub struct ViewerRow {
    /// The channel.
    pub channel_id: ChannelId,
    /// The user.
    pub user_id: String,
    /// Whether a follow is known.
    pub is_follower: bool,
    /// Twitch's name of the tier of the subscription, such as `2000`; `None` without one.
    pub tier: Option<String>,
}

/// What is known of these users on these channels.
///
/// # Errors
/// If the database fails.
pub async fn viewers(
    db: impl PgExecutor<'_>,
    channels: &[ChannelId],
    users: &[String],
) -> sqlx::Result<Vec<ViewerRow>> {
    sqlx::query_as!(
        ViewerRow,
        r#"select channel_id as "channel_id: ChannelId", user_id, first_followed_at is not null as "is_follower!",
            case when is_subscribed then subscription_tier end as tier
        from viewer where channel_id = any($1) and user_id = any($2)"#,
        channels as &[ChannelId],
        users
    )
    .fetch_all(db)
    .await
}

/// A message that was sent, or may have been.
#[derive(Clone, Debug)]
pub struct SentMessage {
    /// The channel.
    pub channel_id: ChannelId,
    /// The text.
    pub text: String,
    /// Twitch's id, if it has answered.
    pub message_id: Option<String>,
}

/// The messages to these channels that were sent since this time, and those of which it is not known whether they arrived.
///
/// # Errors
/// If the database fails.
pub async fn sent_messages(
    db: impl PgExecutor<'_>,
    channels: &[ChannelId],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<SentMessage>> {
    sqlx::query_as!(
        SentMessage,
        r#"select channel_id as "channel_id: ChannelId", coalesce(params ->> 'text', params #>> '{}', '') as "text!",
            result ->> 'message_id' as message_id
        from action
        where bucket = 'chat' and sending_at > $2 and channel_id = any($1)
            and (state in ('sending', 'uncertain', 'done') or state = 'pending' and attempts > 0)"#,
        channels as &[ChannelId],
        since
    )
    .fetch_all(db)
    .await
}
