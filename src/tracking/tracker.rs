//! What bots track: adding, removing and showing it.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;

use super::error::TrackingError;
use super::keys::Keys;
use super::webhooks::{self, Found, Webhooks};
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::discord::client::WebhookKey;
use crate::discord::message::Webhook;
use crate::discord::snowflake::Snowflake;
use crate::services::Services;
use crate::store::read::channels;
use crate::store::tracking::destinations::{self, Destination, DestinationState, NewWebhook};
use crate::store::tracking::tracks::{self, Added, Streamer};

/// The most channels of Twitch that are tracked in one channel of Discord.
pub const MAX_TRACKS: i64 = 200;

/// What is tracked in a channel of Discord.
// Not `Debug`, which a token would be part of.
pub struct Tracked {
    /// The logins, in the order in which they were added.
    pub logins: Vec<String>,
    /// The webhook, unless it was deleted.
    pub webhook: Option<(Snowflake, SecretString)>,
    /// Whether posts can be made.
    pub state: DestinationState,
}

/// What bots track.
#[derive(Debug)]
pub struct Tracker {
    pool: PgPool,
    clock: Clock,
    keys: Arc<Keys>,
    webhooks: Webhooks,
    application: Option<Application>,
}

impl Tracker {
    pub(super) fn new(services: &Services, application: Option<&Application>, keys: Arc<Keys>) -> Self {
        Self {
            pool: services.pool.clone(),
            clock: services.clock.clone(),
            keys,
            webhooks: Webhooks::new(services),
            application: application.cloned(),
        }
    }

    /// Lets a channel of Twitch be announced in a channel of Discord, over this webhook. True if it is new.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn track(
        &self,
        bot_id: i64,
        channel: Snowflake,
        name: &str,
        key: &WebhookKey,
    ) -> Result<bool, TrackingError> {
        let streamer = self.streamer(name).await?;
        let destination = self.destination(bot_id, channel, key).await?;
        match tracks::insert(&self.pool, destination.id, &streamer, MAX_TRACKS, self.clock.now()).await? {
            Added::New => Ok(true),
            Added::Known => Ok(false),
            Added::Full => Err(TrackingError::TooManyTracks { channel, limit: MAX_TRACKS }),
        }
    }

    /// Ends that a channel of Twitch is announced in a channel of Discord, which has this webhook.
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
        let known = channels::find(&self.pool, name).await?;
        match tracks::delete(&self.pool, destination.id, known.as_ref(), name).await? {
            true => Ok(()),
            false => Err(TrackingError::NotTracked { name: name.to_owned(), channel }),
        }
    }

    /// What is tracked in a channel of Discord.
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

    async fn get(&self, bot_id: i64, channel: Snowflake) -> Result<Destination, TrackingError> {
        let found = destinations::get(&self.pool, bot_id, channel).await?;
        found.ok_or(TrackingError::UnknownChannel(channel))
    }

    fn open(&self, destination: &Destination) -> Result<WebhookKey, TrackingError> {
        Ok(webhooks::open(&*self.keys.vault()?, destination.webhook_id, &destination.token_sealed)?)
    }

    /// The channel of Twitch with this id or login: of the log, or else of Twitch's API.
    async fn streamer(&self, name: &str) -> Result<Streamer, TrackingError> {
        let is_login = (1..=25).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_login {
            return Err(TrackingError::InvalidLogin(name.to_owned()));
        }
        let login = name.to_ascii_lowercase();
        if let Some(id) = channels::find(&self.pool, name).await? {
            let names = channels::names(&self.pool, &id).await?;
            return Ok(Streamer { id, login: names.map_or(login, |names| names.login) });
        }
        let application = self.application.as_ref();
        let application = application.ok_or_else(|| TrackingError::TwitchNotConfigured(name.to_owned()))?;
        let user = application.helix.users_by_login(&[&login]).await?.pop();
        let user = user.ok_or_else(|| TrackingError::UnknownStreamer(name.to_owned()))?;
        Ok(Streamer { id: user.id.channel(), login: user.login })
    }

    /// The channel of Discord with this webhook, which is verified unless it is known. A webhook that was deleted is replaced
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
            if known.state == DestinationState::Ok && stored.as_ref().is_ok_and(is_known) {
                return Ok(known);
            }
            if !is_same && known.state == DestinationState::Ok {
                self.require_gone(&known, &stored?).await?;
            }
        }
        let webhook = match self.webhooks.find(key, channel).await? {
            Found::Here(webhook) => webhook,
            Found::Elsewhere(elsewhere) => {
                return Err(TrackingError::WebhookElsewhere { webhook: key.id, channel: elsewhere });
            }
            Found::Gone => return Err(TrackingError::WebhookGone(key.id)),
        };
        self.put(bot_id, key, &webhook).await
    }

    /// Fails if the stored webhook still posts into its channel.
    async fn require_gone(&self, known: &Destination, stored: &WebhookKey) -> Result<(), TrackingError> {
        match self.webhooks.find(stored, known.channel_id).await {
            Ok(Found::Here(_)) => {
                Err(TrackingError::WebhookMismatch { channel: known.channel_id, stored: known.webhook_id })
            }
            Ok(Found::Elsewhere(_) | Found::Gone) | Err(TrackingError::WebhookUnusable(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, bot_id: i64, key: &WebhookKey, webhook: &Webhook) -> Result<Destination, TrackingError> {
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
