//! Asks Twitch's API what its events do not tell of a broadcast: the tags, and the video. No message waits for it: what is found is
//! shown by the next edit, and a video that is found after the end makes one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;

use super::plan::PICTURE_DELAY;
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::services::Services;
use crate::store::answered;
use crate::store::signals::Channel;
use crate::store::tracking::look_ups::{self, Found, LookUp};
use crate::twitch::helix::{Helix, HelixError};
use crate::twitch::id::ChannelId;

/// Broadcasts at once: the tags of all of them are one call.
const LIMIT: i64 = 100;

/// It looks for broadcasts that often.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Between two calls about a video: at most 100 of the application's 800 points a minute.
const CALL_PAUSE: Duration = Duration::from_millis(600);

/// When a broadcast is asked about again if nothing was found out, also because the server ended.
const RETRY: time::Duration = time::Duration::minutes(2);

/// Why nothing could be looked up. It is tried again.
#[derive(Debug, thiserror::Error)]
enum LookUpError {
    #[error(transparent)]
    Helix(#[from] HelixError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Looks up the broadcasts that are announced.
#[derive(Debug)]
pub(super) struct LookUps {
    pool: PgPool,
    clock: Clock,
    helix: Helix,
}

impl LookUps {
    pub(super) fn new(services: &Services, application: &Application) -> Self {
        Self { pool: services.follower_pool.clone(), clock: services.clock.clone(), helix: application.helix.clone() }
    }

    pub(super) async fn run(self) -> Infallible {
        loop {
            if let Err(error) = self.round().await {
                tracing::debug!(%error, "broadcasts can't be looked up; trying again");
            }
            self.clock.sleep(POLL_INTERVAL).await;
        }
    }

    async fn round(&self) -> Result<(), LookUpError> {
        let now = self.clock.now();
        let until = now + RETRY;
        let due = answered(look_ups::claim(&self.pool, LIMIT, (now, until))).await?;
        let live: Vec<_> = due.iter().filter(|it| it.ended_at.is_none()).map(|it| &it.twitch_id).collect();
        let tags: HashMap<ChannelId, Vec<String>> = match live.as_slice() {
            [] => HashMap::new(),
            live => {
                let channels = self.helix.channels(live).await?;
                channels.iter().map(|channel| (channel.broadcaster_id.clone(), channel.tags.clone())).collect()
            }
        };
        for it in &due {
            let mut found = Found { tags: tags.get(&it.twitch_id).cloned(), ..Found::default() };
            let video_at = it.started_at + PICTURE_DELAY;
            let is_early = it.ended_at.is_none() && now < video_at;
            if !is_early {
                match self.find_video(it, &mut found).await {
                    // The next ones may well be found.
                    Err(error) if !error.is_transient() => {
                        tracing::warn!(%error, stream.id = it.stream_id.as_str(), "a video can't be looked up");
                    }
                    outcome => outcome?,
                }
            }
            let times = (self.clock.now(), until, is_early.then_some(video_at));
            self.record(it, &found, times).await?;
        }
        Ok(())
    }

    async fn find_video(&self, it: &LookUp, found: &mut Found) -> Result<(), HelixError> {
        if let Some(video) = self.helix.video_of(&it.twitch_id, &it.stream_id).await? {
            found.video_picture_url = video.picture_url();
            found.video_id = Some(video.id);
        }
        self.clock.sleep(CALL_PAUSE).await;
        Ok(())
    }

    async fn record(
        &self,
        it: &LookUp,
        found: &Found,
        times: (OffsetDateTime, OffsetDateTime, Option<OffsetDateTime>),
    ) -> sqlx::Result<()> {
        answered(async {
            let mut transaction = self.pool.begin().await?;
            if look_ups::record(&mut *transaction, &it.stream_id, found, times).await? {
                Channel::Post.notify(&mut transaction, "").await?;
            }
            transaction.commit().await
        })
        .await
    }
}
