//! The reconciler of WebSocket sessions: has each session subscribed on as soon as it begins, and compared from then on. The
//! source of the sessions and this one know each other only by the table `websocket_session`.
//!
//! Each session is a run of its own, so that none waits for another, nor for the webhooks. Of several servers one runs for a
//! user, under a part of a lock of the database; a new session ends the run for the one before it.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinError;
use tokio_util::task::JoinMap;

use super::desired;
use super::error::CycleError;
use super::session::{IDLE_PAUSE, Session, Subscriber};
use crate::backoff::Backoff;
use crate::credentials::application::Application;
use crate::services::Services;
use crate::store::desired_subscriptions::{self as rows, DesiredStatus, Unavailable};
use crate::store::locks::Lock;
use crate::store::served_channels::{self, ServedChannel};
use crate::store::sessions::{self, SessionRow};
use crate::store::signals::Signals;
use crate::store::tokens;
use crate::store::{self, answered};
use crate::twitch::helix::RefusalKind;
use crate::twitch::id::ChannelId;
use crate::twitch::transport::TransportKind;

/// The pauses after failures. Twitch gives a new session ten seconds.
const RETRIES: Backoff = Backoff { first: Duration::from_millis(250), max: Duration::from_secs(30) };

/// The pause after a refusal: what else Twitch needs shows in `/status`.
const REFUSED_PAUSE: Duration = Duration::from_secs(75);

/// The shortest time between two comparisons of a session, however often it is woken.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time for which what the same channels should have is not written again.
const WRITE_INTERVAL: Duration = Duration::from_secs(5);

/// Time until the next attempt if another server runs for the user: while the session is new, and after.
const SKIPPED_PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));

/// Runs for as long as the server does.
pub(super) fn run(services: &Services, application: &Application) -> impl Future<Output = Infallible> + use<> {
    let twitch = &services.config.twitch;
    let subscriber = Subscriber {
        application: application.clone(),
        pool: services.pool.clone(),
        clock: services.clock.clone(),
        incidents: services.incidents.clone(),
        types: desired::types(&twitch.extra_types),
    };
    let reconciler = SessionReconciler {
        database: services.database.clone(),
        signals: services.signals.clone(),
        default: twitch.transport(),
        subscriber: Arc::new(subscriber),
        progress: HashMap::new(),
        written: None,
        runs: JoinMap::new(),
    };
    reconciler.run()
}

/// Starts the runs.
struct SessionReconciler {
    /// For a connection of its own: the locks belong to one.
    database: PgConnectOptions,
    signals: Signals,
    /// The transport of channels that have none of their own.
    default: TransportKind,
    subscriber: Arc<Subscriber>,
    progress: HashMap<ChannelId, Progress>,
    /// The channels whose desired subscriptions were written last, and when.
    written: Option<(Vec<ChannelId>, Instant)>,
    /// One at most for each channel; while it lasts, this server holds the channel's part of the lock.
    runs: JoinMap<ChannelId, Result<Duration, CycleError>>,
}

/// How far a session has got.
struct Progress {
    session_id: String,
    /// Whether it was not compared yet.
    is_new: bool,
    due_at: Instant,
    began_at: Option<Instant>,
    /// Failures in a row.
    failures: u32,
}

impl SessionReconciler {
    async fn run(mut self) -> Infallible {
        let (mut changes, mut requests) = (self.signals.sessions(), self.signals.reconcile());
        let (clock, mut connection) = (self.subscriber.clock.clone(), None);
        let mut is_changed = true;
        loop {
            if is_changed && let Err(error) = self.round(&mut connection).await {
                tracing::debug!(%error, "the WebSocket sessions could not be read");
                // The locks are gone with the connection.
                connection = None;
                self.runs.abort_all();
                clock.sleep(MIN_INTERVAL).await;
                continue;
            }
            is_changed = true;
            tokio::select! {
                () = clock.sleep(self.pause()) => {}
                () = changes.notified() => {}
                () = requests.notified() => self.hurry(),
                Some((channel, outcome)) = self.runs.join_next() => {
                    self.finish(&channel, outcome);
                    is_changed = match &mut connection {
                        Some(db) => answered(Lock::Session.release_part(db, channel.as_str())).await.is_err(),
                        None => true,
                    };
                }
            }
        }
    }

    /// Starts what is due.
    async fn round(&mut self, connection: &mut Option<PgConnection>) -> sqlx::Result<()> {
        let db = match connection {
            Some(db) => db,
            None => connection.insert(store::connect(&self.database, "showtime session reconciler").await?),
        };
        let now = self.subscriber.clock.now();
        let channels = answered(served_channels::over(db, TransportKind::Websocket, self.default)).await?;
        self.write_desired(db, &channels).await?;
        let consents = answered(tokens::consents(db)).await?;
        let mut sessions: HashMap<_, _> =
            answered(sessions::all(db)).await?.into_iter().map(|row| (row.user_id.channel(), row)).collect();
        let mut unavailable = Vec::new();
        let mut with_session = HashSet::new();
        for channel in channels {
            match available(&channel, consents.get(channel.id.as_str()), sessions.remove(&channel.id)) {
                Ok((session_id, row)) => {
                    with_session.insert(channel.id.clone());
                    self.start_if_due(db, channel, session_id, row).await?;
                }
                Err(reason) => unavailable.push(reason),
            }
        }
        self.progress.retain(|channel, _| with_session.contains(channel));
        self.runs.abort_matching(|channel| !with_session.contains(channel));
        answered(rows::set_unavailable(db, &unavailable, now)).await?;
        Ok(())
    }

