//! Spreads announcements over the tracks, in parts: one server at a time spreads each, and another one goes on after a crash.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::services::Services;
use crate::store::answered;
use crate::store::signals::{Channel, Signals, Wakeup};
use crate::store::tracking::announcements;
use crate::store::tracking::destinations;
use crate::store::tracking::spread;

/// Tracks or posts per transaction, if Discord takes any number of posts.
const CHUNK: i32 = 1_000;

/// The same if it does not: to spread all at once would hold up the writer of the log, and be of no use.
const SMALL_CHUNK: i32 = 50;

/// Then they are spread so many times as fast as Discord takes posts.
const LEAD: f64 = 4.0;

/// It looks for announcements at least this often, also when no notification came.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Pause while the database is away.
const PAUSE: Duration = Duration::from_millis(500);

/// What is older is deleted.
const KEPT: time::Duration = time::Duration::days(30);

/// Pause between two deletions.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

/// Spreads announcements.
#[derive(Debug)]
pub(super) struct Spreader {
    pool: PgPool,
    signals: Signals,
    clock: Clock,
    metrics: Metrics,
    /// Tracks or posts per transaction.
    chunk: i32,
    /// Between two posts of an announcement, in seconds.
    pause: f64,
}

impl Spreader {
    pub(super) fn new(services: &Services) -> Self {
        let rate = f64::from(services.config.tracking.discord_rate);
        Self {
            pool: services.follower_pool.clone(),
            signals: services.signals.clone(),
            clock: services.clock.clone(),
            metrics: services.metrics.clone(),
            chunk: if rate > 0.0 { SMALL_CHUNK } else { CHUNK },
            pause: if rate > 0.0 { rate.recip() } else { 0.0 },
        }
    }

    pub(super) async fn run(self) -> Infallible {
        let (mut wakeup, mut prune_at, mut is_away) = (self.signals.posts(), self.clock.instant(), false);
        loop {
            if let Err(error) = self.work(&mut wakeup, &mut prune_at).await {
                if !std::mem::replace(&mut is_away, true) {
                    tracing::warn!(%error, "announcements can't be spread; trying again");
                }
                sleep(PAUSE).await;
            } else {
                is_away = false;
            }
        }
    }

    /// Spreads what is due, then waits until there may be more.
    async fn work(&self, wakeup: &mut Wakeup, prune_at: &mut std::time::Instant) -> sqlx::Result<()> {
        while answered(self.spread_one(self.clock.now())).await? {}
        if self.clock.instant() >= *prune_at {
            while answered(announcements::prune(&self.pool, self.clock.now() - KEPT)).await? > 0 {}
            while answered(self.drop_gone()).await? {}
            *prune_at = self.clock.instant() + PRUNE_INTERVAL;
        }
        let next_at = answered(announcements::next_spread_at(&self.pool, self.pause / LEAD)).await?;
        let wait = next_at.map_or(POLL_INTERVAL, |at| Duration::try_from(at - self.clock.now()).unwrap_or_default());
        tokio::select! {
            () = wakeup.notified() => {}
            // One that is due is spread by another server.
            () = self.clock.sleep(wait.clamp(PAUSE / 50, POLL_INTERVAL)) => {}
        }
        Ok(())
    }

    async fn drop_gone(&self) -> sqlx::Result<bool> {
        destinations::drop_gone(&mut *self.pool.acquire().await?, self.clock.now()).await
    }

    /// Spreads a part of an announcement. False if none is due.
    async fn spread_one(&self, now: OffsetDateTime) -> sqlx::Result<bool> {
        let mut transaction = self.pool.begin().await?;
        let limit = i64::from(self.chunk);
        let Some(spread) = announcements::next_spread(&mut *transaction, now, self.pause / LEAD).await? else {
            return Ok(false);
        };
        let (chunk, reached) = if spread.is_expanded {
            let chunk = announcements::posts(&mut *transaction, &spread, limit).await?;
            let reached = spread::mark(&mut transaction, &spread, &chunk.destinations, self.pause, now).await?;
            (chunk, reached)
        } else {
            let chunk = announcements::tracks(&mut *transaction, &spread, limit).await?;
            let reached = spread::add(&mut transaction, &spread, &chunk.destinations, self.pause, now).await?;
            (chunk, reached)
        };
        let last = chunk.ids.last().filter(|_| i32::try_from(chunk.ids.len()) == Ok(self.chunk));
        let reached_to = last.map(|last| (*last, self.chunk));
        announcements::save_spread(&mut transaction, &spread, reached_to, now).await?;
        if reached.due > 0 {
            Channel::Post.notify(&mut transaction, "").await?;
        }
        transaction.commit().await?;
        self.metrics.posts("expired", reached.expired);
        Ok(true)
    }
}
