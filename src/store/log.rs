//! The append-only log of messages.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::LogId;
use super::chat_lines;
use super::echo;
use super::signals::Channel;
use crate::message::{Content, Message, MessageType};
use crate::projection::{Fact, Stamp};
use crate::twitch::id::ChannelId;

/// Ids of one row of `event_block` (see `db/migrations/0001_event.up.sql`).
const BLOCK: i64 = 1_024;

/// Messages that were appended.
#[derive(Debug, Default)]
pub struct Appended<'a> {
    /// The ids that they got, by message id.
    pub ids: HashMap<&'a str, LogId>,
    /// Those that are echoes, and change no state.
    pub echoes: BTreeSet<LogId>,
}

/// Appends those messages that the log doesn't have, in the given order. A message that occurs twice is appended once.
///
/// # Errors
/// If the database fails.
pub async fn append<'a>(
    conn: &mut PgConnection,
    messages: &[&'a Message],
    received_at: OffsetDateTime,
) -> sqlx::Result<Appended<'a>> {
    let appended = sqlx::query!(
        r#"
        with appended as (
            insert into event
                (message_id, message_type, type, version, subscription_id, channel_id, occurred_at, received_at, payload,
                is_test)
            select m.message_id, m.message_type, m.type, m.version, m.subscription_id, m.channel_id, m.occurred_at,
                $9, m.payload::json, m.is_test
            from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[],
                    $11::bool[])
                as m (message_id, message_type, type, version, subscription_id, channel_id, occurred_at, payload, is_test)
            on conflict (message_id) do nothing
            returning id, message_id
        )
        select array_agg(message_id) as "message_ids!", array_agg(id) as "ids!: Vec<LogId>", min(id) as "first!", max(id) as "last!",
            pg_notify($10, max(id)::text),
            (select array_agg(channel_id order by channel_id) from transport_switch where channel_id = any($6)) as switching,
            (select array_agg(gone_at order by channel_id) from transport_switch where channel_id = any($6))
                as "gone_at: Vec<Option<OffsetDateTime>>",
            case when cardinality($12::text[]) > 0 then
                (select array_agg(channel_id) from chat where channel_id = any($12) and lines_until > $9) end as chats
        from appended having count(*) > 0
        "#,
        &fields(messages, |m| m.id()) as &[&str],
        &fields(messages, |m| m.message_type().as_str()) as &[&str],
        &fields(messages, |m| m.content().kind()) as &[Option<&str>],
        &fields(messages, |m| m.content().version()) as &[Option<&str>],
        &fields(messages, |m| m.content().subscription().map(|s| s.id.as_str())) as &[Option<&str>],
        &fields(messages, |m| m.content().channel_id.as_ref().map(ChannelId::as_str)) as &[Option<&str>],
        &fields(messages, |m| m.at()),
        &fields(messages, |m| m.body()) as &[&str],
        received_at,
        Channel::Event.name(),
        &fields(messages, |m| m.content().is_test),
        &chat_lines::channels(messages) as &[&str],
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(appended) = appended else { return Ok(Appended::default()) };
    // Lost ids may hide that a block is complete; the next append that completes one makes up for it.
    if (appended.first - 1) / BLOCK < appended.last / BLOCK {
        complete_blocks(conn).await?;
    }
    let new: HashMap<String, LogId> = appended.message_ids.into_iter().zip(appended.ids).collect();
    if messages.iter().any(|m| is_end(m) && new.contains_key(m.id())) {
        Channel::Reconcile.notify(conn, "").await?;
    }
    let ids = messages.iter().filter_map(|message| Some((message.id(), *new.get(message.id())?))).collect();
    let mut echoes = match (appended.switching, appended.gone_at) {
        (Some(channels), Some(gone_at)) => {
            echo::mark(conn, messages, &ids, &channels.into_iter().zip(gone_at).collect()).await?
        }
        _ => BTreeSet::new(),
    };
    if let Some(chats) = appended.chats {
        echoes.extend(chat_lines::mark(conn, messages, &ids, &chats, received_at).await?);
    }
    Ok(Appended { ids, echoes })
}

/// One field of each message, for a column.
pub(super) fn fields<'a, T>(messages: &[&'a Message], value: impl Fn(&'a Message) -> T) -> Vec<T> {
    messages.iter().map(|message| value(message)).collect()
}

/// Whether it ends its subscription, which the reconciler must know.
pub(super) fn is_end(message: &Message) -> bool {
    *message.message_type() == MessageType::Revocation && !message.content().is_test
}

