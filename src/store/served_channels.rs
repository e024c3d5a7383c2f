//! Table `served_channel`: the channels that showtime is to serve.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::switches;
use crate::twitch::helix::User;
use crate::twitch::id::ChannelId;
use crate::twitch::transport::TransportKind;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedChannel {
    /// Twitch's id.
    pub id: ChannelId,
    /// Lower-case ASCII.
    pub login: String,
    /// As shown.
    pub display_name: String,
    /// When it was added, or `init` was last run for it.
    pub requested_at: OffsetDateTime,
    /// How Twitch is to deliver; `None` for what the setting says.
    pub transport: Option<TransportKind>,
}

impl ServedChannel {
    /// The channel of this user, requested now.
    #[must_use]
    pub fn new(user: User, now: OffsetDateTime) -> Self {
        let display_name = if user.display_name.is_empty() { user.login.clone() } else { user.display_name };
        Self { id: user.id.channel(), login: user.login, display_name, requested_at: now, transport: None }
    }
}

/// All rows, by login.
///
/// # Errors
/// If the database fails.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<ServedChannel>> {
    sqlx::query_as!(
        ServedChannel,
        r#"select id as "id: ChannelId", login, display_name, requested_at, transport as "transport: TransportKind"
        from served_channel order by login"#
    )
    .fetch_all(conn)
    .await
}

/// The channels that are to have their subscriptions over this transport, by login, if `default` is the setting. During a
/// switch a channel has them over both.
///
/// # Errors
/// If the database fails.
pub async fn over(
    conn: &mut PgConnection,
    transport: TransportKind,
    default: TransportKind,
) -> sqlx::Result<Vec<ServedChannel>> {
    sqlx::query_as!(
        ServedChannel,
        r#"select id as "id: ChannelId", login, display_name, requested_at, channel.transport as "transport: TransportKind"
        from served_channel channel join channel_transport on channel_id = id
        where coalesce(channel_transport.transport, $2) = $1 order by login"#,
        transport.as_str(),
        default.as_str()
    )
    .fetch_all(conn)
    .await
}

/// Adds a channel, or updates its names and time; [`set_transport`] sets the transport.
///
/// # Errors
/// If the database fails.
pub async fn put(conn: &mut PgConnection, channel: &ServedChannel) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into served_channel (id, login, display_name, requested_at) values ($1, $2, $3, $4)
        on conflict (id) do update set
            login = excluded.login, display_name = excluded.display_name, requested_at = excluded.requested_at",
        channel.id.as_str(),
        channel.login,
        channel.display_name,
        channel.requested_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has what was refused for a channel, or for all, requested again now: the broadcaster or the bot has consented.
///
/// # Errors
/// If the database fails.
pub async fn request_again(conn: &mut PgConnection, id: Option<&ChannelId>, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "update served_channel set requested_at = $2 where id = coalesce($1, id)",
        id.map(ChannelId::as_str),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets how Twitch is to deliver the messages of a channel; `None` for what the setting says. If it is served otherwise, this
/// opens a [switch](super::switches), or opens one again that was aborted. The caller commits, and wakes the reconcilers.
///
/// # Errors
/// If the database fails.
pub async fn set_transport(
    conn: &mut PgConnection,
    id: &ChannelId,
    transport: Option<TransportKind>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update served_channel set transport = $2 where id = $1",
        id.as_str(),
        transport.map(TransportKind::as_str)
    )
    .execute(&mut *conn)
    .await?;
    switches::open(conn, Some(id), None).await?;
    switches::retry(conn, id).await
}

/// Removes every channel.
///
/// # Errors
/// If the database fails.
pub async fn clear(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("delete from served_channel").execute(conn).await?;
    Ok(())
}

/// Whether the channel with this id is served. The configured channel is also served before its row is written, unless
/// another channel was served under its login first.
///
/// One statement: a row that is written between two would hide the channel from both.
///
/// # Errors
/// If the database fails.
pub async fn contains(conn: &mut PgConnection, id: &ChannelId, configured_login: Option<&str>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select (exists (select from served_channel where id = $1)
            or $2::text is not null and not exists (select from served_channel where login = $2)) as "exists!""#,
        id.as_str(),
        configured_login
    )
    .fetch_one(conn)
    .await
}
