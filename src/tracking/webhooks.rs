//! Webhooks of bots: verified with Discord before they are kept, and their tokens encrypted.

use std::time::Duration;

use secrecy::SecretString;

use super::error::TrackingError;
use crate::credentials::vault::{Vault, VaultError};
use crate::discord::client::{Discord, Reply, WebhookKey};
use crate::discord::error::{DiscordError, Refusal};
use crate::discord::message::{Message, Posted, Webhook};
use crate::discord::snowflake::Snowflake;
use crate::services::Services;
use crate::store::tracking::destinations::{Destination, DestinationState, Loss};

/// Time limit of a question to Discord that a request waits for.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The kind of webhook that posts messages.
const INCOMING: u32 = 1;

/// Where a webhook posts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Into this channel.
    Here(Webhook),
    /// Into another one.
    Elsewhere(Snowflake),
    /// It was deleted.
    Gone,
}

/// Asks Discord about webhooks.
#[derive(Debug)]
pub(super) struct Webhooks {
    discord: Discord,
}

impl Webhooks {
    pub(super) fn new(services: &Services) -> Self {
        Self { discord: Discord::new(&services.http, services.config.tracking.discord_url.clone(), CALL_TIMEOUT) }
    }

    /// Asks Discord about a webhook.
    pub(super) async fn show(&self, key: &WebhookKey) -> Result<Reply<Webhook>, DiscordError> {
        self.discord.webhook(key).await
    }

    /// Posts a message, into a thread if one is given.
    pub(super) async fn post(
        &self,
        key: &WebhookKey,
        thread: Option<Snowflake>,
        message: &Message,
    ) -> Result<Reply<Posted>, DiscordError> {
        let Reply { value, pause } = self.discord.post(key, thread, message).await?;
        Ok(Reply { value: value.map(|created| created.posted()), pause })
    }
}

/// Where a webhook posts to, as Discord's answer says, and whether that is this channel.
pub(super) fn found(
    key: &WebhookKey,
    channel: Snowflake,
    answer: Result<Reply<Webhook>, DiscordError>,
) -> Result<Found, TrackingError> {
    let webhook = match answer {
        Ok(reply) => reply.value.ok_or(TrackingError::WebhookUnusable(key.id))?,
        Err(DiscordError::Refused(refusal)) if refusal.is_webhook_gone() => return Ok(Found::Gone),
        // A token that is none at all is not found, or not a number. That says nothing of a webhook that is known.
        Err(DiscordError::Refused(Refusal { status: 400 | 404, code: Some(_), .. })) => {
            return Err(TrackingError::WebhookGone(key.id));
        }
        Err(error) => return Err(TrackingError::Discord(error)),
    };
    if webhook.kind != INCOMING {
        return Err(TrackingError::WebhookUnusable(key.id));
    }
    Ok(if webhook.channel_id == channel { Found::Here(webhook) } else { Found::Elsewhere(webhook.channel_id) })
}

/// Fails unless posts can be made over the webhook of a channel, as far as is known.
pub(super) fn require_usable(known: &Destination) -> Result<(), TrackingError> {
    match (known.state, known.moved_to) {
        (DestinationState::Ok, _) => Ok(()),
        (DestinationState::Moved, Some(to)) => Err(lost(known.webhook_id, Loss::Moved(to))),
        _ => Err(lost(known.webhook_id, Loss::Gone)),
    }
}

/// Why nothing can be posted over a webhook.
pub(super) fn lost(webhook: Snowflake, loss: Loss) -> TrackingError {
    match loss {
        Loss::Gone => TrackingError::WebhookGone(webhook),
        Loss::Moved(channel) => TrackingError::WebhookElsewhere { webhook, channel },
    }
}

/// Encrypts the tokens of webhooks.
///
/// # Errors
/// If there is no key.
pub(super) fn seal(vault: &Vault, key: &WebhookKey) -> Result<Vec<u8>, VaultError> {
    vault.seal(&holder(key.id), &key.token)
}

/// Decrypts the token of a webhook.
///
/// # Errors
/// If it was encrypted with another key.
pub fn open(vault: &Vault, id: Snowflake, sealed: &[u8]) -> Result<WebhookKey, VaultError> {
    Ok(WebhookKey { id, token: vault.open(&holder(id), sealed)? })
}

/// What is authenticated with a token, so that rows can't be swapped.
fn holder(id: Snowflake) -> String {
    format!("webhook:{id}")
}

/// A token of a webhook; `None` if Discord makes none of this form.
#[must_use]
pub fn token(text: &str) -> Option<SecretString> {
    let is_token =
        (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    is_token.then(|| SecretString::from(text))
}
