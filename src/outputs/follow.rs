//! Followers of the log: outputs that miss no event, whatever crashes, and whose rows exist once.
//!
//! A follower has a name, and in the database a cursor, a lease and an epoch. Of all servers that run it the one with the
//! lease reads the events after the cursor, and calls its handler in the transaction that also saves the cursor. So what
//! the handler writes is there once, and a crash only repeats what was not committed. What has to leave the machine is
//! written down by the handler, and sent by another task.
//!
//! A server that loses its lease, because it hung for example, can't save any more: saving needs the epoch, which a new
//! holder has changed. Leases are judged by the database's clock.
//!
//! Followers share the machine with the writer of the log, so they cost as little as they can: only events that concern the
//! handler are read, the cursor is saved once a second while none do, and batches begin at a pace.
//!
//! Replays are not in the log, so they reach no follower.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Acquire as _, PgConnection};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::Instrument as _;

use crate::backoff::Backoff;
use crate::services::Services;
use crate::status::Check;
use crate::store::followers::{self, FollowerState, Lease};
pub use crate::store::followers::{Next, Start};
use crate::store::read::events::{self, LoggedEvent};
use crate::store::signals::{Signals, Wakeup};
use crate::store::{LogId, pool_options, within};

/// Events per batch.
pub const MAX_BATCH: usize = 256;

/// How long a lease lasts that is not renewed. A holder that was killed is replaced within 5 s: the others sleep until
/// its lease ends, which leaves 2 s for a machine that is slow.
const LEASE: Duration = Duration::from_secs(3);

/// The holder looks at the log, saves its cursor and so renews its lease at least this often, also when no notification came.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// From the beginning of one batch to that of the next, unless there are more events than fit into one.
const PACE: Duration = Duration::from_millis(10);

/// Time limit of a batch. With the poll interval it makes one lease, so a holder that is well keeps it.
const BATCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Time limits of the database, in milliseconds: a statement, and a transaction whose process does nothing. What a holder
/// that hangs has locked would else stop the next holder.
const DATABASE_TIMEOUT: &str = "2000";

/// A follower has a connection only during a batch, so more followers than this take turns.
const POOL_SIZE: u32 = 8;

/// Pause while the database is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Between two attempts to handle a batch that fails.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(30) };

/// A follower this far behind is shown.
const MAX_SECONDS_BEHIND: f64 = 60.0;

/// Why a handler failed, as `/status` shows it.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// What a follower does.
#[expect(async_fn_in_trait, reason = "who spawns a follower knows its handler, and so whether its futures are `Send`")]
pub trait Handler {
    /// Which of the next events concern it, by what is stored now. Not in the transaction of [`handle`](Self::handle), and must not
    /// write.
    ///
    /// # Errors
    /// If that can't be read.
    async fn concern(&mut self, db: &mut PgConnection, next: &Next) -> Result<Concern, HandlerError>;

    /// Handles events in the transaction that saves the cursor, which it must not end.
    ///
    /// # Errors
    /// If they can't be handled now: they come again.
    async fn handle(&mut self, db: &mut PgConnection, batch: &Batch) -> Result<(), HandlerError>;
}

/// All events concern a function.
impl<F: AsyncFnMut(&mut PgConnection, &Batch) -> Result<(), HandlerError>> Handler for F {
    async fn concern(&mut self, _: &mut PgConnection, _: &Next) -> Result<Concern, HandlerError> {
        Ok(Concern { types: Types::All, is_timed: false })
    }

    async fn handle(&mut self, db: &mut PgConnection, batch: &Batch) -> Result<(), HandlerError> {
        self(db, batch).await
    }
}

/// What concerns a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Events of these types.
    pub types: Types,
    /// Whether it is also called without events, about every second, for what is due at a time.
    pub is_timed: bool,
}

/// Types of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Types {
    /// Of no type.
    None,
    /// Of these types.
    Only(&'static [&'static str]),
    /// Of all types.
    All,
}

/// Events to handle, oldest first: at most [`MAX_BATCH`], and at least one unless the handler is timed.
///
/// `is_test`, [`is_inferred`](LoggedEvent::is_inferred) and `repeats` of an event say what it is: what repeats an earlier event,
/// or was taken back by one, is no news. Echoes and the demo show are left out.
#[derive(Debug)]
pub struct Batch {
    /// The events, with the names of their channels.
    pub events: Vec<LoggedEvent>,
}

/// How far a holder has got.
#[derive(Debug)]
struct Progress {
    /// The last event up to which all is done, and when it was received. The cursor may be behind it.
    read_to: Option<(LogId, OffsetDateTime)>,
    /// When the cursor was last saved.
    saved_at: Instant,
}

