//! Tables `chat` and `presence`: the chats that are read over IRC, and who is in them.

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

/// When a chat is read over IRC.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
    Display,
    EnumString,
    IntoStaticStr,
    ToSchema,
    sqlx::Type,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ChatMode {
    /// Never.
    #[default]
    Off,
    /// While the channel is live, and 15 minutes longer.
    Live,
    /// Always.
    Always,
}

/// How the chat of a channel is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChatSetting {
    /// When it is read over IRC.
    pub mode: ChatMode,
    /// Whether it is told who comes and leaves.
    pub membership: bool,
    /// Whether EventSub delivers its messages.
    pub has_eventsub: bool,
}

/// A change of the setting; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChatEdit {
    /// When it is read over IRC.
    pub mode: Option<ChatMode>,
    /// Whether it is told who comes and leaves.
    pub membership: Option<bool>,
}

/// A chat to read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedChat {
    /// The channel.
    pub channel: ChatChannel,
    /// Whether it is told who comes and leaves.
    pub membership: bool,
    /// Whether its messages enter the log: not if EventSub delivers them.
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
        r#"select coalesce(mode, 'off') as "mode!: ChatMode", coalesce(membership, false) as "membership!",
            exists (select from desired_subscription desired
                where desired.channel_id = served.id and type = $2 and status = 'enabled') as "has_eventsub!"
        from served_channel served left join chat on chat.channel_id = served.id where served.id = $1"#,
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
        r#"select login, coalesce(mode, 'off') as "mode!: ChatMode", coalesce(membership, false) as "membership!",
            exists (select from desired_subscription desired
                where desired.channel_id = served.id and type = $1 and status = 'enabled') as "has_eventsub!"
        from served_channel served left join chat on chat.channel_id = served.id order by login"#,
        CHAT_MESSAGE
    )
    .fetch_all(db)
    .await?;
    let setting = |mode, membership, has_eventsub| ChatSetting { mode, membership, has_eventsub };
    Ok(rows.into_iter().map(|row| (row.login, setting(row.mode, row.membership, row.has_eventsub))).collect())
}

/// Changes the setting of a served channel, and wakes the server that reads the chats. False if the channel is not served.
///
/// # Errors
/// If the database fails.
pub async fn set(db: impl PgExecutor<'_>, id: &ChannelId, edit: ChatEdit) -> sqlx::Result<bool> {
    let changed = sqlx::query!(
        "with changed as (
            insert into chat (channel_id, mode, membership)
            select id, coalesce($2, 'off'), coalesce($3, false) from served_channel where id = $1
            on conflict (channel_id) do update set mode = coalesce($2, chat.mode), membership = coalesce($3, chat.membership)
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
pub async fn wanted(conn: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<Vec<WantedChat>> {
    let rows = sqlx::query!(
        r#"select chat.channel_id as "id: ChannelId", coalesce(named.login, served.login) as "login!",
            coalesce(named.display_name, served.display_name) as "display_name!", membership, not exists (
                select from desired_subscription desired
                where desired.channel_id = chat.channel_id and type = $2 and status = 'enabled'
            ) as "takes_lines!"
        from chat join served_channel served on served.id = chat.channel_id
        left join twitch_user named on named.id = chat.channel_id
        where mode = 'always' or mode = 'live' and exists (
            select from stream where stream.channel_id = chat.channel_id and started_at is not null
                and (ended_at is null or ended_at > $1::timestamptz - interval '15 minutes')
        )
        order by 2"#,
        now,
        CHAT_MESSAGE
    )
    .fetch_all(conn)
    .await?;
    let chats = rows.into_iter().map(|row| WantedChat {
        channel: ChatChannel { id: row.id, login: row.login, display_name: row.display_name },
        membership: row.membership,
        takes_lines: row.takes_lines,
    });
    Ok(chats.filter(|chat| chat.membership || chat.takes_lines).collect())
}

/// Writes that messages of these chats come over IRC, and forgets messages that were told long ago.
///
/// # Errors
/// If the database fails.
pub async fn take_lines(conn: &mut PgConnection, chats: &[&str], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("update chat set lines_until = $2 where channel_id = any($1)", chats as &[&str], now + LINES_KEPT)
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
        select chat.channel_id, seen.* from chat,
            unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[]) as seen
        where chat.channel_id = $1
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
