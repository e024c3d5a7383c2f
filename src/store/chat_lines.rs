//! Table `chat_line`: finds chat messages that come both over IRC and from EventSub, while they are being appended.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::LogId;
use crate::message::Message;
use crate::message::irc::CHAT_MESSAGE;
use crate::twitch::id::ChannelId;
use crate::twitch::payload::Ids;

/// Records those of these new messages that are chat messages of these channels, and marks those as echoes that were told
/// before. Returns the ids of the echoes. The caller holds the append lock.
///
/// # Errors
/// If the database fails.
pub(super) async fn mark(
    conn: &mut PgConnection,
    messages: &[&Message],
    new: &HashMap<&str, LogId>,
    channels: &[String],
    told_at: OffsetDateTime,
) -> sqlx::Result<BTreeSet<LogId>> {
    let mut lines: Vec<_> = messages.iter().filter_map(|message| line(message, new, channels)).collect();
    lines.sort_unstable();
    lines.dedup_by_key(|(id, ..)| *id);
    if lines.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids: Vec<_> = lines.iter().map(|(id, ..)| *id).collect();
    let channel_ids: Vec<_> = lines.iter().map(|(_, channel_id, _)| *channel_id).collect();
    let message_ids: Vec<_> = lines.iter().map(|(.., message_id)| *message_id).collect();
    sqlx::query!(
        "insert into chat_line (channel_id, message_id, event_id, told_at)
        select channel_id, message_id, event_id, $4
        from unnest($1::bigint[], $2::text[], $3::text[]) as line (event_id, channel_id, message_id)
        order by event_id on conflict do nothing",
        &ids,
        &channel_ids as &[&str],
        &message_ids as &[&str],
        told_at
    )
    .execute(&mut *conn)
    .await?;
    let echoes = sqlx::query_scalar!(
        r#"update event set is_echo = true, repeats = told.event_id
        from unnest($1::bigint[], $2::text[], $3::text[]) as line (event_id, channel_id, message_id)
        join chat_line told using (channel_id, message_id)
        where event.id = line.event_id and told.event_id <> line.event_id
        returning event.id as "id: LogId""#,
        &ids,
        &channel_ids as &[&str],
        &message_ids as &[&str]
    )
    .fetch_all(conn)
    .await?;
    Ok(echoes.into_iter().collect())
}

/// The channels of the chat messages among these.
pub(super) fn channels<'a>(messages: &[&'a Message]) -> Vec<&'a str> {
    messages.iter().filter_map(|message| channel(message)).collect()
}

/// The channel, if it is a chat message.
fn channel(message: &Message) -> Option<&str> {
    let content = message.content();
    let is_line = content.kind() == Some(CHAT_MESSAGE) && !content.is_test;
    content.channel_id.as_ref().filter(|_| is_line).map(ChannelId::as_str)
}

/// The event's id, its channel, and Twitch's id of the chat message.
fn line<'a>(message: &'a Message, new: &HashMap<&str, LogId>, channels: &[String]) -> Option<(i64, &'a str, &'a str)> {
    let channel_id = channel(message).filter(|id| channels.iter().any(|it| it == id))?;
    match &message.content().ids {
        Some(Ids::ChatMessage(ids)) => Some((new.get(message.id())?.0, channel_id, ids.message_id.as_str())),
        _ => None,
    }
}