/// Why a batch was not saved.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error("the lease was taken over")]
    Superseded,
    #[error("the log has no event {0} to go on after: it was emptied or restored")]
    Unreachable(LogId),
    #[error("a batch of up to {0} events took longer than {limit} s", limit = BATCH_TIMEOUT.as_secs())]
    Timeout(usize),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Handler(HandlerError),
}

/// A follower, which one server at a time runs, however many of them [`run`](Self::run) it.
#[derive(Clone, Debug)]
pub struct Follower {
    /// Connections of all followers of this process: see [`pool`].
    pub pool: PgPool,
    /// Wakes it when events were appended.
    pub signals: Signals,
    /// Unique, and the name of its row and of its check. A new name is a new follower.
    pub name: &'static str,
    /// Where it starts when no server has run it before.
    pub start: Start,
}

/// The connections that the followers of a process share, opened as they are needed.
pub fn pool(database: PgConnectOptions) -> PgPool {
    let options = database.options([
        ("application_name", "showtime followers"),
        ("statement_timeout", DATABASE_TIMEOUT),
        ("idle_in_transaction_session_timeout", DATABASE_TIMEOUT),
        // As for the log: all is looked up by key, and to plan a statement takes longer than to execute it.
        ("enable_seqscan", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("jit", "off"),
    ]);
    pool_options().max_connections(POOL_SIZE).acquire_timeout(BATCH_TIMEOUT).connect_lazy_with(options)
}

impl Follower {
    /// A follower whose check `/status` shows, under its name.
    #[must_use]
    pub fn new(services: &Services, name: &'static str, start: Start) -> Self {
        services.checks.add_on_records(move |records| check(name, &records.followers));
        Self { pool: services.follower_pool.clone(), signals: services.signals.clone(), name, start }
    }

    /// Handles events whenever this server has the lease.
    ///
    /// The handler has 2 s for a batch. If it fails, nothing of the batch is saved, and the same events come again: after a
    /// pause that grows to 30 s, and fewer at a time, so that an event that always fails stands alone in the end. So the result
    /// may depend neither on where batches are cut nor on the clock; time is the events'.
    pub async fn run(self, mut handler: impl Handler) -> Infallible {
        let mut appended = self.signals.events();
        loop {
            let epoch = self.lease().await;
            tracing::debug!(follower.name = self.name, follower.epoch = epoch, "lease taken");
            self.hold(epoch, &mut handler, &mut appended).await;
            tracing::info!(follower.name = self.name, follower.epoch = epoch, "the lease was taken over");
        }
    }

    /// Waits until this server has the lease, and returns the epoch.
    async fn lease(&self) -> i64 {
        let mut is_away = false;
        loop {
            match self.try_lease().await {
                Ok(Lease::Taken(epoch)) => return epoch,
                // A rewind ends the lease of a follower that pauses, so no longer than this.
                Ok(Lease::HeldFor(time)) => sleep(time.min(LEASE)).await,
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) {
                        tracing::warn!(follower.name = self.name, %error, "the follower can't start; trying again");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn try_lease(&self) -> sqlx::Result<Lease> {
        within(BATCH_TIMEOUT, async {
            followers::lease(&mut *self.pool.acquire().await?, self.name, self.start, LEASE).await
        })
        .await
    }

    /// Handles batches until the lease is taken over.
    async fn hold(&self, epoch: i64, handler: &mut impl Handler, appended: &mut Wakeup) {
        let (mut limit, mut failures, mut is_failing) = (MAX_BATCH, 0, false);
        let mut progress = Progress { read_to: None, saved_at: Instant::now() };
        loop {
            let began = Instant::now();
            let handled = timeout(BATCH_TIMEOUT, self.handle(epoch, limit, &mut progress, handler)).await;
            let error = match handled.unwrap_or(Err(BatchError::Timeout(limit))) {
                Ok(is_all) => {
                    if std::mem::take(&mut is_failing) {
                        tracing::info!(follower.name = self.name, "the follower goes on");
                    }
                    failures = 0;
                    limit = (limit * 2).min(MAX_BATCH);
                    if is_all {
                        let _ = timeout_at(progress.saved_at + POLL_INTERVAL, appended.notified()).await;
                        sleep_until(began + PACE).await;
                    }
                    continue;
                }
                Err(BatchError::Superseded) => return,
                Err(error) => error,
            };
            if !std::mem::replace(&mut is_failing, true) {
                tracing::warn!(follower.name = self.name, %error, "the follower failed; trying again");
            }
            limit = (limit / 2).max(1);
            let pause = if matches!(error, BatchError::Unreachable(_)) { LEASE } else { BACKOFF.pause(failures + 1) };
            match self.record_failure(epoch, &error, pause).await {
                Ok(true) => {
                    failures += 1;
                    sleep(pause).await;
                }
                Ok(false) => return,
                // The database is away: that is no failure of the follower.
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Handles the next events and returns whether the log has no more.
    async fn handle(
        &self,
        epoch: i64,
        limit: usize,
        progress: &mut Progress,
        handler: &mut impl Handler,
    ) -> Result<bool, BatchError> {
        let mut connection = self.pool.acquire().await?;
        let read_to = progress.read_to.map_or(LogId::START, |(id, _)| id);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let next = followers::next(&mut connection, self.name, epoch, read_to, limit).await?;
        let next = next.ok_or(BatchError::Superseded)?;
        if !next.is_reachable {
            return Err(BatchError::Unreachable(next.cursor));
        }
        let concern = handler.concern(&mut connection, &next).await.map_err(BatchError::Handler)?;
        let batch = read(&mut connection, &next, concern.types).await?;
        let read_to = next.last.zip(next.received_at).or(progress.read_to);
        if concern.is_timed || !batch.events.is_empty() {
            let mut transaction = connection.begin().await?;
            let span = tracing::info_span!("follower", follower.name = self.name, batch.events = batch.events.len());
            let handled = handler.handle(&mut transaction, &batch).instrument(span);
            handled.await.map_err(BatchError::Handler)?;
            self.save(&mut transaction, epoch, read_to).await?;
            transaction.commit().await?;
            progress.saved_at = Instant::now();
        } else if progress.saved_at.elapsed() >= POLL_INTERVAL {
            self.save(&mut connection, epoch, read_to).await?;
            progress.saved_at = Instant::now();
        }
        progress.read_to = read_to;
        Ok(next.is_all)
    }

    /// Saves the cursor, and renews the lease.
    async fn save(
        &self,
        conn: &mut PgConnection,
        epoch: i64,
        read_to: Option<(LogId, OffsetDateTime)>,
    ) -> Result<(), BatchError> {
        let is_saved = followers::save(conn, self.name, epoch, read_to, LEASE).await?;
        if is_saved { Ok(()) } else { Err(BatchError::Superseded) }
    }

    /// Records the error, and keeps the lease through the pause. False if the lease was taken over.
    async fn record_failure(&self, epoch: i64, error: &BatchError, pause: Duration) -> sqlx::Result<bool> {
        within(BATCH_TIMEOUT, async {
            let mut connection = self.pool.acquire().await?;
            followers::record_failure(&mut connection, self.name, epoch, &error.to_string(), pause + LEASE).await
        })
        .await
    }
}

/// Those of the next events that concern the handler.
async fn read(db: &mut PgConnection, next: &Next, types: Types) -> sqlx::Result<Batch> {
    let mut events = match (next.last, types) {
        (None, _) | (_, Types::None) => Vec::new(),
        (Some(last), Types::Only(types)) => events::between(db, next.after, last, Some(types), i64::MAX).await?,
        (Some(last), Types::All) => events::between(db, next.after, last, None, i64::MAX).await?,
    };
    events.retain(|event| !event.is_echo && !event.is_demo());
    Ok(Batch { events })
}

/// The check of a follower, from its row.
fn check(name: &'static str, followers: &[FollowerState]) -> Check {
    let Some(state) = followers.iter().find(|state| state.name == name) else {
        return Check::warn(name, format!("{name} has not started yet"));
    };
    let FollowerState { cursor, events_behind, seconds_behind, .. } = state;
    match &state.last_error {
        Some(error) => Check::warn(name, format!("{name} is stuck after event {cursor}: {error}")),
        None if !state.is_leased => Check::warn(name, format!("{name} runs on no server")),
        None if *seconds_behind > MAX_SECONDS_BEHIND => {
            Check::warn(name, format!("{name} is {seconds_behind:.0} s behind the log, {events_behind} events"))
        }
        None => Check::pass(name, format!("{name} has handled the log up to event {cursor}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Verdict;

    #[test]
    fn check_says_what_keeps_a_follower_from_its_work() {
        let healthy = FollowerState {
            name: "toy".to_owned(),
            cursor: LogId(5),
            is_reachable: true,
            is_leased: true,
            events_behind: 0,
            seconds_behind: 0.0,
            last_error: None,
            failing_since: None,
        };
        let stuck = FollowerState { last_error: Some("disk full".to_owned()), ..healthy.clone() };
        let idle = FollowerState { is_leased: false, ..healthy.clone() };
        let late = FollowerState { events_behind: 700, seconds_behind: 61.2, ..healthy.clone() };
        for (state, status, message) in [
            (Some(healthy), Verdict::Pass, "toy has handled the log up to event 5"),
            (Some(stuck), Verdict::Warn, "toy is stuck after event 5: disk full"),
            (Some(idle), Verdict::Warn, "toy runs on no server"),
            (Some(late), Verdict::Warn, "toy is 61 s behind the log, 700 events"),
            (None, Verdict::Warn, "toy has not started yet"),
        ] {
            let check = check("toy", &state.into_iter().collect::<Vec<_>>());
            assert_eq!((check.name, check.status, check.message.as_str()), ("toy", status, message));
        }
    }
}
