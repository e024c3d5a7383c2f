//! Forgets a person or a channel: empties the payloads that name them, and removes them from the state and the baseline.
//! Rows, ids and message ids stay, so that cursors hold and a redelivery is known.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::LogId;
use super::gaps;
use super::locks::Lock;
use super::rules;
use super::signals::Channel;
use super::state::baseline;
use super::tracking::tracks;
use crate::message::irc::PRESENCE;
use crate::twitch::id::UserId;

/// Events that are emptied in one transaction.
const BATCH: i64 = 256;

/// A person or channel that the database knows.
#[derive(Clone, Debug)]
pub struct Known {
    /// Twitch's id.
    pub id: UserId,
    /// The login, if the state has it.
    pub login: Option<String>,
    /// Events whose payload names the id.
    pub events: i64,
    /// Whether the state has a channel with this id.
    pub is_channel: bool,
    /// Whether the server serves the channel.
    pub is_served: bool,
}

/// The user with this id, else with this login; `None` if neither the state nor a payload has them.
///
/// # Errors
/// If the database fails.
pub async fn find(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<Known>> {
    // Twitch's ids are numbers. The text of another name may be anywhere in a payload.
    if name.bytes().all(|b| b.is_ascii_digit())
        && let Ok(id) = name.parse()
        && let Some(known) = by_id(conn, id).await?
    {
        return Ok(Some(known));
    }
    let login = name.to_ascii_lowercase();
    let id = sqlx::query_scalar!(
        r#"select id as "id!: UserId" from
            (select * from twitch_user union all select * from baseline_twitch_user) as named
        where login = $1 order by named_at desc, named_by desc limit 1"#,
        login
    )
    .fetch_optional(&mut *conn)
    .await?;
    let id = match id {
        Some(id) => Some(id),
        // Chatters are in no table.
        None => id_in_payloads(conn, &login).await?,
    };
    match id {
        Some(id) => by_id(conn, id).await,
        None => Ok(None),
    }
}

async fn by_id(conn: &mut PgConnection, id: UserId) -> sqlx::Result<Option<Known>> {
    let row = sqlx::query!(
        r#"select
            (select login from twitch_user where id = $1) as login,
            (select count(*) from event where strpos(payload::text, '"' || $1 || '"') > 0) as "events!",
            exists (select from baseline_twitch_user where id = $1) as "is_in_baseline!",
            exists (select from channel where id = $1) or exists (select from baseline_channel where id = $1) as "is_channel!",
            exists (select from served_channel where id = $1) as "is_served!""#,
        id.as_str()
    )
    .fetch_one(conn)
    .await?;
    let is_known = row.login.is_some() || row.events > 0 || row.is_in_baseline || row.is_channel;
    let (events, is_channel, is_served) = (row.events, row.is_channel, row.is_served);
    Ok(is_known.then_some(Known { id, login: row.login, events, is_channel, is_served }))
}

/// The id beside this login in the newest payload that has it.
async fn id_in_payloads(conn: &mut PgConnection, login: &str) -> sqlx::Result<Option<UserId>> {
    let payload = sqlx::query_scalar!(
        r#"select payload::text as "payload!" from event where strpos(payload::text, '"' || $1 || '"') > 0
        order by id desc limit 1"#,
        login
    )
    .fetch_optional(conn)
    .await?;
    Ok(payload.and_then(|payload| beside(&serde_json::from_str(&payload).ok()?, ("login", login), "id")?.parse().ok()))
}

/// The login of the user with this id: by the state, or beside the id in the newest payload that has it.
async fn login_of(conn: &mut PgConnection, id: &UserId) -> sqlx::Result<Option<String>> {
    let row = sqlx::query!(
        r#"select
            (select login from (select * from twitch_user union all select * from baseline_twitch_user) as named
            where id = $1 order by named_at desc, named_by desc limit 1) as login,
            (select payload::text from event where strpos(payload::text, '"' || $1 || '"') > 0
            order by id desc limit 1) as payload"#,
        id.as_str()
    )
    .fetch_one(conn)
    .await?;
    let in_payload = || {
        let json: Value = serde_json::from_str(row.payload.as_deref()?).ok()?;
        beside(&json, ("id", id.as_str()), "login").map(str::to_owned)
    };
    Ok(row.login.clone().or_else(in_payload))
}

/// The value of `PREFIXother` beside a `PREFIXname` with this value.
fn beside<'a>(json: &'a Value, (name, value): (&str, &str), other: &str) -> Option<&'a str> {
    match json {
        Value::Array(items) => items.iter().find_map(|item| beside(item, (name, value), other)),
        Value::Object(fields) => {
            let here = fields
                .iter()
                .filter(|(_, found)| *found == value)
                .find_map(|(field, _)| fields.get(&format!("{}{other}", field.strip_suffix(name)?))?.as_str());
            here.or_else(|| fields.values().find_map(|field| beside(field, (name, value), other)))
        }
        _ => None,
    }
}

