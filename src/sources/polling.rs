//! Polling: the one task that asks Twitch's API for streams, on one server for all of them. Each answer serves whatever it can:
//! [what was missed](super::backfill) of all known channels, the numbers of viewers of those that are served, and the streams of the
//! channels that bots track and about which Twitch sends nothing.

use std::convert::Infallible;
use std::vec;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;

use super::backfill::{Backfill, BackfillError};
use super::check;
use super::schedule::{Moment, Schedule, Turn};
use crate::credentials::application::Application;
use crate::incidents::Kind;
use crate::services::{Services, Tasks};
use crate::store::locks::Lock;
use crate::store::{answered, backfill as store, connect};
use crate::twitch::id::ChannelId;

/// Tracked channels in a call, which costs one point.
const CHANNELS_PER_CALL: usize = 100;

/// How many tracked channels are named.
const NAMED: usize = 5;

/// The database closes the connection of a server that sends nothing for so many milliseconds, because it hangs, and the lock is
/// free again. Turns are seconds apart, and few take minutes, however slowly Twitch answers.
const MAX_SILENCE_MS: &str = "600000";

/// What `/status` shows.
#[derive(Clone, Debug, Default)]
struct Shown {
    /// Why the known channels could not be looked up.
    backfill_error: Option<String>,
    /// The number of the tracked channels, and the logins of the first of them.
    tracked: usize,
    named: Vec<String>,
    /// Why these could not be looked up.
    tracked_error: Option<String>,
}

/// Starts polling, if an application is configured, and registers the checks `events`, `backfill` and `polling`.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) {
    services.checks.add_on_records(check::events);
    let Some(application) = application else { return };
    let (shown, read_shown) = watch::channel(Shown::default());
    let read = read_shown.clone();
    services.checks.add(move || check::backfill(read.borrow().backfill_error.as_deref()));
    services.checks.add(move || {
        let Shown { tracked, named, tracked_error, .. } = &*read_shown.borrow();
        check::polling(*tracked, named, tracked_error.as_deref())
    });
    let poller = Poller {
        database: services.database.clone(),
        backfill: Backfill::new(services, application),
        schedule: Schedule::start(Moment::now(&services.clock)),
        is_start: true,
        round: vec::IntoIter::default(),
        shown,
    };
    tasks.spawn("polling", poller.run());
}

struct Poller {
    database: PgConnectOptions,
    backfill: Backfill,
    schedule: Schedule,
    /// Whether this server has not looked up all channel information since it polls.
    is_start: bool,
    /// The tracked channels that are left of the round.
    round: vec::IntoIter<ChannelId>,
    shown: watch::Sender<Shown>,
}

/// The connection that holds the lock while this server polls.
struct Lease {
    conn: PgConnection,
    is_held: bool,
}

impl Poller {
    async fn run(mut self) -> Infallible {
        let (clock, mut lease) = (self.backfill.clock.clone(), None);
        loop {
            let Some(turn) = self.schedule.due(clock.instant()) else {
                clock.sleep_until(self.schedule.next_at()).await;
                continue;
            };
            let was_connected = lease.is_some();
            match self.take(turn, &mut lease).await {
                Ok(()) => {}
                // The connection may have ended since the last turn, which is still due.
                Err(BackfillError::Database(_)) if was_connected => {
                    (lease, self.round) = (None, vec::IntoIter::default());
                }
                // Another server may be able to do what this one can't.
                Err(error) => {
                    lease = None;
                    self.fail(turn, &error);
                }
            }
        }
    }

