//! Follows the log into the ring of the hub: woken by `NOTIFY`, and by a slow poll where that fails.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Acquire as _;
use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use tokio::time::{sleep, timeout};

use super::entry::Entry;
use super::hub::Hub;
use crate::store::log::{NOTIFY_CHANNEL, REPLAY_CHANNEL};
use crate::store::read::live;
use crate::store::read::scan::Interest;
use crate::store::within;

/// How long to wait for a notification before looking all the same.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How long the database may take to answer before the connection is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two attempts to reach a database that is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Events that are read at once.
const BATCH: i64 = 256;

/// Events from before the start that are kept: a restart sends all readers back at the same time,
/// and most of them missed little.
const RECENT: i64 = 1_024;

/// The one who reads the log for everybody.
#[derive(Debug)]
pub struct Tail {
    hub: Arc<Hub>,
    database: PgConnectOptions,
}

impl Tail {
    /// Needs a connection of its own to this database.
    #[must_use]
    pub fn new(hub: Arc<Hub>, database: PgConnectOptions) -> Self {
        let options = [("application_name", "showtime hub"), ("statement_timeout", "5000")];
        Self { hub, database: database.options(options) }
    }

    /// Follows the log, through every outage of the database.
    pub async fn run(self) -> Infallible {
        let mut is_away = false;
        loop {
            let Err(error) = self.follow(&mut is_away).await;
            if !is_away {
                tracing::warn!(%error, "the log can't be followed; trying again");
                is_away = true;
            }
            sleep(PAUSE).await;
        }
    }

    /// Until the connection breaks. Listens before it looks, so that nothing falls between.
    async fn follow(&self, is_away: &mut bool) -> sqlx::Result<Infallible> {
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = answered(pool.connect_with(self.database.clone())).await?;
        let mut listener = answered(PgListener::connect_with(&pool)).await?;
        listener.eager_reconnect(false);
        answered(listener.listen_all([NOTIFY_CHANNEL, REPLAY_CHANNEL])).await?;
        self.check(&mut listener).await?;
        if std::mem::take(is_away) {
            tracing::info!("the log is followed again");
        }
        loop {
            if self.is_read() {
                if self.hub.ring.borrow().cursor().is_none() {
                    self.check(&mut listener).await?;
                }
                self.read_on(&mut listener).await?;
            }
            tokio::select! {
                heard = timeout(POLL_INTERVAL, listener.try_recv()) => match heard {
                    Ok(notification) => {
                        let notification = notification?.ok_or(sqlx::Error::WorkerCrashed)?;
                        self.hear(&mut listener, notification).await?;
                    }
                    Err(_) => self.check(&mut listener).await?,
                },
                () = self.hub.first_reader.notified() => {}
            }
        }
    }

    /// That something was appended needs no answer but to read on, however often it was said.
    async fn hear(&self, listener: &mut PgListener, heard: PgNotification) -> sqlx::Result<()> {
        let mut heard = vec![heard];
        heard.extend(std::iter::from_fn(|| listener.next_buffered()));
        for replay in heard.iter().filter(|heard| heard.channel() == REPLAY_CHANNEL && self.is_read()) {
            if let Ok(id) = replay.payload().parse() {
                self.replay(listener, id).await?;
            }
        }
        Ok(())
    }

    /// Whether anybody reads. If not, the ring is forgotten, and nothing is read until somebody comes: a reader takes
    /// a place before looking at the ring, so nobody sees it go.
    fn is_read(&self) -> bool {
        let mut is_read = true;
        self.hub.ring.send_if_modified(|ring| {
            is_read = self.hub.readers() > 0;
            if !is_read {
                ring.forget();
            }
            !is_read
        });
        is_read
    }

    /// Finds the log's end at the start, and when somebody reads after a while. In between: sees whether it is still
    /// where it was, or was emptied.
    async fn check(&self, listener: &mut PgListener) -> sqlx::Result<()> {
        let newest = answered(live::bounds(&mut *listener)).await?.newest.unwrap_or(0);
        let known = self.hub.ring.borrow().cursor();
        if known.is_some_and(|cursor| cursor <= newest) {
            return Ok(());
        }
        if known.is_some() {
            tracing::warn!("the log has been emptied; readers have to start again");
        }
        let everything = Interest::default();
        let connection = answered(listener.acquire()).await?;
        let recent = answered(live::last(connection, &everything, newest.saturating_add(1), RECENT)).await?;
        let is_whole = i64::try_from(recent.len()).is_ok_and(|count| count < RECENT);
        // The first one may be the first of the log, or there may be others before it.
        let since = if is_whole { 0 } else { recent.first().map_or(newest, |first| first.id) };
        self.hub.ring.send_modify(|ring| {
            if known.is_some() {
                ring.reset();
            }
            ring.begin(recent.into_iter().map(Entry::from).collect(), since, newest);
        });
        Ok(())
    }

    /// Takes over all that is new.
    async fn read_on(&self, listener: &mut PgListener) -> sqlx::Result<()> {
        loop {
            let cursor = self.hub.ring.borrow().cursor().unwrap_or(0);
            let new = answered(live::between(&mut *listener, cursor, i64::MAX, BATCH)).await?;
            let is_all = i64::try_from(new.len()).is_ok_and(|count| count < BATCH);
            if !new.is_empty() {
                self.hub.ring.send_modify(|ring| ring.extend(new.into_iter().map(Entry::from)));
            }
            if is_all {
                return Ok(());
            }
        }
    }

    async fn replay(&self, listener: &mut PgListener, id: i64) -> sqlx::Result<()> {
        let found = answered(live::between(listener, id.saturating_sub(1), id, 1)).await?;
        self.hub.ring.send_modify(|ring| {
            let cursor = ring.cursor().unwrap_or(0);
            ring.extend(found.into_iter().map(|logged| Entry::replay(logged, cursor)));
        });
        Ok(())
    }
}

/// A connection on which nothing comes any more must not be waited for.
async fn answered<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    within(ANSWER_TIMEOUT, answer).await
}
