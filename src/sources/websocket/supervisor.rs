//! Takes the leases of the users that have a session, and starts and stops their sessions.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::connection::Context;
use super::gap::Gaps;
use super::holder::Holder;
use super::intake::Intake;
use super::machine::{Input, Status};
use super::session::Handle;
use crate::services::{Services, Stopper};
use crate::store::sessions::{self, RENEWAL, SessionRow};
use crate::store::signals::Wakeup;
use crate::store::{self, answered};
use crate::twitch::helix::SESSION_LIMIT_MESSAGE;
use crate::twitch::id::UserId;
use crate::twitch::transport::TransportKind;
use crate::twitch::websocket::Endpoint;

/// From so many sessions on, Twitch is asked for fewer keepalives.
const MANY_SESSIONS: usize = 200;

/// Keeps the sessions of this server.
pub(super) struct Supervisor {
    database: PgConnectOptions,
    context: Arc<Context>,
    gaps: Gaps,
    /// Whether channels that say nothing else are served over WebSocket.
    is_default: bool,
    holder: Holder,
    sessions: HashMap<UserId, Running>,
    tasks: TaskTracker,
    /// Wakes when a session has changed.
    changed: Arc<Notify>,
    signals: [Wakeup; 2],
    renewed_at: Option<Instant>,
    stopper: Stopper,
}

/// A session, and how much of its report is in the database.
struct Running {
    handle: Handle,
    connections: u64,
    losses: u64,
}

impl Supervisor {
    pub(super) fn new(services: &Services, endpoint: Endpoint, intake: Intake, stopper: Stopper) -> Self {
        Self {
            database: services.database.clone(),
            context: Arc::new(Context::new(endpoint, intake, services)),
            gaps: Gaps::new(services),
            is_default: services.config.twitch.transport() == TransportKind::Websocket,
            holder: Holder::new(&services.config.data_dir),
            sessions: HashMap::new(),
            tasks: TaskTracker::new(),
            changed: Arc::default(),
            signals: [services.signals.sessions(), services.signals.reconcile()],
            renewed_at: None,
            stopper,
        }
    }

