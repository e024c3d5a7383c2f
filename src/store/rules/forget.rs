//! Forgets a user and the channel of the same id in what rules and actions know of the past.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::twitch::id::UserId;

/// Removes the actions, cooldowns, strikes and places in batches of a user, and all that rules know of the channel.
///
/// # Errors
/// If the database fails.
pub async fn forget(conn: &mut PgConnection, id: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "with actions as (delete from action where $1 in (target, as_user, channel_id)),
            cooldowns as (delete from rule_cooldown where $1 in (user_id, channel_id)),
            strikes as (delete from rule_strike where $1 in (user_id, channel_id)),
            permits as (delete from permit where channel_id = $1),
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
        "update rule_batch set (events, members) = (
            select events - jsonb_array_length(members) + count(*)::integer, coalesce(jsonb_agg(member), '[]')
            from jsonb_array_elements(members) as member where member ->> 'id' is distinct from $1
        ) where members @> jsonb_build_array(jsonb_build_object('id', $1::text))",
        id.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes what rules and actions know of a user by name, and what they wrote that has a name or the id as a word: such a text
/// is of no event of the user's if it is of a batch, or of a client. A rule itself stays; its former revisions are emptied.
///
/// # Errors
/// If the database fails.
pub async fn forget_names(conn: &mut PgConnection, id: &UserId, names: &BTreeSet<String>) -> sqlx::Result<()> {
    let logins: Vec<_> = names.iter().map(|name| name.to_lowercase()).collect();
    let words: Vec<_> = names.iter().map(|name| regex::escape(name)).chain([id.to_string()]).collect();
    let word = format!(r"(^|[^[:alnum:]_])({})($|[^[:alnum:]_])", words.join("|"));
    sqlx::query!(
        r#"with actions as (
            delete from action where exists (
                select from jsonb_path_query(jsonb_build_array(subject, params, result, problem), '$.** ? (@.type() == "string")') as said
                where said #>> '{}' ~* $2)
        ), revisions as (
            update rule_history set body = '{}' where (rule_id, revision) not in (select id, revision from rule) and exists (
                select from jsonb_path_query(body, '$.** ? (@.type() == "string")') as said where said #>> '{}' ~* $2)
        ), cooldowns as (
            delete from rule_cooldown where user_id = any($1)
        ), strikes as (
            delete from rule_strike where user_id = any($1)
        ), permits as (
            delete from permit where login = any($1)
        ), variables as (
            delete from variable where value ~* $2
        ), outcomes as (
            update rule_outcome set refused_at = null, refusal = null where refusal ~* $2
        )
        update rule_batch set (events, members) = (
            select events - jsonb_array_length(members) + count(*)::integer, coalesce(jsonb_agg(member), '[]')
            from jsonb_array_elements(members) as member where coalesce(lower(member ->> 'login'), '') <> all($1)
        ) where exists (select from jsonb_array_elements(members) as member where lower(member ->> 'login') = any($1))"#,
        &logins,
        word
    )
    .execute(conn)
    .await?;
    Ok(())
}
