//! Keeps what is to be said of each broadcast that is tracked.

use std::collections::BTreeSet;

use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::message::MessageType;
use crate::outputs::follow::{Batch, Concern, Handler, HandlerError, Next, Types};
use crate::store::read::events::LoggedEvent;
use crate::store::signals::Channel;
use crate::store::tracking::announcements::{self, Begun};
use crate::store::tracking::names;
use crate::tracking::current::TYPES;
use crate::twitch::id::{ChannelId, StreamId};
use crate::twitch::subscription_status::SubscriptionStatus;

/// An event with which a broadcast may begin.
const ONLINE: &str = "stream.online";

/// Keeps the broadcasts up to date.
#[derive(Debug)]
pub(super) struct Broadcasts {
    pub(super) clock: Clock,
}

impl Handler for Broadcasts {
    async fn concern(&mut self, _: &mut PgConnection, _: &Next) -> Result<Concern, HandlerError> {
        Ok(Concern { types: Types::Only(&TYPES), is_timed: false })
    }

    async fn handle(&mut self, db: &mut PgConnection, batch: &Batch) -> Result<(), HandlerError> {
        follow(db, batch, self.clock.now()).await
    }
}

/// Brings the announcements of the channels of these events up to date. Only an event of a stream that begins makes a new one.
async fn follow(db: &mut PgConnection, batch: &Batch, now: OffsetDateTime) -> Result<(), HandlerError> {
    let events: Vec<_> = batch.events.iter().filter(|event| !event.is_test).collect();
    if events.is_empty() {
        return Ok(());
    }
    let channels: BTreeSet<ChannelId> = events.iter().filter_map(|event| event.channel_id.clone()).collect();
    let channels = Vec::from_iter(channels);
    let begun: Vec<_> = events.iter().filter_map(|event| begun(event)).collect();
    let mut changed = announcements::update(&mut *db, &channels, now).await?;
    if !begun.is_empty() {
        changed += announcements::begin(&mut *db, &begun, now).await?;
    }
    if changed > 0 {
        Channel::Post.notify(&mut *db, "").await?;
    }
    for streamer in names::renamed(&mut *db, &channels).await? {
        names::rename(&mut *db, streamer.id.as_str(), &streamer.login, now).await?;
    }
    record_existence(db, &events, now).await
}

/// Records which of the channels still exist. Twitch ends the subscriptions of those that do not
/// ([`user_removed`](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#revoking-your-subscription)).
async fn record_existence(
    db: &mut PgConnection,
    events: &[&LoggedEvent],
    now: OffsetDateTime,
) -> Result<(), HandlerError> {
    let is_end = |event: &&&LoggedEvent| event.message_type == MessageType::Revocation.as_str();
    let shown: BTreeSet<_> =
        events.iter().filter(|event| !is_end(event)).filter_map(|event| event.channel_id.clone()).collect();
    let removed = events.iter().filter(is_end).filter(|event| is_removed(event));
    let removed: BTreeSet<_> = removed.filter_map(|event| event.channel_id.clone()).collect();
    names::show(&mut *db, &Vec::from_iter(shown)).await?;
    for channel in &removed {
        names::vanish(&mut *db, channel, now).await?;
    }
    Ok(())
}

/// Whether the end of a subscription says that its channel does not exist any more.
fn is_removed(event: &LoggedEvent) -> bool {
    #[derive(Deserialize)]
    struct Body {
        subscription: Subscription,
    }
    #[derive(Deserialize)]
    struct Subscription {
        status: SubscriptionStatus,
    }
    let body: Option<Body> = serde_json::from_str(event.payload.get()).ok();
    body.is_some_and(|body| body.subscription.status == SubscriptionStatus::UserRemoved)
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