/// Forgets a user and the channel of the same id, in batches, of which only the last holds up the writer. Returns the number
/// of events that were emptied. What they gave to other channels counts as given anonymously.
///
/// # Errors
/// If the database fails. What was emptied by then stays so; doing it again completes it.
pub async fn forget(conn: &mut PgConnection, id: &UserId) -> sqlx::Result<u64> {
    let (mut after, mut count, mut names) = (LogId::START, 0, BTreeSet::new());
    let login = login_of(&mut *conn, id).await?;
    let login = login.as_deref();
    loop {
        let newest = sqlx::query_scalar!(r#"select coalesce(max(id), 0) as "id!: LogId" from event"#);
        let newest = newest.fetch_one(&mut *conn).await?;
        let ids = naming(conn, id, login, after).await?;
        let mut transaction = Lock::Baseline.begin(conn).await?;
        Lock::Append.acquire(&mut transaction).await?;
        empty(&mut transaction, id, &ids, &mut names).await?;
        count += ids.len() as u64;
        if let Some(last) = ids.last() {
            after = *last;
            transaction.commit().await?;
            continue;
        }
        // What came since then, while the writer waits.
        let late = naming(&mut transaction, id, login, newest).await?;
        empty(&mut transaction, id, &late, &mut names).await?;
        remove(&mut transaction, id, &names).await?;
        sqlx::query!("delete from presence where login = $1", login).execute(&mut *transaction).await?;
        transaction.commit().await?;
        return Ok(count + late.len() as u64);
    }
}

/// Events behind `after` whose payload names this id, and those of who is in a chat that name this login.
async fn naming(conn: &mut PgConnection, id: &UserId, login: Option<&str>, after: LogId) -> sqlx::Result<Vec<LogId>> {
    // In JSON, a text that only contains the id in quotes has a backslash before each of them.
    sqlx::query_scalar!(
        r#"select id as "id: LogId" from event where id > $2 and (strpos(payload::text, '"' || $1 || '"') > 0
            or type = $4 and strpos(payload::text, '"' || $5::text || '"') > 0)
        order by id limit $3"#,
        id.as_str(),
        after.0,
        BATCH,
        PRESENCE,
        login
    )
    .fetch_all(conn)
    .await
}

/// The names that these payloads have beside this id. Chatters are in no table, so only payloads tell what they are called.
async fn names_of(conn: &mut PgConnection, id: &UserId, ids: &[LogId]) -> sqlx::Result<BTreeSet<String>> {
    let payloads =
        sqlx::query_scalar!(r#"select payload::text as "payload!" from event where id = any($1)"#, ids as &[LogId]);
    let mut names = BTreeSet::new();
    for payload in payloads.fetch_all(conn).await? {
        names_beside(&serde_json::from_str(&payload).unwrap_or_default(), id.as_str(), &mut names);
    }
    Ok(names)
}

/// Adds the values of `PREFIXlogin` and `PREFIXname` beside a `PREFIXid` with this value.
fn names_beside(json: &Value, id: &str, names: &mut BTreeSet<String>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| names_beside(item, id, names)),
        Value::Object(fields) => {
            for prefix in
                fields.iter().filter(|(_, value)| *value == id).filter_map(|(name, _)| name.strip_suffix("id"))
            {
                let beside = ["login", "name"].map(|suffix| fields.get(&format!("{prefix}{suffix}"))?.as_str());
                names.extend(beside.into_iter().flatten().filter(|name| !name.is_empty()).map(str::to_owned));
            }
            fields.values().for_each(|value| names_beside(value, id, names));
        }
        _ => {}
    }
}

/// Empties these events, and removes what rules and actions know by the names in them, unless these were known before.
async fn empty(conn: &mut PgConnection, id: &UserId, ids: &[LogId], names: &mut BTreeSet<String>) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let named = names_of(conn, id, ids).await?;
    if !named.is_subset(names) {
        names.extend(named);
        rules::forget::forget_names(conn, id, names).await?;
    }
    baseline::absorb(conn, ids, Some(id)).await?;
    sqlx::query!(
        "update event set payload = '{}', channel_id = nullif(channel_id, $2) where id = any($1)",
        ids as &[LogId],
        id.as_str()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from action where event_id = any($1)", ids as &[LogId]).execute(&mut *conn).await?;
    sqlx::query!("delete from delivery where event_id = any($1)", ids as &[LogId]).execute(&mut *conn).await?;
    sqlx::query!("update log_epoch set revision = revision + 1").execute(&mut *conn).await?;
    Channel::Deletion.notify(conn, "").await
}

