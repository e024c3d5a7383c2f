//! The table `gap`: when messages of a channel may have been lost.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// Records a gap, which is still to be looked up.
///
/// # Errors
/// If the database fails.
pub async fn record(
    conn: &mut PgConnection,
    channel: &ChannelId,
    began_at: OffsetDateTime,
    ended_at: OffsetDateTime,
    cause: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into gap (channel_id, began_at, ended_at, cause) values ($1, $2, $3, $4)",
        channel.as_str(),
        began_at,
        ended_at,
        cause
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the gaps of a channel that is forgotten.
///
/// # Errors
/// If the database fails.
pub(super) async fn forget(conn: &mut PgConnection, channel: &ChannelId) -> sqlx::Result<()> {
    sqlx::query!("delete from gap where channel_id = $1", channel.as_str()).execute(conn).await?;
    Ok(())
}
