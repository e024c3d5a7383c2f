//! A process of a bot that follows the bot's events, over whatever connection, while its token is valid.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Tracking;
use super::authority::BotGrant;
use super::feed::{FeedError, FeedReader};
use crate::discord::shard::Shard;
use crate::store::LogId;
use crate::store::tracking::events::BotEvent;

/// The interval of heartbeats, with which the token is checked as well.
const INTERVAL: Duration = Duration::from_secs(5);

/// A process that follows the events.
#[derive(Debug)]
pub struct Following {
    tracking: Arc<Tracking>,
    grant: BotGrant,
    reader: FeedReader,
    beat_at: Instant,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// One event or more, in the order of their ids.
    Events(Vec<Arc<BotEvent>>),
    /// Nothing has happened for a while up to this id.
    Heartbeat(LogId),
    /// The token has expired, or its secret was rotated: nothing follows.
    TokenOver,
    /// Nothing follows.
    End(FeedError),
}

impl Tracking {
    /// Follows the events of a bot's shard, or of all of them, after this one, or else from the next one on.
    ///
    /// # Errors
    /// [`FeedError`]
    pub async fn follow(
        self: &Arc<Self>,
        grant: BotGrant,
        shard: Option<Shard>,
        after: Option<LogId>,
    ) -> Result<Following, FeedError> {
        let reader = self.feed.open(grant.bot_id, shard, after).await?;
        let beat_at = self.clock.instant() + INTERVAL;
        Ok(Following { tracking: Arc::clone(self), grant, reader, beat_at })
    }
}

impl Following {
    /// The id up to which everything was returned.
    #[must_use]
    pub fn cursor(&self) -> LogId {
        self.reader.cursor()
    }

    /// Waits for what comes next. Cancel-safe: nothing is lost if the future is dropped.
    pub async fn step(&mut self) -> Step {
        let clock = &self.tracking.clock;
        // A busy stream has heartbeats as well.
        if clock.instant() < self.beat_at {
            tokio::select! {
                biased;
                next = self.reader.next() => return next.map_or_else(Step::End, Step::Events),
                () = clock.sleep_until(self.beat_at) => {}
            }
        }
        if self.tracking.authority.is_over(&self.grant).await {
            return Step::TokenOver;
        }
        self.beat_at = clock.instant() + INTERVAL;
        Step::Heartbeat(self.reader.cursor())
    }
}