    /// Writes what these channels should have, unless that was done for the same ones a moment ago.
    async fn write_desired(&mut self, db: &mut PgConnection, channels: &[ServedChannel]) -> sqlx::Result<()> {
        let clock = &self.subscriber.clock;
        let ids: Vec<_> = channels.iter().map(|channel| channel.id.clone()).collect();
        let is_recent = |(of, at): &(Vec<ChannelId>, Instant)| {
            *of == ids && clock.instant().saturating_duration_since(*at) < WRITE_INTERVAL
        };
        if !self.written.as_ref().is_some_and(is_recent) {
            let over_sessions = channels.iter().map(|channel| (&channel.id, TransportKind::Websocket));
            let desired = answered(self.subscriber.desired(db, over_sessions)).await?;
            answered(desired::write(db, TransportKind::Websocket, &desired, clock.now())).await?;
            self.written = Some((ids, clock.instant()));
        }
        Ok(())
    }

    /// The time until something is due.
    fn pause(&self) -> Duration {
        let now = self.subscriber.clock.instant();
        let waiting = self.progress.iter().filter(|(channel, _)| !self.runs.contains_key(*channel));
        waiting.map(|(_, it)| it.due_at.saturating_duration_since(now)).fold(IDLE_PAUSE, Ord::min)
    }

    async fn start_if_due(
        &mut self,
        db: &mut PgConnection,
        channel: ServedChannel,
        session_id: String,
        row: SessionRow,
    ) -> sqlx::Result<()> {
        let (id, now) = (channel.id.clone(), self.subscriber.clock.instant());
        let (is_running, is_subscribed) = (self.runs.contains_key(&id), row.subscribed_at.is_some());
        let is_other = self.progress.get(&id).is_none_or(|it| it.session_id != session_id);
        if is_other {
            let due_at = if is_subscribed { now + IDLE_PAUSE } else { now };
            let progress = Progress {
                session_id: session_id.clone(),
                is_new: !is_subscribed,
                due_at,
                began_at: None,
                failures: 0,
            };
            self.progress.insert(id.clone(), progress);
        }
        let Some(progress) = self.progress.get_mut(&id) else { return Ok(()) };
        if progress.due_at > now || (is_running && !is_other) {
            return Ok(());
        }
        if !is_running && !answered(Lock::Session.try_hold_part(db, id.as_str())).await? {
            progress.due_at = now + if is_subscribed { SKIPPED_PAUSE.1 } else { SKIPPED_PAUSE.0 };
            return Ok(());
        }
        progress.began_at = Some(now);
        let (subscriber, is_new) = (self.subscriber.clone(), progress.is_new && !is_subscribed);
        let session = Session { channel, id: session_id, is_new, is_subscribed, problem: row.problem };
        // It ends the run for an earlier session.
        self.runs.spawn(id, async move { subscriber.run(&session).await });
        Ok(())
    }

    /// Has everything compared now: a subscription was revoked, other ones are needed, or a person asks.
    fn hurry(&mut self) {
        let now = self.subscriber.clock.instant();
        self.written = None;
        for progress in self.progress.values_mut() {
            let earliest = progress.began_at.map_or(now, |at| at + MIN_INTERVAL).max(now);
            progress.due_at = progress.due_at.min(earliest);
        }
    }

    fn finish(&mut self, channel: &ChannelId, outcome: Result<Result<Duration, CycleError>, JoinError>) {
        let now = self.subscriber.clock.instant();
        let Some(progress) = self.progress.get_mut(channel) else { return };
        match outcome {
            Ok(Ok(pause)) => {
                (progress.is_new, progress.failures) = (false, 0);
                progress.due_at = now + pause;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, channel.id = %channel, "could not subscribe on a WebSocket session");
                progress.failures += 1;
                let is_passing = error.is_transient() || error.refusal() == Some(RefusalKind::SessionEnded);
                progress.due_at = now + if is_passing { RETRIES.pause(progress.failures) } else { REFUSED_PAUSE };
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Aborted: at the next round another begins if there is a session.
            Err(_) => progress.due_at = now,
        }
    }
}

/// The session of a channel, or why nothing can be subscribed to.
fn available(
    channel: &ServedChannel,
    consent: Option<&Option<String>>,
    session: Option<SessionRow>,
) -> Result<(String, SessionRow), Unavailable> {
    let unavailable = |status, problem| Unavailable { channel_id: channel.id.clone(), status, problem };
    match consent {
        None => Err(unavailable(
            DesiredStatus::NeedsConsent,
            Some(format!(
                "{} has not consented, which Twitch requires of every channel over a WebSocket (over a webhook, for a few types)",
                channel.login
            )),
        )),
        Some(Some(reason)) => Err(unavailable(DesiredStatus::NeedsConsent, Some(reason.clone()))),
        Some(None) => {
            let session = session.filter(|row| row.is_leased).and_then(|row| Some((row.session_id.clone()?, row)));
            session.ok_or_else(|| unavailable(DesiredStatus::NoSession, None))
        }
    }
}
