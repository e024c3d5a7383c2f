//! Tables `chat` and `presence`: how the chats of channels are read, and who is in them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use strum::{Display, EnumString, IntoStaticStr};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::signals::Channel;
use crate::message::irc::{CHAT_MESSAGE, ChatChannel};
use crate::twitch::id::ChannelId;

/// How long messages are remembered that came over IRC and may come from EventSub as well.
const LINES_KEPT: Duration = Duration::from_secs(600);

/// When a chat is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Display, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ChatMode {
    /// Never.
    Off,
    /// While the channel is live, and 15 minutes longer.
    Live,
    /// Always.
    Always,
}

/// When a chat is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, EnumString, IntoStaticStr, ToSchema)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ChatChoice {
    /// As the rules need it: `live` if one of them needs the chat, else `off`.
    Default,
    /// Never.
    Off,
    /// While the channel is live, and 15 minutes longer.
    Live,
    /// Always.
    Always,
}

/// How the chat of a channel is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatSetting {
    /// When it is read.
    pub mode: ChatMode,
    /// Whether that follows from the rules.
    pub is_default: bool,
    /// Whether it is told who comes and leaves.
    pub membership: bool,
    /// Whether EventSub delivers its messages.
    pub has_eventsub: bool,
}

/// A change of the setting; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChatEdit {
    /// When it is read. With [`ChatChoice::Default`] also `membership` follows from the rules, unless it is set with it.
    pub mode: Option<ChatChoice>,
    /// Whether it is told who comes and leaves.
    pub membership: Option<bool>,
}

/// A chat to read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenChat {
    /// The channel.
    pub channel: ChatChannel,
    /// Whether it is told who comes and leaves.
    pub membership: bool,
    /// Whether its messages are read over IRC: not if EventSub delivers them.
    pub takes_lines: bool,
}

/// A user in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of presence, which db/migrations describes")]
pub struct PresenceRow {
    pub channel_id: ChannelId,
    pub login: String,
    pub since: OffsetDateTime,
    pub last_seen: OffsetDateTime,
    pub absent_since: Option<OffsetDateTime>,
}

/// The setting of a served channel. `None` if the channel is not served.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, id: &ChannelId) -> sqlx::Result<Option<ChatSetting>> {
    sqlx::query_as!(
        ChatSetting,
        r#"select mode as "mode!: ChatMode", is_default as "is_default!", membership as "membership!",
            exists (select from desired_subscription desired
                where desired.channel_id = reading.channel_id and type = $2 and status = 'enabled') as "has_eventsub!"
        from chat_reading reading where channel_id = $1"#,
        id.as_str(),
        CHAT_MESSAGE
    )
    .fetch_optional(db)
    .await
}

/// Every served channel with its setting, by login.
///
/// # Errors
/// If the database fails.
pub async fn all(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(String, ChatSetting)>> {
    let rows = sqlx::query!(
        r#"select login, mode as "mode!: ChatMode", is_default as "is_default!", membership as "membership!",
            exists (select from desired_subscription desired
                where desired.channel_id = served.id and type = $1 and status = 'enabled') as "has_eventsub!"
        from served_channel served join chat_reading reading on reading.channel_id = served.id order by login"#,
        CHAT_MESSAGE
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let (mode, is_default) = (row.mode, row.is_default);
        (row.login, ChatSetting { mode, is_default, membership: row.membership, has_eventsub: row.has_eventsub })
    });
    Ok(rows.collect())
}

/// Changes the setting of a served channel, and wakes the server that reads the chats. False if the channel is not served.
///
/// # Errors
/// If the database fails.
pub async fn set(db: impl PgExecutor<'_>, id: &ChannelId, edit: ChatEdit) -> sqlx::Result<bool> {
    let changed = sqlx::query!(
        "with changed as (
            insert into chat (channel_id, mode, membership)
            select id, nullif($2, 'default'), $3 from served_channel where id = $1
            on conflict (channel_id) do update set
                mode = case when $2::text is null then chat.mode else nullif($2, 'default') end,
                membership = case when $2 = 'default' then $3 else coalesce($3, chat.membership) end
            returning channel_id
        ) select pg_notify($4, '') from changed",
        id.as_str(),
        edit.mode.map(<&str>::from),
        edit.membership,
        Channel::Chat.name()
    );
    Ok(changed.fetch_optional(db).await?.is_some())
}

