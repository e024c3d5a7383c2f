//! Backfill: finds what Twitch did not send, because the server was down or a message got lost, but its API still shows. What
//! was missed enters the log like everything else, marked as inferred, and so do samples of how many viewers the streams of the
//! served channels have. When channels are looked up is decided by [polling](super::polling), and after
//! [gaps](super::websocket::gap).
//!
//! Helix lags behind the notifications by a minute or two, and an answer may lack a stream that is live. So a notification less
//! than [`HELIX_LAG`] old counts more than an answer, and a stream has ended when two look-ups, at least that far apart, both
//! miss it and none between has shown it. If it is shown again after all, it is live again. One server looks at a time, and
//! sees in the state what the others inferred.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::incidents::Incidents;
use crate::ingest::{Ingest, IngestError, Receipt};
use crate::message::viewers::STREAM_VIEWERS;
use crate::message::{Inference, Message};
use crate::projection::{ChannelInfo, HELIX_LAG};
use crate::services::Services;
use crate::store::backfill::{self as store, AnnouncedInfo, LiveStream};
use crate::store::locks::Lock;
use crate::store::{answered, served_channels};
use crate::twitch::helix::{Answer, ChannelInformation, Helix, HelixError, Stream};
use crate::twitch::id::ChannelId;

/// Messages that are submitted at once: a small part of the writer's queue, which is for Twitch's.
const MAX_IN_FLIGHT: usize = 64;

/// Compares the state with Helix, and submits what was missed.
#[derive(Debug)]
pub struct Backfill {
    /// Twitch's API.
    pub helix: Helix,
    /// The database with the state.
    pub pool: PgPool,
    /// Where missed messages are submitted.
    pub ingest: Ingest,
    /// The time of the look-ups.
    pub clock: Clock,
    /// Where items that can't be read are recorded.
    pub incidents: Incidents,
}

