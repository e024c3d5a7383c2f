//! Announces a stream that is live already when its track is put.

use std::time::Duration;

use serde_json::Value;

use super::error::TrackingError;
use super::tracker::Tracker;
use crate::store::tracking::current;
use crate::store::tracking::destinations::Destination;
use crate::twitch::id::ChannelId;

/// Events after which something else may be to be said of a broadcast: announcements read only these.
pub const TYPES: [&str; 3] = ["stream.online", "stream.offline", "channel.update"];

/// How long to wait, at most, until all that is in the log now is announced where it was tracked before.
const LIMIT: Duration = Duration::from_secs(2);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

impl Tracker {
    /// Announces a stream that is live now where a track with these settings wants that.
    pub(super) async fn announce_if_wanted(
        &self,
        destination: &Destination,
        twitch_id: &ChannelId,
        settings: &Value,
    ) -> Result<(), TrackingError> {
        let settings = self.effective(destination.bot_id, Some(destination), settings).await?;
        if settings.announce_current == Some(true) {
            self.announce_current(destination.id, twitch_id).await?;
        }
        Ok(())
    }

    /// Announces a stream that is live now in a destination that tracks its channel. If its begin is still to be announced, which
    /// it then is there as well, nothing is to be done.
    pub(super) async fn announce_current(
        &self,
        destination_id: i64,
        twitch_id: &ChannelId,
    ) -> Result<(), TrackingError> {
        if self.until_followed().await? {
            let now = self.clock.now();
            current::announce(&mut *self.pool.acquire().await?, destination_id, twitch_id, now).await?;
        }
        Ok(())
    }

    /// Waits until what is in the log now is announced where it was tracked before; false if that takes too long.
    pub(super) async fn until_followed(&self) -> Result<bool, TrackingError> {
        let newest = current::followed(&self.pool, &TYPES).await?.newest;
        let is_followed = async || Ok::<_, sqlx::Error>(current::followed(&self.pool, &TYPES).await?.cursor >= newest);
        let until_followed = async {
            while !is_followed().await? {
                tokio::time::sleep(PAUSE).await;
            }
            Ok::<_, sqlx::Error>(())
        };
        match tokio::time::timeout(LIMIT, until_followed).await {
            Ok(followed) => Ok(followed.map(|()| true)?),
            Err(_) => Ok(false),
        }
    }
}