    async fn take(&mut self, turn: Turn, lease: &mut Option<Lease>) -> Result<(), BackfillError> {
        let Lease { conn, is_held } = match lease {
            Some(lease) => lease,
            None => {
                let database = self.database.clone().options([("idle_session_timeout", MAX_SILENCE_MS)]);
                let conn = connect(&database, "showtime polling").await?;
                lease.insert(Lease { conn, is_held: false })
            }
        };
        if *is_held {
            // A database that has vanished would be waited for until the kernel gives up.
            answered(conn.ping()).await?;
        } else {
            *is_held = answered(Lock::Polling.try_hold(&mut *conn)).await?;
        }
        match turn {
            _ if !*is_held => self.stand_by(conn, turn).await,
            Turn::Backfill => self.look_up_known().await,
            Turn::Samples => self.sample_live().await,
            Turn::Tracked => self.look_up_tracked(conn).await,
        }
    }

    fn fail(&mut self, turn: Turn, error: &BackfillError) {
        self.schedule.failed(turn, Moment::now(&self.backfill.clock));
        let kind = match turn {
            Turn::Backfill => {
                self.shown.send_modify(|shown| shown.backfill_error = Some(error.to_string()));
                Kind::Backfill
            }
            Turn::Samples => Kind::Samples,
            Turn::Tracked => {
                self.round = vec::IntoIter::default();
                self.shown.send_modify(|shown| shown.tracked_error = Some(error.to_string()));
                Kind::Polling
            }
        };
        self.backfill.incidents.record(kind, None, error);
    }

    /// Leaves the turn to the server that polls, and is ready to take over from it.
    async fn stand_by(&mut self, conn: &mut PgConnection, turn: Turn) -> Result<(), BackfillError> {
        let now = Moment::now(&self.backfill.clock);
        self.is_start = true;
        self.round = vec::IntoIter::default();
        match turn {
            Turn::Backfill => self.schedule.postpone_backfill(now),
            Turn::Samples => self.schedule.sampled(now),
            Turn::Tracked => {
                self.read_tracked(conn).await?;
                self.schedule.called(now, true);
            }
        }
        self.shown.send_modify(|shown| (shown.backfill_error, shown.tracked_error) = (None, None));
        Ok(())
    }

    async fn look_up_known(&mut self) -> Result<(), BackfillError> {
        let now = Moment::now(&self.backfill.clock);
        if self.backfill.run_once(self.is_start).await?.is_none() {
            // A gap is looked up.
            self.schedule.postpone_backfill(now);
            return Ok(());
        }
        self.is_start = false;
        self.schedule.sampled(now);
        self.schedule.backfilled(now);
        self.shown.send_modify(|shown| shown.backfill_error = None);
        Ok(())
    }

    async fn sample_live(&mut self) -> Result<(), BackfillError> {
        let now = Moment::now(&self.backfill.clock);
        self.backfill.sample_live().await?;
        self.schedule.sampled(now);
        Ok(())
    }

    /// Makes one call of the round over the tracked channels.
    async fn look_up_tracked(&mut self, conn: &mut PgConnection) -> Result<(), BackfillError> {
        let now = Moment::now(&self.backfill.clock);
        if self.round.len() == 0 {
            self.round = self.read_tracked(conn).await?.into_iter();
        }
        let part: Vec<_> = self.round.by_ref().take(CHANNELS_PER_CALL).collect();
        if !part.is_empty() {
            self.backfill.look_up_live(conn, &part).await?;
        }
        let is_last = self.round.len() == 0;
        self.schedule.called(now, is_last);
        if is_last {
            self.shown.send_modify(|shown| shown.tracked_error = None);
        }
        Ok(())
    }

    /// The channels that bots track and about which Twitch sends nothing. Shows which these are.
    async fn read_tracked(&self, conn: &mut PgConnection) -> sqlx::Result<Vec<ChannelId>> {
        let tracked = answered(store::polled_channels(conn)).await?;
        let named = tracked.iter().take(NAMED).map(|streamer| streamer.login.clone()).collect();
        self.shown.send_modify(|shown| (shown.tracked, shown.named) = (tracked.len(), named));
        Ok(tracked.into_iter().map(|streamer| streamer.id).collect())
    }
}
