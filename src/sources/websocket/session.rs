//! The session of one user: runs what the state machine decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Connection, Context};
use super::gap::Gaps;
use super::machine::{Cause, Effect, Input, Machine, SocketId, Status};
use crate::metrics::Counted;
use crate::twitch::id::ChannelId;

/// Inputs that may wait for the state machine.
const QUEUE_LENGTH: usize = 64;

/// Time limit for the connections to close when the session is to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

/// Pause before a gap that could not be recorded is recorded again.
const GAP_RETRY: Duration = Duration::from_secs(1);

/// What a session tells the supervisor.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) status: Status,
    /// Twitch's id of the session, and since when it has had this connection.
    pub(super) session: Option<(Arc<str>, OffsetDateTime)>,
    /// How many connections were opened.
    pub(super) connections: u64,
    /// When the session last ended or could not begin, and why.
    pub(super) lost: Option<(OffsetDateTime, String)>,
    /// How often that was.
    pub(super) losses: u64,
    /// When the last frame came.
    pub(super) heard_at: Option<std::time::Instant>,
    /// Where a gap begins that goes on, and one that ended but is not recorded yet.
    open_gap: Option<OffsetDateTime>,
    unrecorded_gap: Option<OffsetDateTime>,
}

/// A session that runs.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) channel: ChannelId,
    inputs: mpsc::Sender<Input>,
    report: Arc<Mutex<Report>>,
    context: Arc<Context>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Handle {
    /// Starts a session with the user of this channel, which ends with `stop`. Messages may be missing since `secured_until`.
    pub(super) fn start(
        context: &Arc<Context>,
        gaps: &Gaps,
        channel: ChannelId,
        secured_until: Option<OffsetDateTime>,
        changed: Arc<Notify>,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (inputs, received) = mpsc::channel(QUEUE_LENGTH);
        let report = Arc::new(Mutex::new(Report { open_gap: secured_until, ..Report::default() }));
        let session = Session {
            machine: Machine::new(context.clock.instant(), secured_until.map(|_| Cause::Restart)),
            context: context.clone(),
            gaps: gaps.clone(),
            channel: channel.clone(),
            inputs: inputs.clone(),
            report: report.clone(),
            changed,
            sockets: HashMap::new(),
            tasks: TaskTracker::new(),
            cause: None,
            turn: None,
            stop: stop.clone(),
            tracked: context.metrics.websocket_session(Status::Down.into()),
        };
        let task = tasks.spawn(session.run(received));
        Self { channel, inputs, report, context: context.clone(), stop, task }
    }

    /// Whether the task has ended without being told to stop.
    pub(super) fn has_panicked(&self) -> bool {
        self.task.is_finished() && !self.stop.is_cancelled()
    }

    /// Closes the connections. The task ends when that is done.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Passes on what the reconciler wrote. It does so again and again, so one that does not fit now is no loss.
    pub(super) fn tell(&self, input: Input) {
        let _ = self.inputs.try_send(input);
    }

    pub(super) fn report(&self) -> MutexGuard<'_, Report> {
        lock(&self.report)
    }

    /// Up to when all messages are kept, and no gap is to be recorded.
    pub(super) fn secured_until(&self) -> Option<OffsetDateTime> {
        let kept = self.context.intake.secured_until(&self.channel);
        let report = self.report();
        [report.open_gap, report.unrecorded_gap, kept].into_iter().flatten().min()
    }
}

/// The task.
struct Session {
    machine: Machine,
    context: Arc<Context>,
    gaps: Gaps,
    channel: ChannelId,
    /// For the connections.
    inputs: mpsc::Sender<Input>,
    report: Arc<Mutex<Report>>,
    /// Wakes the supervisor.
    changed: Arc<Notify>,
    sockets: HashMap<SocketId, CancellationToken>,
    tasks: TaskTracker,
    /// Why the next connection is opened.
    cause: Option<Cause>,
    /// Held while it connects: one of [`MAX_CONNECTING`](super::connection::MAX_CONNECTING).
    turn: Option<OwnedSemaphorePermit>,
    stop: CancellationToken,
    tracked: Counted,
}