    /// Runs until it is stopped. Sessions go on while the database is away; no other server can take them over then.
    pub(super) async fn run(mut self) -> Infallible {
        let (mut connection, stopping) = (None, self.stopper.stopping.clone());
        while !stopping.is_cancelled() {
            // A database that hangs holds up no stop. What was under way on the connection is unknown then.
            match stopping.run_until_cancelled(self.round(&mut connection)).await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::debug!(%error, "the sessions could not be compared with the database");
                    connection = None;
                }
                None => connection = None,
            }
            self.observe_age();
            let [sessions, reconcile] = &mut self.signals;
            tokio::select! {
                () = stopping.cancelled() => {}
                () = sessions.notified() => {}
                () = reconcile.notified() => {}
                () = self.changed.notified() => {}
                () = self.context.clock.sleep(RENEWAL) => {}
            }
        }
        if let Err(error) = self.stop(connection).await {
            tracing::debug!(%error, "the sessions could not be released; other servers take them in some seconds");
        }
        self.stopper.stopped.cancel();
        std::future::pending().await
    }

    /// Makes the sessions what the database says that they should be, and writes there what became of them.
    async fn round(&mut self, connection: &mut Option<PgConnection>) -> sqlx::Result<()> {
        let db = match connection {
            Some(db) => db,
            None => connection.insert(store::connect(&self.database, "showtime sessions").await?),
        };
        while let Some(ended) = self.holder.ended.last() {
            answered(sessions::release(&mut *db, *ended)).await?;
            self.holder.ended.pop();
        }
        let wanted = answered(sessions::wanted(&mut *db, self.is_default)).await?;
        self.context.spare_keepalives(wanted.len() > MANY_SESSIONS);
        self.lease(&mut *db, wanted).await?;
        for (user, running) in &mut self.sessions {
            running.write(&mut *db, self.holder.id, user).await?;
        }
        if self.sessions.values().any(Running::is_waiting) {
            let rows = answered(sessions::all(&mut *db)).await?;
            rows.iter().for_each(|row| self.tell(row));
        }
        Ok(())
    }

    /// Renews the leases if it is time or others are wanted, and starts and stops sessions accordingly.
    async fn lease(&mut self, db: &mut PgConnection, wanted: BTreeSet<UserId>) -> sqlx::Result<()> {
        let now = self.context.clock.instant();
        let is_recent = self.renewed_at.is_some_and(|at| now.saturating_duration_since(at) < RENEWAL);
        if is_recent && wanted.len() == self.sessions.len() && wanted.iter().all(|it| self.sessions.contains_key(it)) {
            return Ok(());
        }
        self.end_panicked();
        let secured = |user: &UserId| self.sessions.get(user).and_then(|running| running.handle.secured_until());
        let users: Vec<_> = wanted.iter().map(|user| (user.clone(), secured(user))).collect();
        let held = answered(sessions::lease(&mut *db, self.holder.id, &users)).await?;
        self.renewed_at = Some(now);
        let is_over = |user: &UserId| !held.iter().any(|row| row.user_id == *user);
        let over: Vec<_> = self.sessions.keys().filter(|user| is_over(user)).cloned().collect();
        for user in over {
            if let Some(running) = self.sessions.remove(&user) {
                running.handle.stop();
            }
        }
        answered(sessions::keep_only(&mut *db, self.holder.id, &wanted, self.is_default)).await?;
        for lease in held {
            self.sessions.entry(lease.user_id).or_insert_with_key(|user| Running {
                handle: Handle::start(
                    &self.context,
                    &self.gaps,
                    user.channel(),
                    lease.last_message_at,
                    self.changed.clone(),
                    self.stopper.stopping.child_token(),
                    &self.tasks,
                ),
                connections: 0,
                losses: 0,
            });
        }
        Ok(())
    }

    /// Ends what is left of sessions whose tasks have panicked. They start again, with a gap since what was last secured.
    fn end_panicked(&mut self) {
        self.sessions.retain(|user, running| {
            let has_panicked = running.handle.has_panicked();
            if has_panicked {
                tracing::error!(user.id = user.as_str(), "the WebSocket session panicked; it starts again");
                running.handle.stop();
            }
            !has_panicked
        });
    }

    /// Tells a session what the reconciler wrote about it.
    fn tell(&self, row: &SessionRow) {
        let (Some(running), Some(id)) = (self.sessions.get(&row.user_id), &row.session_id) else { return };
        let session = id.as_str().into();
        if row.subscribed_at.is_some() {
            running.handle.tell(Input::Subscribed { session });
        } else if row.problem.as_ref().is_some_and(|problem| problem.contains(SESSION_LIMIT_MESSAGE)) {
            running.handle.tell(Input::TooManySessions { session });
        }
    }

    /// Measures for how long the most silent session has been silent.
    fn observe_age(&self) {
        let now = self.context.clock.instant();
        let heard = self.sessions.values().filter_map(|running| {
            let report = running.handle.report();
            report.session.as_ref().and(report.heard_at)
        });
        let oldest = heard.map(|at| now.saturating_duration_since(at)).max();
        self.context.metrics.websocket_age(oldest.unwrap_or_default());
    }

    /// Waits until all sessions are closed, and lets other servers have them.
    async fn stop(&mut self, connection: Option<PgConnection>) -> sqlx::Result<()> {
        self.tasks.close();
        self.tasks.wait().await;
        let mut db = match connection {
            Some(db) => db,
            None => store::connect(&self.database, "showtime sessions").await?,
        };
        let secured = |(user, running): (&UserId, &Running)| (user.clone(), running.handle.secured_until());
        let last: Vec<_> = self.sessions.iter().map(secured).collect();
        answered(sessions::lease(&mut db, self.holder.id, &last)).await?;
        answered(sessions::release(&mut db, self.holder.id)).await
    }
}

impl Running {
    /// Whether the reconciler has something to say about it.
    fn is_waiting(&self) -> bool {
        matches!(self.handle.report().status, Status::Fresh | Status::Moving)
    }

    /// Writes what is new in the report.
    async fn write(&mut self, db: &mut PgConnection, holder: i64, user: &UserId) -> sqlx::Result<()> {
        let (session, lost, connections, losses) = {
            let report = self.handle.report();
            (report.session.clone(), report.lost.clone(), report.connections, report.losses)
        };
        if let Some((at, reason)) = lost.filter(|_| losses > self.losses) {
            answered(sessions::end(&mut *db, holder, user, at, &reason)).await?;
            self.losses = losses;
        }
        if let Some((id, at)) = session.filter(|_| connections > self.connections) {
            answered(sessions::begin(&mut *db, holder, user, &id, at)).await?;
            self.connections = connections;
        }
        Ok(())
    }
}