/// Why a round could not be finished. The next one does what this one did not.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// Helix did not answer.
    #[error(transparent)]
    Helix(#[from] HelixError),
    /// The state can't be read.
    #[error("the database can't be read: {0}")]
    Database(#[from] sqlx::Error),
    /// A message can't be stored.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// A message can't be read back.
    #[error("an inferred message can't be made: {0}")]
    Message(#[from] serde_json::Error),
}

impl Backfill {
    /// A backfill by this server.
    #[must_use]
    pub fn new(services: &Services, application: &Application) -> Self {
        Self {
            helix: application.helix.clone(),
            pool: services.pool.clone(),
            ingest: services.ingest.clone(),
            clock: services.clock.clone(),
            incidents: services.incidents.clone(),
        }
    }

    /// Looks up all known channels, unless another looks channels up, and samples the viewers of those that are served. Returns
    /// the number of missed messages. Channel information is looked up for all channels at start, else only for those that
    /// never announced any.
    ///
    /// # Errors
    /// [`BackfillError`]; what was found until then is in the log.
    pub async fn run_once(&self, is_start: bool) -> Result<Option<usize>, BackfillError> {
        self.run_alone(async |conn| {
            let channels = answered(store::known_channels(&mut *conn)).await?;
            let streams = self.streams(&channels).await?;
            let count = self.infer_streams(conn, &channels, &streams).await?;
            let served =
                answered(served_channels::all(&mut *conn)).await?.into_iter().map(|channel| channel.id).collect();
            self.sample(&streams, &served).await?;
            Ok(count + self.look_up_info(conn, &channels, is_start).await?)
        })
        .await
    }

    /// Samples the viewers of the served channels that are live, and finds which of these streams have ended.
    pub(super) async fn sample_live(&self) -> Result<(), BackfillError> {
        let channels = answered(store::served_live_channels(&self.pool)).await?;
        let inferring = self.run_alone(async |conn| {
            let streams = self.streams(&channels).await?;
            self.infer_streams(conn, &channels, &streams).await?;
            Ok(streams)
        });
        let streams = match inferring.await? {
            Some(streams) => streams,
            // While another looks channels up, nothing is inferred from an answer that may be older than its.
            None => self.streams(&channels).await?,
        };
        self.sample(&streams, &channels.into_iter().collect()).await
    }

    /// The current streams of these channels. Records those that can't be read.
    async fn streams(&self, channels: &[ChannelId]) -> Result<Answer<Stream>, HelixError> {
        let streams = self.helix.streams(channels).await?;
        self.incidents.record_items(streams.endpoint(), streams.unreadable());
        Ok(streams)
    }

    /// Submits a sample of the viewers of each stream of the served channels that the answer shows. The id of a sample follows from
    /// the stream and the minute, so there is one for each, however often Helix is asked.
    async fn sample(&self, streams: &Answer<Stream>, served: &HashSet<ChannelId>) -> Result<(), BackfillError> {
        let now = self.clock.now();
        let shown = streams.iter().filter(|stream| served.contains(&stream.user_id));
        let samples = shown.filter_map(|stream| viewers(stream, now)).map(|it| Message::inferred(streams, &it));
        let samples = samples.collect::<Result<Vec<_>, _>>()?;
        let submitting = samples.into_iter().map(async |sample| match self.ingest.submit(sample).await {
            // One that can't be stored, which the writer has logged, holds up no other.
            Ok(_) | Err(IngestError::Rejected) => Ok(()),
            Err(error) => Err(BackfillError::from(error)),
        });
        stream::iter(submitting).buffer_unordered(MAX_IN_FLIGHT).try_collect().await
    }

    /// Does this under the lock, unless another has it.
    pub(super) async fn run_alone<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, BackfillError>,
    ) -> Result<Option<T>, BackfillError> {
        // Outside of the pool: the lock goes when this is dropped, however the work ends.
        let conn = &mut self.pool.acquire().await?.detach();
        if !answered(Lock::Backfill.try_hold(conn)).await? {
            return Ok(None);
        }
        let done = work(conn).await;
        let unlocked = answered(Lock::Backfill.release(conn)).await;
        let done = done?;
        unlocked?;
        Ok(Some(done))
    }

    /// Looks up the streams and the information of these channels.
    pub(super) async fn look_up(
        &self,
        conn: &mut PgConnection,
        channels: &[ChannelId],
        is_start: bool,
    ) -> Result<usize, BackfillError> {
        let streams = self.streams(channels).await?;
        let count = self.infer_streams(conn, channels, &streams).await?;
        Ok(count + self.look_up_info(conn, channels, is_start).await?)
    }

    /// Looks up the streams of these channels, and what these show of the channels. Costs a point for 100 channels.
    pub(super) async fn look_up_live(
        &self,
        conn: &mut PgConnection,
        channels: &[ChannelId],
    ) -> Result<usize, BackfillError> {
        let streams = self.streams(channels).await?;
        let live: Vec<_> = streams.iter().map(ChannelInformation::from).collect();
        // Before the streams: what is told of a stream that begins has its title.
        let count = self.infer_info(conn, &live, &streams).await?;
        Ok(count + self.infer_streams(conn, channels, &streams).await?)
    }

    /// The state is read after Helix, so that an event which Twitch sent meanwhile is not inferred.
    async fn infer_streams(
        &self,
        conn: &mut PgConnection,
        channels: &[ChannelId],
        streams: &Answer<Stream>,
    ) -> Result<usize, BackfillError> {
        let now = self.clock.now();
        let ids: Vec<_> = streams.iter().map(|stream| &stream.id).collect();
        let known = answered(store::known_streams(&mut *conn, &ids)).await?;
        let known: HashMap<_, _> = known.iter().map(|known| (&known.id, known)).collect();
        // Without a type Twitch does not know itself whether it is live.
        let live = streams.iter().filter(|stream| !stream.kind.is_empty());
        let began = live.filter_map(|stream| match known.get(&stream.id) {
            None => Some(went_live(stream, None, now)),
            Some(known) => {
                let is_wrong = |ended_at: &OffsetDateTime| known.is_end_inferred || now - *ended_at > HELIX_LAG;
                known.ended_at.filter(is_wrong).map(|ended_at| went_live(stream, Some(ended_at), now))
            }
        });
        let mut inferences: Vec<_> = began.collect();
        // An item that can't be read may be any stream: none is missed, but those that are shown are there.
        if streams.unreadable() > 0 {
            let shown: Vec<_> = streams.iter().map(|stream| stream.user_id.clone()).collect();
            answered(store::record_missed(&mut *conn, &shown, &[], now, now - HELIX_LAG)).await?;
            return self.submit(streams, &inferences).await;
        }
        let shown: HashSet<_> = streams.iter().map(|stream| &stream.user_id).collect();
        let mut missed = answered(store::live_streams(&mut *conn, channels)).await?;
        missed.retain(|live| !shown.contains(&live.channel_id));
        let ids: Vec<_> = missed.iter().map(|live| &live.stream_id).collect();
        let gone: HashSet<_> = answered(store::record_missed(&mut *conn, channels, &ids, now, now - HELIX_LAG))
            .await?
            .into_iter()
            .collect();
        missed.retain(|live| gone.contains(&live.stream_id) && live.live_at.is_none_or(|at| now - at >= HELIX_LAG));
        inferences.extend(missed.iter().map(|live| went_offline(live, now)));
        self.submit(streams, &inferences).await
    }

    /// Looks up the channel information of these channels, at start, or of those among them that never announced any.
    async fn look_up_info(
        &self,
        conn: &mut PgConnection,
        channels: &[ChannelId],
        is_start: bool,
    ) -> Result<usize, BackfillError> {
        let known = answered(store::announced_info(&mut *conn, channels)).await?;
        let known: HashSet<_> = known.into_iter().map(|known| known.channel_id).collect();
        let channels: Vec<_> = channels.iter().filter(|id| is_start || !known.contains(*id)).cloned().collect();
        let answer = self.helix.channels(&channels).await?;
        self.incidents.record_items(answer.endpoint(), answer.unreadable());
        let shown: Vec<_> = answer.iter().cloned().collect();
        self.infer_info(conn, &shown, &answer).await
    }

    async fn infer_info<T>(
        &self,
        conn: &mut PgConnection,
        shown: &[ChannelInformation],
        answer: &Answer<T>,
    ) -> Result<usize, BackfillError> {
        let now = self.clock.now();
        let channels: Vec<_> = shown.iter().map(|shown| shown.broadcaster_id.clone()).collect();
        let known = answered(store::announced_info(&mut *conn, &channels)).await?;
        let known: HashMap<_, _> = known.iter().map(|known| (&known.channel_id, known)).collect();
        let missed = shown.iter().filter_map(|shown| {
            let known = known.get(&shown.broadcaster_id).copied();
            let info = info(shown, known);
            is_missed(&info, known, now).then(|| updated(shown, &info, now))
        });
        let inferences: Vec<_> = missed.collect();
        self.submit(answer, &inferences).await
    }

    /// Returns how many were new.
    pub(super) async fn submit<T>(
        &self,
        answer: &Answer<T>,
        inferences: &[Inference<'_>],
    ) -> Result<usize, BackfillError> {
        let messages = inferences.iter().map(|inference| Message::inferred(answer, inference));
        let messages = messages.collect::<Result<Vec<_>, _>>()?;
        let submitting = messages.into_iter().map(async |message| {
            let (id, channel_id) = (message.id().to_owned(), message.content().channel_id.clone());
            match self.ingest.submit(message).await {
                Ok(Receipt::Appended) => {
                    tracing::info!(
                        message.id = id,
                        channel.id = channel_id.as_ref().map(ChannelId::as_str),
                        "a missed event is in the log"
                    );
                    Ok(1)
                }
                Ok(Receipt::Duplicate) => Ok(0),
                // One that can't be stored, which the writer has logged, holds up no other.
                Err(IngestError::Rejected) => Ok(0),
                Err(error) => Err(BackfillError::from(error)),
            }
        });
        let counts = stream::iter(submitting).buffer_unordered(MAX_IN_FLIGHT);
        counts.try_fold(0, async |sum, count| Ok(sum + count)).await
    }
}

/// What Helix shows of a channel. A field that Helix lacks is as it was announced.
fn info(shown: &ChannelInformation, known: Option<&AnnouncedInfo>) -> ChannelInfo {
    let text = |shown: Option<&String>, announced: fn(&ChannelInfo) -> &String| {
        let announced = || known.map(|known| announced(&known.info));
        shown.or_else(announced).cloned().unwrap_or_default()
    };
    let announced = known.map(|known| &known.info.content_classification_labels);
    let labels = shown.content_classification_labels.as_ref().or(announced).cloned();
    ChannelInfo {
        title: text(shown.title.as_ref(), |info| &info.title),
        language: text(shown.broadcaster_language.as_ref(), |info| &info.language),
        category_id: text(shown.game_id.as_ref(), |info| &info.category_id),
        category_name: text(shown.game_name.as_ref(), |info| &info.category_name),
        content_classification_labels: labels.unwrap_or_default(),
    }
}

/// Whether Helix shows something else than was announced, and long enough ago for Helix to know.
/// The order of labels has no meaning.
fn is_missed(shown: &ChannelInfo, known: Option<&AnnouncedInfo>, now: OffsetDateTime) -> bool {
    let sorted = |info: &ChannelInfo| {
        let mut info = info.clone();
        info.content_classification_labels.sort_unstable();
        info
    };
    known.is_none_or(|known| now - known.at >= HELIX_LAG && sorted(&known.info) != sorted(shown))
}

/// `ended_at` is when the stream was thought to have ended.
fn went_live(stream: &Stream, ended_at: Option<OffsetDateTime>, now: OffsetDateTime) -> Inference<'_> {
    let event = json!({
        "id": stream.id,
        "type": stream.kind,
        "started_at": stream.started_at.format(&Rfc3339).unwrap_or_default(),
    });
    Inference {
        kind: "stream.online",
        version: "1",
        key: key(stream.id.as_str(), now),
        channel_id: &stream.user_id,
        observed_at: later(now, ended_at),
        event: with_channel(&stream.user_id, &stream.user_login, &stream.user_name, event),
    }
}

fn went_offline(live: &LiveStream, now: OffsetDateTime) -> Inference<'_> {
    Inference {
        kind: "stream.offline",
        version: "1",
        key: key(live.stream_id.as_str(), now),
        channel_id: &live.channel_id,
        observed_at: later(now, live.live_at),
        event: with_channel(&live.channel_id, &live.login, &live.display_name, json!({ "id": live.stream_id })),
    }
}

