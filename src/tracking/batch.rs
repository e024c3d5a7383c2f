//! Many tracks at once, for a bot that moves here with all that it has.

use std::collections::{BTreeMap, HashMap};

use secrecy::ExposeSecret as _;

use super::error::TrackingError;
use super::levels::merged;
use super::settings::{TrackSettings, check};
use super::tracker::{MAX_TRACKS, StreamerName, Tracker, is_new};
use super::webhooks::{self, require_usable};
use crate::discord::client::WebhookKey;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::current;
use crate::store::tracking::destinations::{self, Destination, NewWebhook};
use crate::store::tracking::spread;
use crate::store::tracking::tracks::{self, Added, Streamer};

/// The most tracks of one batch.
pub const MAX_BATCH: usize = 1_000;

/// A track to add.
#[derive(Clone, Debug)]
pub struct NewTrack {
    /// The Discord channel.
    pub channel: Snowflake,
    /// Its server, as the bot says.
    pub guild: Option<Snowflake>,
    /// Its webhook.
    pub key: WebhookKey,
    /// The Twitch channel.
    pub name: StreamerName,
    /// Its settings; `None` leaves those that it has.
    pub settings: Option<TrackSettings>,
}

/// What became of each track of a batch: whether it is new, or why it was refused.
pub type BatchResults = Vec<Result<bool, TrackingError>>;

impl Tracker {
    /// Adds tracks. Webhooks that are not known are kept without asking Discord: a request for each would take hours.
    ///
    /// # Errors
    /// If nothing could be added: the database failed, or Twitch can't be asked.
    pub async fn track_all(&self, bot_id: i64, new: &[NewTrack]) -> Result<BatchResults, TrackingError> {
        let streamers = self.streamers(&new.iter().map(|track| &track.name).collect()).await?;
        let known = new.iter().filter(|track| streamers.contains_key(&track.name));
        let destinations = self.destinations(bot_id, known).await?;
        let found: Vec<_> = new
            .iter()
            .map(|track| {
                let streamer = streamers.get(&track.name).ok_or_else(|| self.unknown(&track.name))?;
                track.settings.as_ref().map_or(Ok(()), check)?;
                Ok((self.fitting(&destinations, track)?.id, streamer))
            })
            .collect();
        let adding: Vec<_> = found.iter().filter_map(|found: &Result<_, TrackingError>| found.as_ref().ok()).collect();
        let adding: Vec<_> = adding.into_iter().copied().collect();
        let mut transaction = self.pool.begin().await?;
        let ids: Vec<_> = adding.iter().map(|(destination_id, _)| *destination_id).collect();
        spread::lock(&mut transaction, &ids).await?;
        let added = tracks::insert_all(&mut *transaction, &adding, MAX_TRACKS, self.clock.now()).await?;
        let set = new.iter().zip(&found).filter_map(|(track, found)| {
            let ((destination_id, streamer), settings) = (found.as_ref().ok()?, track.settings.as_ref()?);
            Some((*destination_id, &streamer.id, serde_json::to_value(settings).unwrap_or_default()))
        });
        tracks::set_all(&mut *transaction, &Vec::from_iter(set)).await?;
        transaction.commit().await?;
        // The tracks are there whatever comes of this, and a repetition would not try it again.
        if let Err(error) = self.announce_new(bot_id, new, &found, &added, &destinations).await {
            tracing::warn!(%error, "streams that are live are not announced for tracks that were just added");
        }
        let mut added = added.into_iter();
        let result = |(track, found): (&NewTrack, Result<_, TrackingError>)| {
            found?;
            // There is one for each that was found.
            added.next().map_or(Ok(false), |added| is_new(added, track.channel))
        };
        Ok(new.iter().zip(found).map(result).collect())
    }

    /// Announces the streams that are live now of those tracks that are new and want that.
    async fn announce_new(
        &self,
        bot_id: i64,
        new: &[NewTrack],
        found: &[Result<(i64, &Streamer), TrackingError>],
        added: &[Added],
        destinations: &HashMap<Snowflake, Destination>,
    ) -> Result<(), TrackingError> {
        let defaults = self.defaults(bot_id).await?;
        let found = new.iter().zip(found).filter_map(|(track, found)| Some((track, found.as_ref().ok()?)));
        let is_wanted = |track: &NewTrack| {
            let settings = serde_json::to_value(&track.settings).unwrap_or_default();
            merged(&defaults, destinations.get(&track.channel), &settings).announce_current == Some(true)
        };
        let new = found.zip(added).filter(|(_, added)| **added == Added::New).map(|(found, _)| found);
        let wanted: Vec<_> = new.filter(|(track, _)| is_wanted(track)).collect();
        if wanted.is_empty() || !self.until_followed().await? {
            return Ok(());
        }
        let (mut connection, now) = (self.pool.acquire().await?, self.clock.now());
        for (_, (destination_id, streamer)) in wanted {
            current::announce(&mut connection, *destination_id, &streamer.id, now).await?;
        }
        Ok(())
    }

    /// The Discord channels of these tracks, of which the new ones are added with the first webhook that is given for them.
    async fn destinations<'a>(
        &self,
        bot_id: i64,
        tracks: impl Iterator<Item = &'a NewTrack>,
    ) -> Result<HashMap<Snowflake, Destination>, TrackingError> {
        let mut wanted: BTreeMap<Snowflake, &NewTrack> = BTreeMap::new();
        for track in tracks {
            wanted.entry(track.channel).or_insert(track);
        }
        let channels: Vec<_> = wanted.keys().copied().collect();
        let mut connection = self.pool.acquire().await?;
        let mut known = destinations::of_channels(&mut *connection, bot_id, &channels).await?;
        wanted.retain(|channel, _| known.iter().all(|known| known.channel_id != *channel));
        let vault = self.keys.vault()?;
        let sealed = |track: &NewTrack| {
            Ok(NewWebhook {
                bot_id,
                channel_id: track.channel,
                guild_id: track.guild,
                webhook_id: track.key.id,
                token_sealed: webhooks::seal(&vault, &track.key)?,
                application_id: None,
            })
        };
        let new = wanted.into_values().map(sealed).collect::<Result<Vec<_>, TrackingError>>()?;
        known.extend(destinations::insert_unverified(&mut *connection, bot_id, &new, self.clock.now()).await?);
        Ok(known.into_iter().map(|known| (known.channel_id, known)).collect())
    }

    /// The Discord channel of a track, if it has the track's webhook and that is not known to be lost.
    fn fitting<'a>(
        &self,
        destinations: &'a HashMap<Snowflake, Destination>,
        track: &NewTrack,
    ) -> Result<&'a Destination, TrackingError> {
        let (channel, webhook) = (track.channel, track.key.id);
        let known = destinations.get(&channel).ok_or(TrackingError::WebhookInUse(webhook))?;
        if known.webhook_id != webhook {
            return Err(TrackingError::WebhookMismatch { channel, stored: known.webhook_id });
        }
        require_usable(known)?;
        if self.open(known)?.token.expose_secret() != track.key.token.expose_secret() {
            return Err(TrackingError::WebhookGone(webhook));
        }
        Ok(known)
    }
}