/// Removes the user from the state and from the baseline, and notes it for a restore.
async fn remove(conn: &mut PgConnection, id: &UserId, names: &BTreeSet<String>) -> sqlx::Result<()> {
    let known = sqlx::query!(
        r#"select login as "login!", display_name as "display_name!" from (select * from twitch_user union all select * from baseline_twitch_user) as named
        where id = $1"#,
        id.as_str()
    );
    let known = known.fetch_all(&mut *conn).await?.into_iter();
    let mut names = names.clone();
    names.extend(known.flat_map(|row| [row.login, row.display_name]).filter(|name| !name.is_empty()));
    baseline::enter(conn).await?;
    remove_from_tables(conn, id).await?;
    baseline::leave(conn).await?;
    sqlx::query!(
        "delete from missed_stream where stream_id in (select id from stream where channel_id = $1)",
        id.as_str()
    )
    .execute(&mut *conn)
    .await?;
    gaps::forget(&mut *conn, &id.channel()).await?;
    rules::forget::forget(&mut *conn, id).await?;
    tracks::forget(&mut *conn, id.as_str()).await?;
    rules::forget::forget_names(&mut *conn, id, &names).await?;
    remove_from_tables(conn, id).await?;
    sqlx::query!("insert into forgotten (id, forgotten_at) values ($1, now()) on conflict (id) do update set forgotten_at = now()", id.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// The rule of [`State::forget`](crate::projection::State::forget).
async fn remove_from_tables(conn: &mut PgConnection, id: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"with viewers as (
            delete from viewer where user_id = $1 or channel_id = $1 returning channel_id, bits, gifts
        ), sums as (
            update channel set anonymous_bits = anonymous_bits + given.bits, anonymous_gifts = anonymous_gifts + given.gifts
            from (select channel_id, sum(bits)::bigint as bits, sum(gifts)::bigint as gifts from viewers group by channel_id) given
            where channel.id = given.channel_id and channel.id <> $1
        ), logins as (
            delete from channel_login where channel_id = $1
        ), events as (
            delete from told where subject = $1 or channel_id = $1
        ), activities as (
            delete from activity where channel_id = $1
        ), channels as (
            delete from channel where id = $1
        ), streams as (
            delete from stream where channel_id = $1
        ), ends as (
            delete from stream_end where channel_id = $1
        ), segments as (
            delete from segment where channel_id = $1
        ), subscriptions as (
            delete from subscription where strpos(condition::text, '"' || $1 || '"') > 0
        )
        delete from twitch_user where id = $1"#,
        id.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Who was forgotten, for [`forget`] after a restore from an older backup. An empty database has no such table.
///
/// # Errors
/// If the database fails.
pub async fn forgotten(conn: &mut PgConnection) -> sqlx::Result<Vec<UserId>> {
    let table = sqlx::query_scalar!(r#"select to_regclass('forgotten') is not null as "exists!""#);
    if !table.fetch_one(&mut *conn).await? {
        return Ok(Vec::new());
    }
    sqlx::query_scalar!(r#"select id as "id: UserId" from forgotten order by id"#).fetch_all(conn).await
}

/// Who was forgotten, and when: what was read before and is not in the log yet must not get there.
///
/// # Errors
/// If the database fails.
pub async fn forgotten_since(conn: &mut PgConnection) -> sqlx::Result<Vec<(UserId, OffsetDateTime)>> {
    let rows = sqlx::query!(r#"select id as "id: UserId", forgotten_at from forgotten"#).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.forgotten_at)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn id_and_login_are_beside_each_other() {
        let payload = json!({ "event": { "text": "otter", "list": [{ "user_login": "cat", "user_id": "1" },
            { "chatter_user_login": "otter", "user_id": "2", "chatter_user_id": "3" }] } });
        assert_eq!(beside(&payload, ("login", "otter"), "id"), Some("3"));
        assert_eq!(beside(&payload, ("id", "1"), "login"), Some("cat"));
        assert_eq!(beside(&payload, ("login", "dog"), "id"), None);
    }

    #[test]
    fn names_are_beside_the_id() {
        let payload = json!({ "event": { "user_id": "1", "user_login": "cat", "user_name": "Cat", "message": "1",
            "list": [{ "chatter_user_id": "1", "chatter_user_name": "CAT" }, { "user_id": "2", "user_login": "otter" }] } });
        let mut names = BTreeSet::new();
        names_beside(&payload, "1", &mut names);
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["CAT", "Cat", "cat"]);
    }
}
