//! Copies new events of the log into the hub's ring: woken by a notification, with a slow poll as the safety net.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::entry::Entry;
use super::hub::Hub;
use crate::config::describe_database;
use crate::incidents::outages::{Outages, Part};
use crate::store::read::scan::LogFilter;
use crate::store::read::{events, live};
use crate::store::signals::{Signals, Wakeup};
use crate::store::{LogId, answered};

/// How often the log is read, and what was deleted of it looked for, without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Pause between two attempts to reach a database that is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Events per read.
const BATCH: i64 = 256;

/// Events from before the start that are kept: a restart sends all readers back at the same time,
/// and most of them missed little.
const RECENT: i64 = 1_024;

/// The background task that fills the ring. No follower: it saves no cursor, and every server runs one.
#[derive(Debug)]
pub struct Tail {
    hub: Arc<Hub>,
    database: PgConnectOptions,
    signals: Signals,
    outages: Outages,
}

/// What the tail waits for.
#[derive(Debug)]
struct Wakeups {
    appended: Wakeup,
    deleted: Wakeup,
    replays: Receiver<LogId>,
}

impl Tail {
    /// A tail with a connection of its own to this database.
    #[must_use]
    pub fn new(hub: Arc<Hub>, database: PgConnectOptions, signals: Signals, outages: Outages) -> Self {
        let options = [("application_name", "showtime hub"), ("statement_timeout", "5000")];
        Self { hub, database: database.options(options), signals, outages }
    }

    /// Follows the log, through every outage of the database.
    pub async fn run(self) -> Infallible {
        let mut wakeups = Wakeups {
            appended: self.signals.events(),
            deleted: self.signals.deletions(),
            replays: self.signals.replays(),
        };
        let mut is_away = false;
        loop {
            let Err(error) = self.follow(&mut wakeups, &mut is_away).await;
            if !std::mem::replace(&mut is_away, true) {
                let address = describe_database(&self.database);
                tracing::warn!(%error, database.address = address, "the log can't be followed; trying again");
                self.outages.observe(Part::Feeds, Some("the log could not be followed".to_owned()));
            }
            sleep(PAUSE).await;
        }
    }

    /// Follows the log until the connection breaks.
    async fn follow(&self, wakeups: &mut Wakeups, is_away: &mut bool) -> sqlx::Result<Infallible> {
        let mut connection = answered(self.database.connect()).await?;
        self.check(&mut connection).await?;
        if std::mem::take(is_away) {
            tracing::info!("the log is followed again");
            self.outages.observe(Part::Feeds, None);
        }
        let mut poll = interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.read_on(&mut connection).await?;
            tokio::select! {
                () = wakeups.appended.notified() => {}
                () = self.hub.first_reader.notified() => {}
                replay = wakeups.replays.recv() => match replay {
                    Ok(id) => self.replay(&mut connection, id).await?,
                    Err(RecvError::Lagged(dropped)) => tracing::warn!(dropped, "too many replays at once"),
                    // Not while `self` has the signals.
                    Err(RecvError::Closed) => std::future::pending().await,
                },
                () = wakeups.deleted.notified() => self.check(&mut connection).await?,
                _ = poll.tick() => self.check(&mut connection).await?,
            }
        }
    }

    /// Whether there are readers. If not, the ring is cleared, and nothing is read until one comes: a reader subscribes
    /// before it looks at the ring, so none sees it go.
    fn has_readers(&self) -> bool {
        let mut has_readers = true;
        self.hub.ring.send_if_modified(|ring| {
            has_readers = self.hub.readers() > 0;
            if !has_readers {
                ring.forget();
            }
            !has_readers
        });
        has_readers
    }

    /// Fills the ring if it is empty and there are readers. Else checks that the log still reaches the ring's cursor and is the same, and fills the
    /// ring again if not.
    async fn check(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let (version, lost) = answered(live::version(connection)).await?;
        let newest = answered(live::bounds(&mut *connection)).await?.newest.unwrap_or_default();
        let (known, old) = {
            let ring = self.hub.ring.borrow();
            (ring.cursor(), ring.version())
        };
        if known.is_none() && self.hub.readers() == 0 {
            return Ok(());
        }
        let is_same = version.epoch == old.epoch && known.is_some_and(|cursor| cursor <= newest);
        if is_same && version == old {
            return Ok(());
        }
        if known.is_some() && !is_same {
            tracing::warn!("the log has been emptied or restored; readers start over");
        }
        // Readers that go on have read nothing behind the ring's cursor.
        let newest = if is_same { known.unwrap_or(newest) } else { newest };
        let everything = LogFilter::default();
        let recent = answered(live::last(connection, &everything, newest.next(), RECENT)).await?;
        let is_whole = i64::try_from(recent.len()).is_ok_and(|count| count < RECENT);
        // The first one may be the first of the log, or there may be others before it.
        let since = if is_whole { LogId::START } else { recent.first().map_or(newest, |first| first.id) };
        self.hub.ring.send_modify(|ring| {
            match known {
                Some(_) if is_same => ring.forget(),
                Some(_) => ring.reset(),
                None => {}
            }
            ring.begin(recent.into_iter().map(Entry::from).collect(), since, newest, (version, lost));
        });
        Ok(())
    }

    /// Copies all that is new, if there are readers.
    async fn read_on(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if !self.has_readers() {
            return Ok(());
        }
        if self.hub.ring.borrow().cursor().is_none() {
            self.check(connection).await?;
        }
        loop {
            let cursor = self.hub.ring.borrow().cursor().unwrap_or_default();
            let new = answered(events::between(&mut *connection, cursor, LogId::MAX, None, BATCH)).await?;
            let is_all = i64::try_from(new.len()).is_ok_and(|count| count < BATCH);
            if !new.is_empty() {
                self.hub.ring.send_modify(|ring| ring.extend(new.into_iter().map(Entry::from)));
            }
            if is_all {
                return Ok(());
            }
        }
    }

    /// Shows an event once more, after all that was appended before the request.
    async fn replay(&self, connection: &mut PgConnection, id: LogId) -> sqlx::Result<()> {
        self.read_on(connection).await?;
        if !self.has_readers() {
            return Ok(());
        }
        let found = answered(events::between(connection, id.previous(), id, None, 1)).await?;
        self.hub.ring.send_modify(|ring| {
            let cursor = ring.cursor().unwrap_or_default();
            ring.extend(found.into_iter().map(|logged| Entry::replay(logged, cursor)));
        });
        Ok(())
    }
}
