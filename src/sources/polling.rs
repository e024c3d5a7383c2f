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

/// How many channels of a round are named.
const NAMED: usize = 5;

/// What the last round was about.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The number of channels, and the logins of the first of them.
    channels: usize,
    named: Vec<String>,
    /// Why it failed.
    error: Option<String>,
}

/// Starts polling, if an application is configured, and registers the check `polling`.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) {
    let Some(application) = application else { return };
    let (progress, read_progress) = watch::channel(Progress::default());
    services.checks.add(move || {
        let Progress { channels, named, error } = &*read_progress.borrow();
        check::polling(*channels, named, error.as_deref())
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
            match round {
                Ok(round) => drop(progress.send_replace(round)),
                Err(error) => {
                    self.backfill.incidents.record(Kind::Polling, None, &error);
                    progress.send_modify(|progress| progress.error = Some(error.to_string()));
                }
            }
            clock.sleep_until(began + PERIOD).await;
        }
    }

    /// Looks up all channels. Returns which there are, also if another server looks them up now.
    async fn round(&self) -> Result<Progress, BackfillError> {
        let polled = store::polled_channels(&self.pool).await?;
        let named = polled.iter().take(NAMED).map(|streamer| streamer.login.clone()).collect();
        let round = Progress { channels: polled.len(), named, error: None };
        if polled.is_empty() {
            return Ok(round);
        }
        let channels: Vec<_> = polled.into_iter().map(|streamer| streamer.id).collect();
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
        Ok(round)
    }
}
