//! Polling: looks up the streams of the channels that bots track and that are not served, since Twitch sends nothing about
//! them. What began, changed or ended enters the log like what the [backfill](super::backfill) finds: after a minute or two,
//! by which Twitch's API lags behind. One server polls at a time.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;

use super::backfill::{Backfill, BackfillError};
use super::check;
use crate::credentials::application::Application;
use crate::incidents::Kind;
use crate::services::{Services, Tasks};
use crate::store::backfill as store;
use crate::store::locks::Lock;

/// The shortest time between the beginnings of two rounds.
const PERIOD: Duration = Duration::from_secs(20);

/// Channels in a call, which costs one point.
const CHANNELS_PER_CALL: usize = 100;

/// Between two calls of a round: 600 of the application's 800 points a minute, so that 84,000 channels take 84 seconds.
const CALL_PAUSE: Duration = Duration::from_millis(100);

/// How many channels the last round was about, and why it failed.
type Progress = (usize, Option<String>);

/// Starts polling, if an application is configured, and registers the check `polling`.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) {
    let Some(application) = application else { return };
    let (progress, read_progress) = watch::channel(Progress::default());
    services.checks.add(move || {
        let (channels, error) = &*read_progress.borrow();
        check::polling(*channels, error.as_deref())
    });
    let poller = Poller { pool: services.pool.clone(), backfill: Backfill::new(services, application) };
    tasks.spawn("polling", poller.run(progress));
}

struct Poller {
    pool: PgPool,
    backfill: Backfill,
}

impl Poller {
    async fn run(self, progress: watch::Sender<Progress>) -> Infallible {
        let clock = &self.backfill.clock;
        loop {
            let began = clock.instant();
            let round = self.round().await;
            let (channels, error) = match round {
                Ok(channels) => (channels, None),
                Err(error) => {
                    self.backfill.incidents.record(Kind::Polling, None, &error);
                    (progress.borrow().0, Some(error.to_string()))
                }
            };
            progress.send_replace((channels, error));
            clock.sleep_until(began + PERIOD).await;
        }
    }

    /// Looks up all channels. Returns how many there are, also if another server looks them up now.
    async fn round(&self) -> Result<usize, BackfillError> {
        let channels = store::polled_channels(&self.pool).await?;
        if channels.is_empty() {
            return Ok(0);
        }
        self.backfill
            .run_alone(Lock::Polling, async |conn| {
                for (number, part) in channels.chunks(CHANNELS_PER_CALL).enumerate() {
                    if number > 0 {
                        self.backfill.clock.sleep(CALL_PAUSE).await;
                    }
                    self.backfill.look_up_live(conn, part).await?;
                }
                Ok(())
            })
            .await?;
        Ok(channels.len())
    }
}
