//! The echo of our own messages: Twitch sends a chat message to its author, too. It proves that the message arrived, also if
//! the answer was lost, and may come before the answer.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use crate::metrics::Metrics;
use crate::store::actions::settle::{self, Author, Settled};
use crate::store::read::events::LoggedEvent;
use crate::twitch::id::{ChannelId, UserId};
use crate::view::chat::{Chat, ChatMessage};

/// The type of the events in which echoes come.
pub(super) const MESSAGE: &str = "channel.chat.message";

/// Badges of those whose messages have a higher limit.
const PRIVILEGED: [&str; 4] = ["broadcaster", "lead_moderator", "moderator", "vip"];

/// An echo comes within seconds. What is older is not looked for.
const MAX_AGE: Duration = Duration::hours(1);

/// Who wrote lately for us, and where: echoes may come from events that were received since then.
///
/// # Errors
/// If the database fails.
pub(super) async fn authors(db: &mut PgConnection, received_since: OffsetDateTime) -> sqlx::Result<Vec<Author>> {
    settle::authors(db, received_since - MAX_AGE).await
}

/// Settles the actions of these authors whose messages are among these events.
///
/// # Errors
/// If the database fails.
pub(super) async fn settle(
    db: &mut PgConnection,
    metrics: &Metrics,
    authors: &[Author],
    events: &[LoggedEvent],
) -> sqlx::Result<()> {
    let is_message = |event: &&LoggedEvent| event.kind.as_deref() == Some(MESSAGE) && !event.is_test;
    for logged in events.iter().filter(is_message) {
        let Some(Chat::Message(message)) = Chat::new(logged, false) else { continue };
        let Some((channel, author)) = place(logged, &message) else { continue };
        if authors.iter().any(|known| known.as_user == author && known.channel_id == channel) {
            settle_one(db, metrics, logged, &message, (&author, &channel)).await?;
        }
    }
    Ok(())
}

/// Where it was written, and by which user; `None` for a copy of a shared chat.
fn place(logged: &LoggedEvent, message: &ChatMessage) -> Option<(ChannelId, UserId)> {
    if message.source_channel.is_some() {
        return None;
    }
    Some((logged.channel_id.clone()?, message.user.as_ref()?.id.parse().ok()?))
}

async fn settle_one(
    db: &mut PgConnection,
    metrics: &Metrics,
    logged: &LoggedEvent,
    message: &ChatMessage,
    (author, channel): (&UserId, &ChannelId),
) -> sqlx::Result<()> {
    // Postgres can't store U+0000.
    let message_id = message.message_id.replace('\0', "");
    let id = match settle::of_message(&mut *db, author, channel, &message_id).await? {
        Some(id) => Some(id),
        None => {
            let said = said(message);
            let candidates = settle::candidates(&mut *db, author, channel).await?;
            candidates.into_iter().find(|sent| squeezed(&sent.text) == said).map(|sent| sent.id)
        }
    };
    let Some(id) = id else { return Ok(()) };
    let is_privileged = message.badges.iter().any(|badge| PRIVILEGED.contains(&badge.set_id.as_str()));
    let settled = settle::record_echo(db, id, &message_id, is_privileged, logged.received_at).await?;
    if let Some(Settled { kind, due_at }) = settled {
        metrics.action(&kind, "done");
        metrics.reaction(logged.received_at - due_at);
    }
    Ok(())
}

/// The text of a message without what Twitch adds to a reply: the name of the one who is answered.
fn said(message: &ChatMessage) -> String {
    let text = squeezed(&message.text);
    let without_name = message.reply.as_ref().and_then(|_| text.strip_prefix('@')?.split_once(' '));
    without_name.map(|(_, rest)| rest.to_owned()).unwrap_or(text)
}

/// A text with single spaces, as Twitch may show it.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
