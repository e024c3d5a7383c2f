//! Keeps what is to be said of each broadcast that is tracked.

use std::collections::BTreeSet;

use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::outputs::follow::{Batch, HandlerError};
use crate::store::read::events::LoggedEvent;
use crate::store::signals::Channel;
use crate::store::tracking::announcements::{self, Begun};
use crate::twitch::id::{ChannelId, StreamId};

/// Events after which something else may be to be said.
const TYPES: [&str; 3] = [ONLINE, "stream.offline", "channel.update"];

/// An event with which a broadcast may begin.
const ONLINE: &str = "stream.online";

/// Follows from the state of the channels that these events are about; only a stream that begins makes a new announcement.
pub(super) async fn follow(db: &mut PgConnection, batch: &Batch, now: OffsetDateTime) -> Result<(), HandlerError> {
    let is_relevant =
        |event: &&LoggedEvent| !event.is_test && event.kind.as_deref().is_some_and(|kind| TYPES.contains(&kind));
    let events: Vec<_> = batch.events.iter().filter(is_relevant).collect();
    if events.is_empty() {
        return Ok(());
    }
    let channels: BTreeSet<ChannelId> = events.iter().filter_map(|event| event.channel_id.clone()).collect();
    let begun: Vec<_> = events.iter().filter_map(|event| begun(event)).collect();
    let mut changed = announcements::update(&mut *db, &Vec::from_iter(channels), now).await?;
    if !begun.is_empty() {
        changed += announcements::begin(&mut *db, &begun, now).await?;
    }
    if changed > 0 {
        Channel::Post.notify(db, "").await?;
    }
    Ok(())
}

/// The stream that begins with this event, if it is news that one does.
fn begun(event: &LoggedEvent) -> Option<Begun> {
    #[derive(Deserialize)]
    struct Body {
        event: Stream,
    }
    #[derive(Deserialize)]
    struct Stream {
        id: StreamId,
    }
    if event.kind.as_deref() != Some(ONLINE) || event.repeats.is_some() {
        return None;
    }
    let body: Body = serde_json::from_str(event.payload.get()).ok()?;
    Some(Begun { stream_id: body.event.id, received_at: event.received_at })
}
