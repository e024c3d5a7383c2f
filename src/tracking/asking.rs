//! What Discord is asked about webhooks, within the limits that all requests share, and what its answers say of the channels that
//! have them.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::budget::Budget;
use super::error::TrackingError;
use super::tracker::Tracker;
use super::webhooks::{self, Found};
use crate::discord::client::WebhookKey;
use crate::discord::error::DiscordError;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::destinations::{self, Destination, Loss};
use crate::store::tracking::egress;

/// How often a request asks for its turn, and the pause between.
pub(super) const MAX_ASKED: u32 = 50;
pub(super) const PAUSE: Duration = Duration::from_millis(100);

impl Tracker {
    /// Where a webhook posts to, and whether that is this channel. While Discord wants no request, it is not asked.
    pub(super) async fn find(&self, key: &WebhookKey, channel: Snowflake) -> Result<Found, TrackingError> {
        self.take_request().await?;
        let answer = self.webhooks.show(key).await;
        if let Some(error) = answer.as_ref().err().filter(|error| error.is_of_address()) {
            self.count(error).await?;
        }
        webhooks::found(key, channel, answer)
    }

    /// Takes a request of those that may be made.
    async fn take_request(&self) -> Result<(), TrackingError> {
        for _ in 0..MAX_ASKED {
            let mut transaction = self.pool.begin().await?;
            let mut egress = egress::lock(&mut transaction).await?;
            let mut budget = Budget::new(&mut egress, self.rate, self.clock.now());
            if budget.stopped_until().is_some() {
                break;
            }
            if budget.available(1) > 0 {
                budget.take(1);
                egress::save(&mut transaction, &egress).await?;
                return Ok(transaction.commit().await?);
            }
            drop(transaction);
            self.clock.sleep(PAUSE).await;
        }
        Err(TrackingError::Busy)
    }

    /// Records what an answer says of the address that calls.
    async fn count(&self, error: &DiscordError) -> Result<(), TrackingError> {
        let mut transaction = self.pool.begin().await?;
        let mut egress = egress::lock(&mut transaction).await?;
        Budget::new(&mut egress, self.rate, self.clock.now()).count(error);
        egress::save(&mut transaction, &egress).await?;
        Ok(transaction.commit().await?)
    }

    /// Records that the webhook of a channel was lost, if this is that webhook.
    pub(super) async fn lose_if_stored(
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
        if is_stored { self.lose(&known, loss).await } else { Ok(()) }
    }

    /// Records what Discord says of the webhook of a channel.
    pub(super) async fn lose(&self, known: &Destination, loss: Loss) -> Result<(), TrackingError> {
        let reason = match loss {
            Loss::Gone => "Discord says that the webhook does not exist".to_owned(),
            Loss::Moved(to) => format!("the webhook posts into the Discord channel {to}"),
        };
        self.record(known, loss, &reason).await
    }

    pub(super) async fn record(&self, known: &Destination, loss: Loss, reason: &str) -> Result<(), TrackingError> {
        let (webhook, now) = ((known.id, known.webhook_id), self.clock.now());
        destinations::record_loss(&mut *self.pool.acquire().await?, webhook, loss, reason, now).await?;
        Ok(())
    }
}
