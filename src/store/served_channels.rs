//! Table `served_channel`: the channels that showtime is to serve.

use sqlx::PgConnection;
use time::OffsetDateTime;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedChannel {
    /// Twitch's id.
    pub id: String,
    /// Lower-case ASCII.
    pub login: String,
    /// As shown.
    pub display_name: String,
}

/// All rows, by login.
///
/// # Errors
/// If the database fails.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<ServedChannel>> {
    sqlx::query_as!(ServedChannel, "select id, login, display_name from served_channel order by login")
        .fetch_all(conn)
        .await
}

/// Adds a channel, or notes its new names.
///
/// # Errors
/// If the database fails.
pub async fn put(conn: &mut PgConnection, channel: &ServedChannel, at: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into served_channel (id, login, display_name, added_at) values ($1, $2, $3, $4)
        on conflict (id) do update set login = excluded.login, display_name = excluded.display_name",
        channel.id,
        channel.login,
        channel.display_name,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Serves none any more.
///
/// # Errors
/// If the database fails.
pub async fn clear(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("delete from served_channel").execute(conn).await?;
    Ok(())
}

/// Whether the channel with this id is served.
///
/// # Errors
/// If the database fails.
pub async fn contains(conn: &mut PgConnection, id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from served_channel where id = $1) as "exists!""#, id)
        .fetch_one(conn)
        .await
}
