//! Webhooks of bots: verified with Discord before they are kept, and their tokens encrypted.

use secrecy::SecretString;

use super::error::TrackingError;
use crate::credentials::vault::{Vault, VaultError};
use crate::discord::client::{Reply, WebhookKey};
use crate::discord::error::{DiscordError, Refusal};
use crate::discord::message::Webhook;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::destinations::{Destination, DestinationState, Loss};

/// The kind of webhook that posts messages.
const INCOMING: u32 = 1;

/// Where a webhook posts to, seen from a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookPlace {
    /// Into the channel.
    Here(Webhook),
    /// Into another one.
    Elsewhere(Snowflake),
    /// It was deleted.
    Gone,
}

/// Where a webhook posts to, as Discord's answer says, and whether that is this channel.
pub(super) fn place(
    key: &WebhookKey,
    channel: Snowflake,
    answer: Result<Reply<Webhook>, DiscordError>,
) -> Result<WebhookPlace, TrackingError> {
    let webhook = match answer {
        Ok(reply) => reply.value.ok_or(TrackingError::WebhookUnusable(key.id))?,
        Err(DiscordError::Refused(refusal)) if refusal.is_webhook_gone() => return Ok(WebhookPlace::Gone),
        // A token that is none at all is not found, or not a number. That says nothing of a webhook that is known.
        Err(DiscordError::Refused(Refusal { status: 400 | 404, code: Some(_), .. })) => {
            return Err(TrackingError::WebhookGone(key.id));
        }
        Err(error) => return Err(TrackingError::Discord(error)),
    };
    if webhook.kind != INCOMING {
        return Err(TrackingError::WebhookUnusable(key.id));
    }
    let elsewhere = webhook.channel_id;
    Ok(if elsewhere == channel { WebhookPlace::Here(webhook) } else { WebhookPlace::Elsewhere(elsewhere) })
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
