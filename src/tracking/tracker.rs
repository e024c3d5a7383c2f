//! What bots track: adding, removing and showing it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use super::error::TrackingError;
use super::keys::Keys;
use super::settings::{TrackSettings, check};
use super::shared_budget::SharedBudget;
use super::webhooks::{self, WebhookPlace, lost, require_usable};
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::credentials::profile_images::ProfileImages;
use crate::discord::client::{Discord, WebhookKey};
use crate::discord::message::Webhook;
use crate::discord::snowflake::Snowflake;
use crate::services::Services;
use crate::store::read::channels;
use crate::store::tracking::destinations::{self, Destination, DestinationState, Loss, NewWebhook};
use crate::store::tracking::names;
use crate::store::tracking::spread;
use crate::store::tracking::tracks::{self, Added, Streamer};
use crate::twitch::helix::User;

/// The most Twitch channels that are tracked in one Discord channel.
pub const MAX_TRACKS: i64 = 200;

/// Time limit of a call to Discord that a bot's request waits for.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What is tracked in a Discord channel.
// Not `Debug`, which a token would be part of.
pub struct Tracked {
    /// The logins, in the order in which they were added.
    pub logins: Vec<String>,
    /// The webhook, unless it was deleted.
    pub webhook: Option<(Snowflake, SecretString)>,
    /// Whether posts can be made.
    pub state: DestinationState,
}

/// A login or an id of Twitch, as requests name a channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamerName(String);

impl StreamerName {
    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is as a login.
    pub(super) fn login(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for StreamerName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = (1..=25).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let name = is_name.then(|| Self(text.to_owned()));
        name.ok_or("must be a login or an id of Twitch: 1 to 25 letters, digits and underscores")
    }
}

/// What bots track.
#[derive(Debug)]
pub struct Tracker {
    pub(super) pool: PgPool,
    pub(super) clock: Clock,
    pub(super) keys: Arc<Keys>,
    pub(super) discord: Discord,
    pub(super) budget: SharedBudget,
    pub(super) application: Option<Application>,
    pub(super) images: ProfileImages,
}

impl Tracker {
    pub(super) fn new(
        services: &Services,
        application: Option<&Application>,
        images: ProfileImages,
        keys: Arc<Keys>,
    ) -> Self {
        Self {
            pool: services.pool.clone(),
            clock: services.clock.clone(),
            keys,
            discord: Discord::new(&services.http, services.config.tracking.discord_url.clone(), CALL_TIMEOUT),
            budget: SharedBudget::new(services, services.pool.clone()),
            application: application.cloned(),
            images,
        }
    }