impl Session {
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        loop {
            let input = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(input) = inputs.recv() => input,
                turn = self.due() => {
                    self.turn = turn;
                    Input::Tick
                }
            };
            self.step(&input);
            if !matches!(input, Input::Tick) && self.machine.status() != Status::Down {
                self.step(&Input::Tick);
            }
        }
        // Connections that wait to tell something must not wait for ever.
        inputs.close();
        self.sockets.values().for_each(CancellationToken::cancel);
        self.tasks.close();
        let _ = timeout(CLOSE_TIMEOUT, self.tasks.wait()).await;
    }

    /// Waits until the machine's timer is due, and then, before a first connection, for its turn.
    async fn due(&self) -> Option<OwnedSemaphorePermit> {
        self.context.clock.sleep_until(self.machine.wake_at()).await;
        match self.machine.status() {
            Status::Down => self.context.turns.clone().acquire_owned().await.ok(),
            _ => None,
        }
    }

    fn step(&mut self, input: &Input) {
        let now = self.context.clock.instant();
        let effects = self.machine.step(input, now, rand::random());
        match input {
            Input::Heard { .. } => lock(&self.report).heard_at = Some(now),
            Input::Ended { socket, .. } => drop(self.sockets.remove(socket)),
            Input::Reconnect { .. } => self.cause = Some(Cause::Requested),
            // A gap that begins before the first keepalive begins here.
            Input::Subscribed { .. } if self.context.intake.secured_until(&self.channel).is_none() => {
                self.context.intake.keepalive(&self.channel, self.context.clock.now());
            }
            _ => {}
        }
        effects.into_iter().for_each(|effect| self.perform(effect));
        let status = self.machine.status();
        if status != Status::Connecting {
            self.turn = None;
        }
        if std::mem::replace(&mut lock(&self.report).status, status) != status {
            self.tracked = self.context.metrics.websocket_session(status.into());
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connect { socket, url } => self.connect(socket, url),
            Effect::Close(socket) => {
                if let Some(closing) = self.sockets.remove(&socket) {
                    closing.cancel();
                }
            }
            Effect::Subscribe(session) | Effect::Moved(session) => {
                if let Some(cause) = self.cause.take() {
                    self.context.metrics.websocket_reconnect(cause.label());
                }
                tracing::info!(
                    channel.id = self.channel.as_str(),
                    session = &*session,
                    "connected to Twitch's WebSocket"
                );
                let now = self.context.clock.now();
                let mut report = lock(&self.report);
                report.session = Some((session, now));
                report.heard_at = Some(self.context.clock.instant());
                report.connections += 1;
                drop(report);
                self.changed.notify_one();
            }
            Effect::Lost { cause, reason } => self.lost(cause, &reason),
            Effect::FillGap { cause, is_over } => self.fill_gap(cause, is_over),
        }
    }

    fn connect(&mut self, socket: SocketId, url: Option<Arc<str>>) {
        // Of the session's, because nothing else closes the connections of one that panicked.
        let closing = self.stop.child_token();
        let connection = Connection {
            context: self.context.clone(),
            channel: self.channel.clone(),
            socket,
            inputs: self.inputs.clone(),
            closing: closing.clone(),
        };
        self.sockets.insert(socket, closing);
        self.tasks.spawn(connection.run(url));
    }

    fn lost(&mut self, cause: Cause, reason: &str) {
        self.cause = Some(cause);
        let id = self.channel.as_str();
        match cause {
            Cause::Code(4001) => {
                tracing::error!(
                    channel.id = id,
                    reason,
                    "Twitch closed a WebSocket because something was sent; please report this"
                );
            }
            _ => tracing::warn!(channel.id = id, reason, "there is no WebSocket to Twitch; connecting again"),
        }
        let now = self.context.clock.now();
        let secured_until = self.context.intake.secured_until(&self.channel);
        let mut report = lock(&self.report);
        if report.session.take().is_some() {
            report.open_gap = report.open_gap.or(secured_until);
        }
        report.lost = Some((now, reason.to_owned()));
        report.losses += 1;
        drop(report);
        self.changed.notify_one();
    }

    /// Has the gap recorded, as soon as the database can be written to.
    fn fill_gap(&self, cause: Cause, is_over: bool) {
        let since = {
            let mut report = lock(&self.report);
            let Some(since) = report.open_gap.take() else { return };
            report.open_gap = (!is_over).then(|| self.context.clock.now());
            let since = report.unrecorded_gap.map_or(since, |earlier| earlier.min(since));
            *report.unrecorded_gap.insert(since)
        };
        let (gaps, context, report, channel) =
            (self.gaps.clone(), self.context.clone(), self.report.clone(), self.channel.clone());
        let record = async move {
            while let Err(error) = gaps.fill(&channel, since, cause.label()).await {
                tracing::debug!(%error, "a gap could not be recorded; trying again");
                context.clock.sleep(GAP_RETRY).await;
            }
            context.intake.keepalive(&channel, context.clock.now());
            let mut report = lock(&report);
            report.unrecorded_gap = report.unrecorded_gap.filter(|it| *it < since);
        };
        // What is not recorded when the server stops is recorded at its next start.
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(record).await });
    }
}

/// No critical section can panic halfway.
fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}