/// Marks events as repeats, each of an earlier event.
///
/// # Errors
/// If the database fails.
pub async fn mark_repeats(conn: &mut PgConnection, repeats: &[(i64, i64)]) -> sqlx::Result<()> {
    if repeats.is_empty() {
        return Ok(());
    }
    let (ids, earlier): (Vec<_>, Vec<_>) = repeats.iter().copied().unzip();
    sqlx::query!(
        "update event set repeats = ($2::bigint[])[array_position($1::bigint[], id)] where id = any($1)",
        &ids,
        &earlier
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the marks of repeats from all events behind the last one that was pruned, but for echoes, and returns the id of
/// that.
///
/// # Errors
/// If the database fails.
pub async fn unmark_repeats(conn: &mut PgConnection) -> sqlx::Result<LogId> {
    let pruned = sqlx::query_scalar!(r#"select coalesce(max(pruned_through), 0) as "id!: LogId" from log_epoch"#)
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query!("update event set repeats = null where repeats is not null and not is_echo and id > $1", pruned.0)
        .execute(conn)
        .await?;
    Ok(pruned)
}

/// Whether this transaction may only read, as on a standby.
///
/// # Errors
/// If the database fails.
pub async fn is_read_only(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select current_setting('transaction_read_only')::bool as "is_read_only!""#)
        .fetch_one(conn)
        .await
}

/// Writes an event of about this many bytes, hardly compressible, to find out whether that is possible. The caller rolls it
/// back. It takes no id from the sequence, and its message id is not one that a message can have.
///
/// # Errors
/// If the database fails.
pub async fn probe(conn: &mut PgConnection, bytes: usize) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into event (id, message_id, message_type, occurred_at, received_at, payload) overriding system value
        select -1, '', 'probe', now(), now(), to_json(string_agg(md5(random()::text), ''))
        from generate_series(1, $1)
        "#,
        i32::try_from(bytes / 32).unwrap_or(i32::MAX)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records the earliest and latest time of the events of each block that is now complete, because an event
/// behind it exists. The caller holds the append lock, so no event with a lower id can follow.
///
/// # Errors
/// If the database fails.
pub async fn complete_blocks(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select complete_blocks_v1()").execute(conn).await?;
    Ok(())
}

/// The id of the event of the message with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(db: impl PgExecutor<'_>, message_id: &str) -> sqlx::Result<Option<LogId>> {
    sqlx::query_scalar!(r#"select id as "id: LogId" from event where message_id = $1"#, message_id)
        .fetch_optional(db)
        .await
}

/// Asks the live feeds of all servers to send an event again. False if there is no such event.
///
/// # Errors
/// If the database fails.
pub async fn replay(conn: &mut PgConnection, id: LogId) -> sqlx::Result<bool> {
    let notified =
        sqlx::query!("select pg_notify($2, id::text) from event where id = $1", id.0, Channel::Replay.name())
            .fetch_optional(conn)
            .await?;
    Ok(notified.is_some())
}

/// A page of the log without echoes, oldest first, as facts for the fold, with the id of the last one.
///
/// # Errors
/// If the database fails.
pub async fn facts_after(
    conn: &mut PgConnection,
    after: LogId,
    limit: i64,
) -> sqlx::Result<(Vec<Fact<'static>>, Option<LogId>)> {
    let rows = sqlx::query!(
        r#"
        select id as "id: LogId", message_id, occurred_at, payload::text as "payload!"
        from event where id > $1 and not is_echo order by id limit $2
        "#,
        after.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    let last = rows.last().map(|row| row.id);
    let facts = rows.into_iter().map(|row| fact(row.id, row.message_id, row.occurred_at, &row.payload));
    Ok((facts.collect::<sqlx::Result<_>>()?, last))
}

/// These events, without echoes, as facts for the fold.
///
/// # Errors
/// If the database fails.
pub async fn facts(conn: &mut PgConnection, ids: &[LogId]) -> sqlx::Result<Vec<Fact<'static>>> {
    let rows = sqlx::query!(
        r#"
        select id as "id: LogId", message_id, occurred_at, payload::text as "payload!"
        from event where id = any($1) and not is_echo order by id
        "#,
        ids as &[LogId]
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| fact(row.id, row.message_id, row.occurred_at, &row.payload)).collect()
}

fn fact(id: LogId, message_id: String, at: OffsetDateTime, payload: &str) -> sqlx::Result<Fact<'static>> {
    let content = Content::read(payload).map_err(|error| sqlx::Error::Decode(format!("event {id}: {error}").into()))?;
    Ok(Fact { id: id.0, stamp: Stamp { at, by: message_id }, content: Cow::Owned(content) })
}