    /// Lets a Twitch channel be announced in a Discord channel, over this webhook. True if it is new; else its settings stay
    /// unless some are given.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn track(
        &self,
        bot_id: i64,
        channel: Snowflake,
        name: &StreamerName,
        key: &WebhookKey,
        settings: Option<&TrackSettings>,
    ) -> Result<bool, TrackingError> {
        settings.map_or(Ok(()), check)?;
        let streamer = self.streamer(name).await?;
        let destination = self.destination(bot_id, channel, key).await?;
        match settings {
            Some(settings) => Ok(self.add_with_settings(&destination, name, &streamer, settings).await?.1),
            None => self.add_without_settings(&destination, &streamer).await,
        }
    }

    /// Adds a track without settings of its own. True if it is new.
    pub(super) async fn add_without_settings(
        &self,
        destination: &Destination,
        streamer: &Streamer,
    ) -> Result<bool, TrackingError> {
        let mut transaction = self.pool.begin().await?;
        let is_new = self.add(&mut transaction, destination, streamer).await?;
        transaction.commit().await?;
        // The track is there whatever comes of this, and a repetition would not try it again.
        if is_new && let Err(error) = self.announce_if_wanted(destination, &streamer.id, &Value::Null).await {
            tracing::warn!(%error, "a stream that is live is not announced in a Discord channel that was just added");
        }
        Ok(is_new)
    }

    /// Adds a track, within a transaction. True if it is new; then posts must be possible.
    pub(super) async fn add(
        &self,
        transaction: &mut PgConnection,
        destination: &Destination,
        streamer: &Streamer,
    ) -> Result<bool, TrackingError> {
        // Of two requests for the same track, the second one finds that of the first.
        spread::lock(&mut *transaction, &[destination.id]).await?;
        if let Err(lost) = require_usable(destination) {
            let tracks = tracks::of(&mut *transaction, &[destination.id]).await?;
            if !tracks.iter().any(|track| track.twitch_id == streamer.id) {
                return Err(lost);
            }
        }
        let now = self.clock.now();
        let added = tracks::insert(&mut *transaction, destination.id, streamer, MAX_TRACKS, now).await?;
        // A login that is not known is taken from the request, which may name the id.
        if added == Added::Known && streamer.login != streamer.id.as_str() {
            names::rename(transaction, streamer.id.as_str(), &streamer.login, now).await?;
        }
        is_new(added, destination.channel_id)
    }

    /// Ends that a Twitch channel is announced in a Discord channel, which has this webhook.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn untrack(
        &self,
        bot_id: i64,
        channel: Snowflake,
        name: &str,
        webhook: Snowflake,
    ) -> Result<(), TrackingError> {
        let destination = self.get(bot_id, channel).await?;
        if destination.webhook_id != webhook {
            return Err(TrackingError::WebhookMismatch { channel, stored: destination.webhook_id });
        }
        self.delete_track(&destination, name).await
    }

    /// What is tracked in a Discord channel.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn tracked(&self, bot_id: i64, channel: Snowflake) -> Result<Tracked, TrackingError> {
        let destination = self.get(bot_id, channel).await?;
        let logins = tracks::logins(&self.pool, destination.id).await?;
        let webhook = match destination.state {
            DestinationState::Gone => None,
            _ => {
                let key = self.open(&destination)?;
                Some((key.id, key.token))
            }
        };
        Ok(Tracked { logins, webhook, state: destination.state })
    }

    pub(super) async fn get(&self, bot_id: i64, channel: Snowflake) -> Result<Destination, TrackingError> {
        let found = destinations::get(&self.pool, bot_id, channel).await?;
        found.ok_or(TrackingError::UnknownChannel(channel))
    }

    pub(super) fn open(&self, destination: &Destination) -> Result<WebhookKey, TrackingError> {
        Ok(webhooks::open(&*self.keys.vault()?, destination.webhook_id, &destination.token_sealed)?)
    }

    /// The Twitch channel with this id or login: of the log, or else of Twitch's API.
    pub(super) async fn streamer(&self, name: &StreamerName) -> Result<Streamer, TrackingError> {
        let found = self.streamers(&BTreeSet::from([name])).await?.remove(name);
        found.ok_or_else(|| self.unknown(name))
    }

    /// Those of these Twitch channels that the log or Twitch's API knows.
    pub(super) async fn streamers(
        &self,
        names: &BTreeSet<&StreamerName>,
    ) -> Result<BTreeMap<StreamerName, Streamer>, TrackingError> {
        let mut found = BTreeMap::new();
        let texts: Vec<_> = names.iter().map(|name| name.as_str()).collect();
        let ids = channels::resolve(&self.pool, &texts).await?;
        let known = channels::names(&self.pool, &ids.iter().flatten().cloned().collect::<Vec<_>>()).await?;
        let logins: HashMap<_, _> = known.into_iter().map(|names| (names.id, names.login)).collect();
        let mut unknown = Vec::new();
        for (name, id) in names.iter().zip(ids) {
            match id {
                Some(id) => {
                    let login = logins.get(&id).cloned().unwrap_or_else(|| name.login());
                    found.insert((*name).clone(), Streamer { id, login });
                }
                None => unknown.push(*name),
            }
        }
        let Some(application) = self.application.as_ref().filter(|_| !unknown.is_empty()) else { return Ok(found) };
        let logins: Vec<_> = unknown.iter().map(|name| name.login()).collect();
        let mut users = application.helix.users_by_login(&logins).await?;
        unknown.retain(|name| !users.iter().any(|user| user.login == name.login()));
        let ids: Vec<_> = unknown.iter().map(|name| name.as_str()).filter(|name| is_number(name)).collect();
        if !ids.is_empty() {
            users.extend(application.helix.users_by_id(&ids).await?);
        }
        for name in names.iter().filter(|name| !found.contains_key(**name)).collect::<Vec<_>>() {
            let is_it = |user: &&User| user.login == name.login();
            let has_id = |user: &&User| user.id.as_str() == name.as_str();
            if let Some(user) = users.iter().find(is_it).or_else(|| users.iter().find(has_id)) {
                found.insert((*name).clone(), Streamer { id: user.id.channel(), login: user.login.clone() });
            }
        }
        Ok(found)
    }

    /// Why a Twitch channel is not known.
    pub(super) fn unknown(&self, name: &StreamerName) -> TrackingError {
        let name = name.as_str().to_owned();
        match self.application {
            Some(_) => TrackingError::UnknownStreamer(name),
            None => TrackingError::TwitchNotConfigured(name),
        }
    }

    /// The Discord channel with this webhook, which is verified unless it is known. A webhook that was deleted is replaced
    /// by another one, so that all that is tracked there goes on.
    async fn destination(
        &self,
        bot_id: i64,
        channel: Snowflake,
        key: &WebhookKey,
    ) -> Result<Destination, TrackingError> {
        if let Some(known) = destinations::get(&self.pool, bot_id, channel).await? {
            let stored = self.open(&known);
            let is_same = known.webhook_id == key.id;
            let is_known = |stored: &WebhookKey| is_same && stored.token.expose_secret() == key.token.expose_secret();
            let is_verified = known.state == DestinationState::Ok && known.verified_at.is_some();
            if is_verified && stored.as_ref().is_ok_and(is_known) {
                return Ok(known);
            }
            if !is_same && known.state == DestinationState::Ok {
                self.require_gone(&known, &stored?).await?;
            }
        }
        self.put_verified(bot_id, channel, key).await
    }

    /// Gives a Discord channel a webhook, once Discord has said that it posts there.
    pub(super) async fn put_verified(
        &self,
        bot_id: i64,
        channel: Snowflake,
        key: &WebhookKey,
    ) -> Result<Destination, TrackingError> {
        let loss = match self.verify_webhook(key, channel).await? {
            WebhookPlace::Here(webhook) => return self.put(bot_id, key, &webhook).await,
            WebhookPlace::Elsewhere(elsewhere) => Loss::Moved(elsewhere),
            WebhookPlace::Gone => Loss::Gone,
        };
        self.record_loss_if_stored(bot_id, channel, key, loss).await?;
        Err(lost(key.id, loss))
    }

    /// Fails if the stored webhook still posts into its channel.
    async fn require_gone(&self, known: &Destination, stored: &WebhookKey) -> Result<(), TrackingError> {
        match self.verify_webhook(stored, known.channel_id).await {
            Ok(WebhookPlace::Here(_)) => {
                Err(TrackingError::WebhookMismatch { channel: known.channel_id, stored: known.webhook_id })
            }
            Ok(WebhookPlace::Elsewhere(_) | WebhookPlace::Gone)
            | Err(TrackingError::WebhookGone(_) | TrackingError::WebhookUnusable(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn put(
        &self,
        bot_id: i64,
        key: &WebhookKey,
        webhook: &Webhook,
    ) -> Result<Destination, TrackingError> {
        let new = NewWebhook {
            bot_id,
            channel_id: webhook.channel_id,
            guild_id: webhook.guild_id,
            webhook_id: key.id,
            token_sealed: webhooks::seal(&*self.keys.vault()?, key)?,
            application_id: webhook.application_id,
        };
        let mut connection = self.pool.acquire().await?;
        let put = destinations::put_webhook(&mut connection, &new, self.clock.now()).await?;
        put.ok_or(TrackingError::WebhookInUse(key.id))
    }
}

/// The bot's Discord channel, which no other request changes until the transaction ends.
pub(super) async fn get_locked(
    transaction: &mut PgConnection,
    bot_id: i64,
    channel: Snowflake,
) -> Result<Destination, TrackingError> {
    let unknown = || TrackingError::UnknownChannel(channel);
    let found = destinations::get(&mut *transaction, bot_id, channel).await?.ok_or_else(unknown)?;
    spread::lock(&mut *transaction, &[found.id]).await?;
    destinations::get(transaction, bot_id, channel).await?.ok_or_else(unknown)
}

/// Whether a track is new; fails if the Discord channel has too many.
pub(super) fn is_new(added: Added, channel: Snowflake) -> Result<bool, TrackingError> {
    match added {
        Added::New => Ok(true),
        Added::Known => Ok(false),
        Added::Full => Err(TrackingError::TooManyTracks { channel, limit: MAX_TRACKS }),
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}
