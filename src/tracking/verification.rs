//! Asks Discord where webhooks post to, within the budget that all requests share, and records those that were lost.

use secrecy::ExposeSecret as _;

use super::error::TrackingError;
use super::tracker::Tracker;
use super::webhooks::{self, WebhookPlace};
use crate::discord::client::WebhookKey;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::destinations::{self, Destination, Loss};

impl Tracker {
    /// Asks Discord where a webhook posts to, and compares that with this channel. While Discord wants no request, it fails.
    pub(super) async fn verify_webhook(
        &self,
        key: &WebhookKey,
        channel: Snowflake,
    ) -> Result<WebhookPlace, TrackingError> {
        self.budget.take().await?;
        let answer = self.discord.webhook(key).await;
        if let Err(error) = &answer {
            self.budget.record(error).await?;
        }
        webhooks::place(key, channel, answer)
    }

    /// Records that the webhook of a channel was lost, if this is that webhook.
    pub(super) async fn record_loss_if_stored(
        &self,
        bot_id: i64,
        channel: Snowflake,
        key: &WebhookKey,
        loss: Loss,
    ) -> Result<(), TrackingError> {
        let Some(known) = destinations::get(&self.pool, bot_id, channel).await? else { return Ok(()) };
        // A token that is not the stored one says nothing of it.
        let is_stored =
            known.webhook_id == key.id && self.open(&known)?.token.expose_secret() == key.token.expose_secret();
        if is_stored { self.record_loss(&known, loss).await } else { Ok(()) }
    }

    /// Records what Discord says: the webhook of a channel was lost.
    pub(super) async fn record_loss(&self, known: &Destination, loss: Loss) -> Result<(), TrackingError> {
        let reason = match loss {
            Loss::Gone => "Discord says that the webhook does not exist".to_owned(),
            Loss::Moved(to) => format!("the webhook posts into the Discord channel {to}"),
        };
        self.record_loss_because(known, loss, &reason).await
    }

    /// Records that the webhook of a channel was lost, for this reason.
    pub(super) async fn record_loss_because(
        &self,
        known: &Destination,
        loss: Loss,
        reason: &str,
    ) -> Result<(), TrackingError> {
        let (webhook, now) = ((known.id, known.webhook_id), self.clock.now());
        destinations::record_loss(&mut *self.pool.acquire().await?, webhook, loss, reason, now).await?;
        Ok(())
    }
}
