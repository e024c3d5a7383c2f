//! A bot's channels of Discord: their webhooks, and what is tracked in them.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::error::TrackingError;
use super::settings::{TrackSettings, changed, check};
use super::tracker::{StreamerName, Tracker};
use super::webhooks::Found;
use crate::discord::client::WebhookKey;
use crate::discord::shard::Shard;
use crate::discord::snowflake::Snowflake;
use crate::store::read::channels;
use crate::store::tracking::destinations::{self, Destination, DestinationState, Loss};
use crate::store::tracking::tracks::{self, Streamer, Track};
use crate::twitch::id::ChannelId;

/// A channel of Discord, and what is tracked there in the order in which it was added.
#[derive(Clone, Debug)]
pub struct DiscordChannel {
    /// The channel and its webhook.
    pub destination: Destination,
    /// What is tracked.
    pub tracks: Vec<Track>,
}

/// What Discord says of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It posts into its channel.
    Ok,
    /// It posts into this channel.
    Moved(Snowflake),
    /// It was deleted.
    Gone,
}

impl Tracker {
    /// A page of a bot's channels of Discord, by id.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn channels(
        &self,
        bot_id: i64,
        shard: Option<Shard>,
        after: Option<Snowflake>,
        limit: i64,
    ) -> Result<Vec<DiscordChannel>, TrackingError> {
        let mut connection = self.pool.acquire().await?;
        let page = destinations::page(&mut *connection, bot_id, shard, after, limit).await?;
        let ids: Vec<_> = page.iter().map(|destination| destination.id).collect();
        let mut tracked: HashMap<i64, Vec<Track>> = HashMap::new();
        for track in tracks::of(&mut *connection, &ids).await? {
            tracked.entry(track.destination_id).or_default().push(track);
        }
        let with_tracks = |destination: Destination| {
            let tracks = tracked.remove(&destination.id).unwrap_or_default();
            DiscordChannel { destination, tracks }
        };
        Ok(page.into_iter().map(with_tracks).collect())
    }

    /// A channel of Discord.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn channel(&self, bot_id: i64, channel: Snowflake) -> Result<DiscordChannel, TrackingError> {
        let destination = self.get(bot_id, channel).await?;
        let tracks = tracks::of(&self.pool, &[destination.id]).await?;
        Ok(DiscordChannel { destination, tracks })
    }

    /// Drops a channel of Discord and all that is tracked there.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn remove_channel(&self, bot_id: i64, channel: Snowflake) -> Result<(), TrackingError> {
        match destinations::delete(&self.pool, bot_id, channel).await? {
            true => Ok(()),
            false => Err(TrackingError::UnknownChannel(channel)),
        }
    }

    /// Drops all channels in a server of Discord, and all that is tracked there.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn remove_guild(&self, bot_id: i64, guild: Snowflake) -> Result<(), TrackingError> {
        match destinations::delete_guild(&self.pool, bot_id, guild).await? {
            true => Ok(()),
            false => Err(TrackingError::UnknownGuild(guild)),
        }
    }

    /// Gives a channel of Discord this webhook, in place of the one that it has, if Discord says that it posts there.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn replace_webhook(
        &self,
        bot_id: i64,
        channel: Snowflake,
        key: &WebhookKey,
    ) -> Result<DiscordChannel, TrackingError> {
        let destination = self.put_verified(bot_id, channel, key).await?;
        let tracks = tracks::of(&self.pool, &[destination.id]).await?;
        Ok(DiscordChannel { destination, tracks })
    }

    /// Records what the bot says: the webhook of a channel was deleted.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn lose_webhook(&self, bot_id: i64, channel: Snowflake) -> Result<(), TrackingError> {
        let known = self.get(bot_id, channel).await?;
        self.record(&known, Loss::Gone, "the bot says that the webhook was deleted").await
    }

    /// Asks Discord about the webhook of a channel, unless it is known to be deleted.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn check_webhook(&self, bot_id: i64, channel: Snowflake) -> Result<Checked, TrackingError> {
        let known = self.get(bot_id, channel).await?;
        if known.state == DestinationState::Gone {
            return Ok(Checked::Gone);
        }
        let key = self.open(&known)?;
        match self.find(&key, channel).await? {
            Found::Here(webhook) => {
                self.put(bot_id, &key, &webhook).await?;
                Ok(Checked::Ok)
            }
            Found::Elsewhere(to) => {
                self.lose(&known, Loss::Moved(to)).await?;
                Ok(Checked::Moved(to))
            }
            Found::Gone => {
                self.lose(&known, Loss::Gone).await?;
                Ok(Checked::Gone)
            }
        }
    }

    /// Lets a channel of Twitch be announced in a channel of Discord that has a webhook, with these settings. Returns the track, and
    /// whether it is new.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn put_track(
        &self,
        bot_id: i64,
        channel: Snowflake,
        name: &StreamerName,
        settings: &TrackSettings,
    ) -> Result<(Track, bool), TrackingError> {
        check(settings)?;
        let destination = self.get(bot_id, channel).await?;
        let streamer = self.streamer(name).await?;
        self.add_with(&destination, name, &streamer, settings).await
    }

    /// Adds a track, or replaces the settings of one that is there.
    pub(super) async fn add_with(
        &self,
        destination: &Destination,
        name: &StreamerName,
        streamer: &Streamer,
        settings: &TrackSettings,
    ) -> Result<(Track, bool), TrackingError> {
        let is_new = self.add(destination, streamer).await?;
        let mut track = self.track_of(destination, name, &streamer.id).await?;
        self.set(&mut track, settings).await?;
        self.announce_if_wanted(destination, &streamer.id, &track.settings).await?;
        Ok((track, is_new))
    }

    /// Lets a channel of Twitch be announced in a channel of Discord that has a webhook. True if it is new; else its settings stay.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn keep_track(
        &self,
        bot_id: i64,
        channel: Snowflake,
        name: &StreamerName,
    ) -> Result<bool, TrackingError> {
        let destination = self.get(bot_id, channel).await?;
        self.add_plain(&destination, &self.streamer(name).await?).await
    }

    /// Changes settings of a track: those that are left out stay, and those that are null take their default.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn change_track(
        &self,
        bot_id: i64,
        channel: Snowflake,
        name: &StreamerName,
        change: Map<String, Value>,
    ) -> Result<Track, TrackingError> {
        let destination = self.get(bot_id, channel).await?;
        let mut track = self.known_track(&destination, name).await?;
        let settings = changed(track.settings.clone(), change)?;
        check(&settings)?;
        self.set(&mut track, &settings).await?;
        Ok(track)
    }

    /// The track of a channel of Twitch: of one that the log knows, or else of that which was called so when it was added.
    pub(super) async fn known_track(
        &self,
        destination: &Destination,
        name: &StreamerName,
    ) -> Result<Track, TrackingError> {
        let known = channels::find(&self.pool, name.as_str()).await?;
        let mut tracks = tracks::of(&self.pool, &[destination.id]).await?;
        let of_log = tracks.iter().position(|track| known.as_ref() == Some(&track.twitch_id));
        let is_called = |track: &Track| track.twitch_id.as_str() == name.as_str() || track.login == name.login();
        let place = of_log.or_else(|| tracks.iter().position(is_called));
        let (name, channel) = (name.as_str().to_owned(), destination.channel_id);
        place.map(|place| tracks.swap_remove(place)).ok_or(TrackingError::NotTracked { name, channel })
    }

    async fn track_of(
        &self,
        destination: &Destination,
        name: &StreamerName,
        id: &ChannelId,
    ) -> Result<Track, TrackingError> {
        let tracks = tracks::of(&self.pool, &[destination.id]).await?;
        let track = tracks.into_iter().find(|track| track.twitch_id == *id);
        let (name, channel) = (name.as_str().to_owned(), destination.channel_id);
        track.ok_or(TrackingError::NotTracked { name, channel })
    }

    async fn set(&self, track: &mut Track, settings: &TrackSettings) -> Result<(), TrackingError> {
        track.settings = serde_json::to_value(settings).unwrap_or_default();
        Ok(tracks::set_settings(&self.pool, track, &track.settings).await?)
    }

    /// Ends that a channel of Twitch is announced in a channel of Discord.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn remove_track(
        &self,
        bot_id: i64,
        channel: Snowflake,
        name: &StreamerName,
    ) -> Result<(), TrackingError> {
        let destination = self.get(bot_id, channel).await?;
        self.delete_track(&destination, name.as_str()).await
    }

    /// Deletes a track by the login or id of its channel.
    pub(super) async fn delete_track(&self, destination: &Destination, name: &str) -> Result<(), TrackingError> {
        let known = channels::find(&self.pool, name).await?;
        match tracks::delete(&self.pool, destination.id, known.as_ref(), name).await? {
            true => Ok(()),
            false => Err(TrackingError::NotTracked { name: name.to_owned(), channel: destination.channel_id }),
        }
    }
}
