//! What became of a bot's posts, and what the bot says of those of which it is not known.

use super::error::TrackingError;
use super::tracker::Tracker;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::deliveries::{self, Delivery, DeliveryFilter};
use crate::store::tracking::posts::PostState;

impl Tracker {
    /// A page of a bot's posts, by id, behind this one.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn deliveries(
        &self,
        bot_id: i64,
        filter: DeliveryFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Delivery>, TrackingError> {
        Ok(deliveries::page(&self.pool, bot_id, filter, after, limit).await?)
    }

    /// Settles a post of which it is not known whether it is there: it is this message, or it is not there and is posted. One that
    /// was posted again can be settled by the first message, too.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn resolve(&self, bot_id: i64, id: i64, message_id: Option<Snowflake>) -> Result<(), TrackingError> {
        let mut transaction = self.pool.begin().await?;
        let found = deliveries::lock(&mut transaction, bot_id, id).await?;
        let (destination_id, delivery) = found.ok_or(TrackingError::UnknownDelivery(id))?;
        let is_known = delivery.state == PostState::Posted && message_id.is_some() && delivery.message_id == message_id;
        if is_known {
            return Ok(());
        }
        let is_found = message_id.is_some() && delivery.lost_answers > 0;
        let may_be = match delivery.state {
            PostState::Uncertain => true,
            PostState::Pending | PostState::Sending | PostState::Posted | PostState::Expired => is_found,
            PostState::Skipped | PostState::Failed | PostState::Dismissed | PostState::Filtered => false,
        };
        if !may_be {
            return Err(TrackingError::NotUncertain(id));
        }
        deliveries::settle(&mut transaction, (destination_id, id), message_id, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }
}
