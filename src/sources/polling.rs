//! Polling: the one task that asks Twitch's API for streams. [When](super::schedule) it asks for which, one server does for all,
//! and each answer serves whatever it can: [what was missed](super::backfill) of all known channels, the numbers of
//! [viewers](super::viewers) of those that are served, and the streams of the channels that bots track and about which Twitch sends
//! nothing.

use std::convert::Infallible;
use std::vec;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;

use super::backfill::{Backfill, BackfillError};
use super::schedule::{Moment, Schedule, Turn};
use super::{check, viewers};
use crate::credentials::application::Application;
use crate::incidents::Kind;
use crate::services::{Services, Tasks};
use crate::store::locks::Lock;
use crate::store::{backfill as store, reconciler, served_channels};
use crate::twitch::id::ChannelId;

/// Tracked channels in a call, which costs one point.
const CHANNELS_PER_CALL: usize = 100;

/// How many tracked channels are named.
const NAMED: usize = 5;

/// A server of which the database hears nothing for so many milliseconds, because it hangs, loses its connection, and with it the
/// lock. Turns are seconds apart, and few take minutes, however slowly Twitch answers.
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
                // It may have ended since the last turn. The turn is still due.
                Err(BackfillError::Database(_)) if was_connected => lease = None,
                Err(error) => {
                    lease = lease.filter(|_| !matches!(error, BackfillError::Database(_)));
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
                let conn = reconciler::connect(&database, "showtime polling").await?;
                lease.insert(Lease { conn, is_held: false })
            }
        };
        if !*is_held {
            *is_held = Lock::Polling.try_hold(&mut *conn).await?;
        }
        match turn {
            _ if !*is_held => self.stand_by(conn, turn).await,
            Turn::Backfill | Turn::Samples => self.look_up_known(conn, turn).await,
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

    /// Looks up all known channels, or the served ones that are live.
    async fn look_up_known(&mut self, conn: &mut PgConnection, turn: Turn) -> Result<(), BackfillError> {
        // While a gap is looked up, what was missed is not inferred from answers that may be older.
        let is_alone = Lock::Backfill.try_hold(&mut *conn).await?;
        if turn == Turn::Backfill && !is_alone {
            self.schedule.postpone_backfill(Moment::now(&self.backfill.clock));
            return Ok(());
        }
        let done = self.look_up_known_alone(conn, turn, is_alone).await;
        let unlocked = if is_alone { Lock::Backfill.release(conn).await } else { Ok(()) };
        done.and(unlocked.map_err(BackfillError::from))
    }

    async fn look_up_known_alone(
        &mut self,
        conn: &mut PgConnection,
        turn: Turn,
        may_infer: bool,
    ) -> Result<(), BackfillError> {
        let backfill = &self.backfill;
        let channels = match turn {
            Turn::Backfill => store::known_channels(&mut *conn).await?,
            Turn::Samples | Turn::Tracked => store::served_live_channels(&mut *conn).await?,
        };
        let streams = backfill.helix.streams(&channels).await?;
        let now = Moment::now(&backfill.clock);
        if may_infer {
            backfill.infer_streams(conn, &channels, &streams).await?;
        }
        let served = served_channels::all(&mut *conn).await?.into_iter().map(|channel| channel.id).collect();
        viewers::submit(&backfill.ingest, &streams, &served, now.wall).await?;
        self.schedule.sampled(now);
        if turn == Turn::Backfill {
            backfill.look_up_info(conn, &channels, self.is_start).await?;
            self.is_start = false;
            self.schedule.backfilled(now);
            self.shown.send_modify(|shown| shown.backfill_error = None);
        }
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
        let tracked = store::polled_channels(conn).await?;
        let named = tracked.iter().take(NAMED).map(|streamer| streamer.login.clone()).collect();
        self.shown.send_modify(|shown| (shown.tracked, shown.named) = (tracked.len(), named));
        Ok(tracked.into_iter().map(|streamer| streamer.id).collect())
    }
}