/// `None` if the answer does not say how many watch the stream.
fn viewers(stream: &Stream, now: OffsetDateTime) -> Option<Inference<'_>> {
    let event = json!({ "id": stream.id, "viewers": stream.viewer_count? });
    Some(Inference {
        kind: STREAM_VIEWERS,
        version: "1",
        key: format!("{}:{}", stream.id, now.unix_timestamp().div_euclid(60)),
        channel_id: &stream.user_id,
        observed_at: now,
        event: with_channel(&stream.user_id, &stream.user_login, &stream.user_name, event),
    })
}

/// What is inferred of the same subject by a later answer has another key: it may be needed again.
fn key(subject: &str, now: OffsetDateTime) -> String {
    format!("{subject}:{}", now.unix_timestamp_nanos() / 1_000)
}

/// A time after the message that says the opposite, which may be from another clock: the newer one counts.
fn later(now: OffsetDateTime, opposite: Option<OffsetDateTime>) -> OffsetDateTime {
    opposite.map_or(now, |at| now.max(at + Duration::from_micros(1)))
}

fn updated<'a>(shown: &'a ChannelInformation, info: &ChannelInfo, now: OffsetDateTime) -> Inference<'a> {
    let event = json!({
        "title": info.title,
        "language": info.language,
        "category_id": info.category_id,
        "category_name": info.category_name,
        "content_classification_labels": info.content_classification_labels,
    });
    Inference {
        kind: "channel.update",
        version: "2",
        key: key(shown.broadcaster_id.as_str(), now),
        channel_id: &shown.broadcaster_id,
        observed_at: now,
        event: with_channel(&shown.broadcaster_id, &shown.broadcaster_login, &shown.broadcaster_name, event),
    }
}

/// Adds the channel to an event, as Twitch's events have it.
fn with_channel(id: &ChannelId, login: &str, display_name: &str, mut event: Value) -> Value {
    event["broadcaster_user_id"] = id.as_str().into();
    event["broadcaster_user_login"] = login.into();
    event["broadcaster_user_name"] = display_name.into();
    event
}
