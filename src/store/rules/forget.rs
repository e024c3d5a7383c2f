//! Forgets a user and the channel of the same id in what rules know of the past.

use sqlx::PgConnection;

use crate::twitch::id::UserId;

/// Removes cooldowns, strikes, permits and places in batches of a user, and all that rules know of the channel. While the login
/// is known.
///
/// # Errors
/// If the database fails.
pub async fn forget(conn: &mut PgConnection, id: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "with cooldowns as (delete from rule_cooldown where $1 in (user_id, channel_id)),
            strikes as (delete from rule_strike where $1 in (user_id, channel_id)),
            permits as (
                delete from permit where channel_id = $1 or login in (select login from twitch_user where id = $1)
            ),
            paces as (delete from rule_pace where channel_id = $1),
            timers as (delete from rule_timer where channel_id = $1),
            batches as (delete from rule_batch where channel_id = $1),
            counters as (delete from counter where channel_id = $1)
        delete from variable where channel_id = $1",
        id.as_str()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update rule_batch set members = (
            select coalesce(jsonb_agg(member), '[]') from jsonb_array_elements(members) as member
            where member ->> 'id' is distinct from $1
        ) where members @> jsonb_build_array(jsonb_build_object('id', $1::text))",
        id.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}
