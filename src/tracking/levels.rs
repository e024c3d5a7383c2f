//! Settings at their levels: the bot, a Discord channel, a track. Of each setting the closest level counts that has it.

use serde_json::{Map, Value};

use super::channels::DiscordChannel;
use super::error::TrackingError;
use super::settings::{BotSettings, KEEP_GONE_DAYS, TrackSettings, changed, check};
use super::tracker::{Tracker, get_locked};
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::bots::{self, StoredSettings};
use crate::store::tracking::destinations::{self, Destination};
use crate::store::tracking::tracks;

impl Tracker {
    /// What a bot has set for all that it tracks; `None` if it was removed.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn bot_settings(&self, bot_id: i64) -> Result<Option<BotSettings>, TrackingError> {
        let stored = bots::settings(&self.pool, bot_id).await?;
        Ok(stored.map(|StoredSettings { on_webhook_gone, keep_gone_days, defaults }| BotSettings {
            on_webhook_gone,
            keep_gone_days,
            defaults: serde_json::from_value(defaults).unwrap_or_default(),
        }))
    }

    /// Sets what holds for all that a bot tracks.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn set_bot_settings(&self, bot_id: i64, settings: &BotSettings) -> Result<(), TrackingError> {
        let invalid = |(field, reason): (String, String)| TrackingError::InvalidSetting {
            field: format!("defaults.{field}"),
            reason,
        };
        settings.defaults.check().map_err(invalid)?;
        let [least, most] = KEEP_GONE_DAYS;
        if !(least..=most).contains(&settings.keep_gone_days) {
            let (field, reason) = ("keep_gone_days".to_owned(), format!("must be {least} to {most} days"));
            return Err(TrackingError::InvalidSetting { field, reason });
        }
        let stored = StoredSettings {
            on_webhook_gone: settings.on_webhook_gone,
            keep_gone_days: settings.keep_gone_days,
            defaults: serde_json::to_value(&settings.defaults).unwrap_or_default(),
        };
        bots::set_settings(&self.pool, bot_id, &stored).await?;
        Ok(())
    }

    /// Sets how the tracks of a Discord channel are announced.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn set_channel(
        &self,
        bot_id: i64,
        channel: Snowflake,
        settings: &TrackSettings,
    ) -> Result<DiscordChannel, TrackingError> {
        check(settings)?;
        let mut found = self.channel(bot_id, channel).await?;
        found.destination.settings = serde_json::to_value(settings).unwrap_or_default();
        destinations::set_settings(&self.pool, found.destination.id, &found.destination.settings).await?;
        Ok(found)
    }

    /// Changes how the tracks of a Discord channel are announced: what is left out stays, and what is null is no longer set.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn change_channel(
        &self,
        bot_id: i64,
        channel: Snowflake,
        change: Map<String, Value>,
    ) -> Result<DiscordChannel, TrackingError> {
        let mut transaction = self.pool.begin().await?;
        let mut destination = get_locked(&mut transaction, bot_id, channel).await?;
        let settings = changed(destination.settings, change)?;
        check(&settings)?;
        destination.settings = serde_json::to_value(settings).unwrap_or_default();
        destinations::set_settings(&mut *transaction, destination.id, &destination.settings).await?;
        let tracks = tracks::of(&mut *transaction, &[destination.id]).await?;
        transaction.commit().await?;
        Ok(DiscordChannel { destination, tracks })
    }

    /// The settings that count with these at the closest level.
    pub(super) async fn effective(
        &self,
        bot_id: i64,
        channel: Option<&Destination>,
        closest: &Value,
    ) -> Result<TrackSettings, TrackingError> {
        Ok(merged(&self.defaults(bot_id).await?, channel, closest))
    }

    /// What the bot has set for all of its tracks.
    pub(super) async fn defaults(&self, bot_id: i64) -> Result<Value, TrackingError> {
        Ok(bots::settings(&self.pool, bot_id).await?.map(|stored| stored.defaults).unwrap_or_default())
    }
}

/// The settings that count of these levels.
pub(super) fn merged(bot: &Value, channel: Option<&Destination>, closest: &Value) -> TrackSettings {
    let levels = [Some(bot), channel.map(|channel| &channel.settings), Some(closest)];
    let settings: Map<String, Value> =
        levels.into_iter().flatten().filter_map(Value::as_object).flat_map(Map::clone).collect();
    serde_json::from_value(settings.into()).unwrap_or_default()
}
