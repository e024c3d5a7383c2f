//! Gaps: spans of time in which messages of a channel may have been lost. Each is recorded, and what Twitch's API can show
//! of it is looked up.

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::services::Services;
use crate::store::gaps;
use crate::twitch::id::ChannelId;

/// Records gaps, and fills them as far as possible. Clones share everything.
#[derive(Clone, Debug)]
pub struct Gaps {
    pool: PgPool,
    clock: Clock,
    metrics: Metrics,
}

impl Gaps {
    /// For the channels of this server.
    #[must_use]
    pub fn new(services: &Services) -> Self {
        Self { pool: services.pool.clone(), clock: services.clock.clone(), metrics: services.metrics.clone() }
    }

    /// Records that messages of this channel may be missing from `since` until now, when all is subscribed to again, and has
    /// the rest done in the background: streams, channel information and follows are looked up, also after a crash.
    /// `since` is [`Intake::secured_until`](super::intake::Intake::secured_until), or what another server wrote of it. `cause` is a
    /// label of the metrics.
    ///
    /// # Errors
    /// If the database fails. Then nothing is recorded.
    pub async fn fill(&self, channel: &ChannelId, since: OffsetDateTime, cause: &'static str) -> sqlx::Result<()> {
        self.record(channel, since, self.clock.now().max(since), cause).await
    }

    /// Like [`fill`](Self::fill), for a gap that has ended already.
    pub(super) async fn record(
        &self,
        channel: &ChannelId,
        since: OffsetDateTime,
        until: OffsetDateTime,
        cause: &'static str,
    ) -> sqlx::Result<()> {
        gaps::record(&mut *self.pool.acquire().await?, channel, since, until, cause).await?;
        self.metrics.gap(cause, until - since);
        tracing::warn!(
            channel.id = channel.as_str(),
            gap.cause = cause,
            gap.began_at = %since,
            gap.ended_at = %until,
            "messages may be missing"
        );
        Ok(())
    }
}
