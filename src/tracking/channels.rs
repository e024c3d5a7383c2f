//! A bot's Discord channels: their webhooks, and what is tracked in them.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sqlx::{PgConnection, PgExecutor};

use super::error::TrackingError;
use super::settings::{TrackSettings, changed, check};
use super::tracker::{StreamerName, Tracker, get_locked};
use super::webhooks::WebhookPlace;
use crate::discord::client::WebhookKey;
use crate::discord::shard::Shard;
use crate::discord::snowflake::Snowflake;
use crate::store::read::channels;
use crate::store::tracking::destinations::{self, Destination, DestinationState, Loss};
use crate::store::tracking::tracks::{self, Streamer, Track};

/// A Discord channel, and what is tracked there in the order in which it was added.
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
    /// A page of a bot's Discord channels, by id.
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

    /// A Discord channel.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn channel(&self, bot_id: i64, channel: Snowflake) -> Result<DiscordChannel, TrackingError> {
        let destination = self.get(bot_id, channel).await?;
        let tracks = tracks::of(&self.pool, &[destination.id]).await?;
        Ok(DiscordChannel { destination, tracks })
    }

    /// Drops a Discord channel and all that is tracked there.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn remove_channel(&self, bot_id: i64, channel: Snowflake) -> Result<(), TrackingError> {
        match destinations::delete(&self.pool, bot_id, channel).await? {
            true => Ok(()),
            false => Err(TrackingError::UnknownChannel(channel)),
        }
    }

    /// Drops all channels in a Discord server, and all that is tracked there.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn remove_guild(&self, bot_id: i64, guild: Snowflake) -> Result<(), TrackingError> {
        match destinations::delete_guild(&self.pool, bot_id, guild).await? {
            true => Ok(()),
            false => Err(TrackingError::UnknownGuild(guild)),
        }
    }

    /// Gives a Discord channel this webhook, in place of the one that it has, if Discord says that it posts there.
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
    pub async fn report_webhook_gone(&self, bot_id: i64, channel: Snowflake) -> Result<(), TrackingError> {
        let known = self.get(bot_id, channel).await?;
        self.record_loss_because(&known, Loss::Gone, "the bot says that the webhook was deleted").await
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
        match self.verify_webhook(&key, channel).await? {
            WebhookPlace::Here(webhook) => {
                self.put(bot_id, &key, &webhook).await?;
                Ok(Checked::Ok)
            }
            WebhookPlace::Elsewhere(to) => {
                self.record_loss(&known, Loss::Moved(to)).await?;
                Ok(Checked::Moved(to))
            }
            WebhookPlace::Gone => {
                self.record_loss(&known, Loss::Gone).await?;
                Ok(Checked::Gone)
            }
        }
    }

    /// Lets a Twitch channel be announced in a Discord channel that has a webhook, with these settings. Returns the track, and
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
        self.add_with_settings(&destination, name, &streamer, settings).await
    }

    /// Adds a track with these settings, or replaces those of one that is there. It is never there without them.
    pub(super) async fn add_with_settings(
        &self,
        destination: &Destination,
        name: &StreamerName,
        streamer: &Streamer,
        settings: &TrackSettings,
    ) -> Result<(Track, bool), TrackingError> {
        let mut transaction = self.pool.begin().await?;
        let is_new = self.add(&mut transaction, destination, streamer).await?;
        let tracks = tracks::of(&mut *transaction, &[destination.id]).await?;
        let track = tracks.into_iter().find(|track| track.twitch_id == streamer.id);
        let (name, channel) = (name.as_str().to_owned(), destination.channel_id);
        let mut track = track.ok_or(TrackingError::NotTracked { name, channel })?;
        set_settings(&mut *transaction, &mut track, settings).await?;
        transaction.commit().await?;
        self.announce_if_wanted(destination, &streamer.id, &track.settings).await?;
        Ok((track, is_new))
    }

    /// Lets a Twitch channel be announced in a Discord channel that has a webhook. True if it is new; else its settings stay.
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
        self.add_without_settings(&destination, &self.streamer(name).await?).await
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
        let mut transaction = self.pool.begin().await?;
        let destination = get_locked(&mut transaction, bot_id, channel).await?;
        let mut track = known_track(&mut transaction, &destination, name).await?;
        let settings = changed(track.settings.clone(), change)?;
        check(&settings)?;
        set_settings(&mut *transaction, &mut track, &settings).await?;
        transaction.commit().await?;
        Ok(track)
    }

    /// Ends that a Twitch channel is announced in a Discord channel.
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

/// The track of a Twitch channel: of one that the log knows, or else of that which was called so when it was added.
pub(super) async fn known_track(
    db: &mut PgConnection,
    destination: &Destination,
    name: &StreamerName,
) -> Result<Track, TrackingError> {
    let known = channels::find(&mut *db, name.as_str()).await?;
    let mut tracks = tracks::of(db, &[destination.id]).await?;
    let of_log = tracks.iter().position(|track| known.as_ref() == Some(&track.twitch_id));
    let is_called = |track: &Track| track.twitch_id.as_str() == name.as_str() || track.login == name.login();
    let place = of_log.or_else(|| tracks.iter().position(is_called));
    let (name, channel) = (name.as_str().to_owned(), destination.channel_id);
    place.map(|place| tracks.swap_remove(place)).ok_or(TrackingError::NotTracked { name, channel })
}

async fn set_settings(db: impl PgExecutor<'_>, track: &mut Track, settings: &TrackSettings) -> sqlx::Result<()> {
    track.settings = serde_json::to_value(settings).unwrap_or_default();
    tracks::set_settings(db, track, &track.settings).await
}