/// The chats that are to be read at this time, by login.
///
/// # Errors
/// If the database fails.
pub async fn open(db: impl PgExecutor<'_>, now: OffsetDateTime) -> sqlx::Result<Vec<OpenChat>> {
    let rows = sqlx::query!(
        r#"select served.id as "id: ChannelId", coalesce(named.login, served.login) as "login!",
            coalesce(named.display_name, served.display_name) as "display_name!", membership as "membership!", not exists (
                select from desired_subscription desired
                where desired.channel_id = served.id and type = $2 and status = 'enabled'
            ) as "takes_lines!"
        from chat_reading reading join served_channel served on served.id = reading.channel_id
        left join twitch_user named on named.id = served.id
        where mode = 'always' or mode = 'live' and exists (
            select from stream where stream.channel_id = served.id and started_at is not null
                and (ended_at is null or ended_at > $1::timestamptz - interval '15 minutes')
        )
        order by 2"#,
        now,
        CHAT_MESSAGE
    );
    let chats = rows.fetch_all(db).await?.into_iter().map(|row| OpenChat {
        channel: ChatChannel { id: row.id, login: row.login, display_name: row.display_name },
        membership: row.membership,
        takes_lines: row.takes_lines,
    });
    Ok(chats.collect())
}

/// The types of events that the rules need, with the channels of which they need them.
///
/// # Errors
/// If the database fails.
pub async fn needed_types(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(ChannelId, String)>> {
    let rows = sqlx::query!(
        r#"select channel_id as "channel_id!: ChannelId", type as "kind!" from needed_type order by channel_id, type"#
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.channel_id, row.kind)).collect())
}

/// Writes that messages of these chats come over IRC, and forgets messages that were told long ago.
///
/// # Errors
/// If the database fails.
pub async fn take_lines(conn: &mut PgConnection, chats: &[&str], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into chat (channel_id, lines_until) select id, $2 from served_channel where id = any($1)
        on conflict (channel_id) do update set lines_until = excluded.lines_until",
        chats as &[&str],
        now + LINES_KEPT
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from chat_line where told_at < $1", now - LINES_KEPT).execute(conn).await?;
    Ok(())
}

/// Who is in the chats.
///
/// # Errors
/// If the database fails.
pub async fn presence(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<PresenceRow>> {
    sqlx::query_as!(
        PresenceRow,
        r#"select channel_id as "channel_id: ChannelId", login, since, last_seen, absent_since from presence"#
    )
    .fetch_all(db)
    .await
}

/// Writes what has changed of who is in a chat: users that are there or gone for a while, and those that have left.
///
/// # Errors
/// If the database fails.
pub async fn set_presence(
    db: impl PgExecutor<'_>,
    channel: &ChannelId,
    changed: &[PresenceRow],
    left: &[String],
) -> sqlx::Result<()> {
    fn column<'a, T>(rows: &'a [PresenceRow], value: impl Fn(&'a PresenceRow) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    sqlx::query!(
        "with gone as (delete from presence where channel_id = $1 and login = any($6))
        insert into presence (channel_id, login, since, last_seen, absent_since)
        select served.id, seen.* from served_channel served,
            unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[]) as seen
        where served.id = $1
        on conflict (channel_id, login) do update set
            since = excluded.since, last_seen = excluded.last_seen, absent_since = excluded.absent_since",
        channel.as_str(),
        &column(changed, |row| row.login.clone()),
        &column(changed, |row| row.since),
        &column(changed, |row| row.last_seen),
        &column(changed, |row| row.absent_since) as &[Option<OffsetDateTime>],
        left
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets who was in the chats, but for these, which are read.
///
/// # Errors
/// If the database fails.
pub async fn keep_presence(db: impl PgExecutor<'_>, chats: &[&str]) -> sqlx::Result<()> {
    sqlx::query!("delete from presence where channel_id <> all($1)", chats as &[&str]).execute(db).await?;
    Ok(())
}
