//! Sends the events of one webhook, one at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::endpoint::{Failure, Outcome, WebhookMessage};
use super::schedule::{BACKOFF, GIVE_UP_AFTER, MAX_FAILURES, pause};
use super::{WebhookSink, message};
use crate::outputs::sink::lease::{LEASE, LeaseError, RENEWAL, SinkLease};
use crate::store::deliveries::{self, DeliverySummary, DueDelivery, FailedAttempt};
use crate::store::read::events::{self, LoggedEvent};
use crate::store::signals::Wakeup;
use crate::store::sinks::{self, SinkStatus};
use crate::store::{LogId, within};

/// Events per query. Few: what is read here is not emptied when a person is forgotten.
const PAGE: usize = 32;

/// Time limit of a query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause while the database is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Why sending ends.
enum End {
    /// The lease is lost, or the database is away.
    Lease(LeaseError),
    /// The sink was switched off.
    Off,
}

impl From<LeaseError> for End {
    fn from(error: LeaseError) -> Self {
        Self::Lease(error)
    }
}

impl From<sqlx::Error> for End {
    fn from(error: sqlx::Error) -> Self {
        Self::Lease(error.into())
    }
}

/// What is tried next.
enum Next {
    /// The event behind the cursor.
    Event,
    /// One that was set aside.
    Delivery(DueDelivery),
    /// Nothing, until an event is appended, or one that was set aside is due.
    Nothing,
}

/// Sends with one lease.
pub(super) struct Runner<'a> {
    sink: &'a WebhookSink,
    lease: &'a SinkLease<'a>,
    stopping: &'a CancellationToken,
    appended: Wakeup,
    /// Events that were read and not sent.
    events: VecDeque<LoggedEvent>,
    /// The last event that was read; `None` to go on behind the saved cursor.
    read_to: Option<LogId>,
    /// Whether there was no more to read.
    is_at_end: bool,
    /// The last event that is not selected, unless that is saved.
    skipped: Option<(LogId, OffsetDateTime)>,
    saved_at: Instant,
    /// Events that failed in a row, and attempts since then.
    failures: u32,
    /// Answers in a row that asked to slow down.
    refusals: u32,
    summary: DeliverySummary,
    summed_at: Option<Instant>,
    recorded: Option<(SinkStatus, Option<String>)>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(sink: &'a WebhookSink, lease: &'a SinkLease<'a>, stopping: &'a CancellationToken) -> Self {
        Self {
            sink,
            lease,
            stopping,
            appended: sink.signals.events(),
            events: VecDeque::new(),
            read_to: None,
            is_at_end: false,
            skipped: None,
            saved_at: Instant::now(),
            failures: 0,
            refusals: 0,
            summary: DeliverySummary::default(),
            summed_at: None,
            recorded: None,
        }
    }

    /// Sends until the lease is lost, and says why; `None` if the sink was stopped or switched off.
    pub(super) async fn run(mut self) -> Option<LeaseError> {
        while !self.stopping.is_cancelled() {
            match self.step().await {
                Ok(()) => {}
                Err(End::Off) => return None,
                Err(End::Lease(error @ LeaseError::Superseded)) => return Some(error),
                Err(End::Lease(error)) => {
                    self.start_over();
                    self.record(SinkStatus::Waiting, Some(error.to_string())).await;
                    if let Err(error) = self.lease.keep(sleep(PAUSE)).await {
                        return Some(error);
                    }
                }
            }
        }
        None
    }

    /// Tries one event, or waits.
    async fn step(&mut self) -> Result<(), End> {
        // This process was stopped, or the database was away: another server may send now.
        if self.saved_at.elapsed() >= LEASE {
            self.save(None).await?;
        }
        match self.next().await? {
            Next::Event => self.try_event().await,
            Next::Delivery(delivery) => self.try_delivery(delivery).await,
            Next::Nothing => self.idle().await,
        }
    }

    /// Whether the receiver is what is wrong.
    fn is_waiting(&self) -> bool {
        self.failures >= if self.sink.is_ordered { 1 } else { MAX_FAILURES }
    }

    async fn next(&mut self) -> Result<Next, End> {
        self.sum_up().await?;
        let is_waiting = self.is_waiting();
        // While the receiver takes nothing, events that were set aside take turns with the next one: that may be one
        // which it never takes.
        let has_turn = if is_waiting { self.failures.is_multiple_of(2) } else { self.is_due() };
        if has_turn && let Some(delivery) = self.delivery(!is_waiting).await? {
            return Ok(Next::Delivery(delivery));
        }
        self.read().await?;
        Ok(if self.events.is_empty() { Next::Nothing } else { Next::Event })
    }

    fn is_due(&self) -> bool {
        let since = self.summed_at.map_or(0.0, |at| at.elapsed().as_secs_f64());
        self.summary.due_in.is_some_and(|seconds| seconds <= since)
    }

    async fn delivery(&mut self, is_due: bool) -> Result<Option<DueDelivery>, End> {
        let id = self.sink.definition.id;
        let found = within(QUERY_TIMEOUT, deliveries::next(&self.sink.pool, id, is_due)).await?;
        if found.is_none() {
            self.summed_at = None;
        }
        Ok(found)
    }

    /// Looks at what was set aside, once in a while: it may be sent again on request.
    async fn sum_up(&mut self) -> Result<(), End> {
        if self.summed_at.is_none_or(|at| at.elapsed() >= RENEWAL) {
            self.summary = within(QUERY_TIMEOUT, deliveries::summary(&self.sink.pool, self.sink.definition.id)).await?;
            self.summed_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Reads until there is an event to send, or no more to read.
    async fn read(&mut self) -> Result<(), End> {
        while self.events.is_empty() && !self.is_at_end {
            let after = match self.read_to {
                Some(id) => id,
                None => self.lease.cursor().await?,
            };
            let events = self.lease.read(after, i64::try_from(PAGE).unwrap_or(i64::MAX)).await?;
            self.is_at_end = events.len() < PAGE;
            if let Some(last) = events.last() {
                self.read_to = Some(last.id);
                self.skipped = (!self.sink.filter.includes(last)).then_some((last.id, last.received_at));
            }
            self.events = events.into_iter().filter(|event| self.sink.filter.includes(event)).collect();
            // A long way without an event to send.
            if self.events.is_empty() {
                let skipped = self.skipped.take();
                self.save(skipped).await?;
            }
        }
        Ok(())
    }

    /// Forgets what was read, and goes on behind the saved cursor.
    fn start_over(&mut self) {
        (self.events, self.read_to, self.is_at_end, self.skipped) = (VecDeque::new(), None, false, None);
    }

    /// Waits until something is to be done.
    async fn idle(&mut self) -> Result<(), End> {
        let skipped = self.skipped.take();
        self.save(skipped).await?;
        self.record_well().await;
        let due = self.summary.due_in.map_or(RENEWAL, |seconds| Duration::from_secs_f64(seconds.clamp(0.01, 1.0)));
        let _ = timeout(due, self.stopping.run_until_cancelled(self.appended.notified())).await;
        self.is_at_end = false;
        Ok(())
    }

    async fn try_event(&mut self) -> Result<(), End> {
        let Some(event) = self.events.front() else { return Ok(()) };
        let place = (event.id, event.received_at);
        let message = match message(&self.sink.templates, event) {
            Ok(message) => message,
            Err(problem) => return self.pass_without_message(place, problem).await,
        };
        match self.send(&message).await? {
            Outcome::Delivered => {
                self.events.pop_front();
                self.delivered();
                let skipped = if self.events.is_empty() { self.skipped.take() } else { None };
                self.save(skipped.or(Some(place))).await?;
                self.record_well().await;
                Ok(())
            }
            Outcome::Failed(failure) => {
                (self.failures, self.refusals) = (self.failures + 1, 0);
                self.sink.metrics.failed.inc();
                if self.is_waiting() {
                    return self.wait(failure.problem).await;
                }
                self.events.pop_front();
                self.set_aside(place, &failure).await?;
                self.record_well().await;
                Ok(())
            }
            outcome => self.refused(outcome).await,
        }
    }

    async fn try_delivery(&mut self, delivery: DueDelivery) -> Result<(), End> {
        let (sink, id) = (self.sink, self.sink.definition.id);
        let event = within(QUERY_TIMEOUT, events::get(&sink.pool, delivery.event_id)).await?;
        // It was deleted, or is no longer selected.
        let Some(event) = event.filter(|event| sink.filter.includes(event)) else {
            return self.settle(id, delivery.event_id).await;
        };
        let message = match message(&sink.templates, &event) {
            Ok(message) => message,
            Err(problem) => return self.try_without_message(delivery, problem).await,
        };
        match self.send(&message).await? {
            Outcome::Delivered => {
                self.delivered();
                self.settle(id, delivery.event_id).await?;
                self.record_well().await;
                Ok(())
            }
            Outcome::Failed(failure) => {
                self.refusals = 0;
                sink.metrics.failed.inc();
                self.record_failure(delivery, &failure).await?;
                if self.is_waiting() {
                    self.failures += 1;
                    return self.wait(failure.problem).await;
                }
                self.record_well().await;
                Ok(())
            }
            outcome => self.refused(outcome).await,
        }
    }

    /// Sets an event aside of which the template makes no message, which says nothing about the receiver. If the order counts,
    /// those behind it wait until the template is corrected.
    async fn pass_without_message(&mut self, place: (LogId, OffsetDateTime), problem: String) -> Result<(), End> {
        self.sink.metrics.failed.inc();
        if self.sink.is_ordered {
            self.failures += 1;
            return self.wait(problem).await;
        }
        self.events.pop_front();
        self.set_aside(place, &Failure { status: None, problem }).await?;
        self.record_well().await;
        Ok(())
    }

    /// The same for one that was set aside. While the receiver takes nothing, the event behind the cursor has its turn.
    async fn try_without_message(&mut self, delivery: DueDelivery, problem: String) -> Result<(), End> {
        self.sink.metrics.failed.inc();
        self.record_failure(delivery, &Failure { status: None, problem }).await?;
        if !self.is_waiting() {
            self.record_well().await;
            return Ok(());
        }
        self.read().await?;
        if self.events.is_empty() { self.idle().await } else { self.try_event().await }
    }

    /// Sends a message once, while the lease is renewed.
    async fn send(&self, message: &WebhookMessage) -> Result<Outcome, LeaseError> {
        self.lease.keep(self.sink.endpoint.send(message)).await
    }

    fn delivered(&mut self) {
        (self.failures, self.refusals) = (0, 0);
        self.sink.metrics.delivered.inc();
    }

    /// The receiver wants no more events, or none for now.
    async fn refused(&mut self, outcome: Outcome) -> Result<(), End> {
        let Outcome::Busy { status, retry_after } = outcome else {
            let problem = "the receiver answered 410, that it wants no more events: remove the sink, or let it go on with \
                `resume` if that was wrong";
            return self.switch_off(problem.to_owned(), None).await;
        };
        self.refusals += 1;
        let pause = retry_after.unwrap_or_default().max(BACKOFF.pause(self.refusals));
        let problem =
            format!("the receiver asks to slow down ({status}): trying again in {:.0} s", pause.as_secs_f64());
        self.pause(SinkStatus::Blocked, problem, pause).await
    }

    /// Waits until the receiver is tried again.
    async fn wait(&mut self, problem: String) -> Result<(), End> {
        let extra = self.failures - if self.sink.is_ordered { 1 } else { MAX_FAILURES };
        self.pause(SinkStatus::Waiting, problem, BACKOFF.pause(extra + 1)).await
    }

    async fn pause(&mut self, status: SinkStatus, problem: String, pause: Duration) -> Result<(), End> {
        self.start_over();
        self.record(status, Some(problem.clone())).await;
        let problem =
            format!("no event has arrived for 5 days; the last problem: {problem}: repair it and `resume` the sink");
        self.switch_off(problem, Some(GIVE_UP_AFTER)).await?;
        self.lease.keep(self.stopping.run_until_cancelled(sleep(pause))).await?;
        Ok(())
    }

    /// Switches the sink off, if it failed for so long.
    async fn switch_off(&mut self, problem: String, failing_for: Option<Duration>) -> Result<(), End> {
        let switched = within(QUERY_TIMEOUT, async {
            let mut connection = self.sink.pool.acquire().await?;
            let (sink, epoch) = (&self.sink.definition, self.lease.epoch());
            sinks::switch_off(&mut connection, sink, epoch, &problem, failing_for).await
        });
        if !switched.await? {
            return Ok(());
        }
        tracing::warn!(sink = self.sink.definition.name, problem, "the sink was switched off");
        Err(End::Off)
    }

    /// Saves the cursor. While the database is away nothing more is sent, so that at most one event is sent twice.
    async fn save(&mut self, last: Option<(LogId, OffsetDateTime)>) -> Result<(), End> {
        self.lease.save(last).await?;
        self.saved_at = Instant::now();
        Ok(())
    }

    async fn set_aside(&mut self, event: (LogId, OffsetDateTime), failure: &Failure) -> Result<(), End> {
        let (sink, epoch) = (&self.sink.definition, self.lease.epoch());
        let attempt = attempt(1, pause(1), failure);
        let written = within(QUERY_TIMEOUT, async {
            let mut connection = self.sink.pool.acquire().await?;
            deliveries::set_aside(&mut connection, sink, epoch, event, attempt, LEASE).await
        });
        if !written.await? {
            return Err(LeaseError::Superseded.into());
        }
        (self.saved_at, self.summed_at) = (Instant::now(), None);
        Ok(())
    }

    /// Counts the attempt, unless the receiver takes nothing: that is not the event's fault.
    async fn record_failure(&mut self, delivery: DueDelivery, failure: &Failure) -> Result<(), End> {
        let attempts = delivery.attempts + i32::from(!self.is_waiting());
        let next_in = pause(attempts.max(1));
        let (sink, epoch) = (&self.sink.definition, self.lease.epoch());
        within(QUERY_TIMEOUT, async {
            let mut connection = self.sink.pool.acquire().await?;
            let attempt = attempt(attempts, next_in, failure);
            deliveries::record_failure(&mut connection, sink, epoch, delivery.event_id, attempt).await
        })
        .await?;
        self.summed_at = None;
        Ok(())
    }

    async fn settle(&mut self, sink: i64, event: LogId) -> Result<(), End> {
        within(QUERY_TIMEOUT, deliveries::settle(&self.sink.pool, sink, event)).await?;
        self.summed_at = None;
        Ok(())
    }

    /// Records that the receiver takes events, and those that it did not take.
    async fn record_well(&mut self) {
        if self.is_waiting() || self.refusals > 0 || self.sum_up().await.is_err() {
            return;
        }
        let DeliverySummary { pending, failed, .. } = self.summary;
        let name = &self.sink.definition.name;
        let mut problems = Vec::new();
        if pending > 0 {
            problems.push(format!("events that failed and are tried again: {pending}"));
        }
        if failed > 0 {
            problems.push(format!(
                "events out of attempts: {failed} (`sinks deliveries {name}` lists them, `sinks resend {name}` sends them again, \
                `sinks dismiss {name}` gives them up)"
            ));
        }
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        self.record(SinkStatus::Ok, problem).await;
    }

    /// Records how the sink does, if that has changed.
    async fn record(&mut self, status: SinkStatus, problem: Option<String>) {
        let now = Some((status, problem));
        if self.recorded == now {
            return;
        }
        let problem = now.as_ref().and_then(|(_, problem)| problem.as_deref());
        if status != SinkStatus::Ok && self.recorded.as_ref().is_none_or(|(status, _)| *status == SinkStatus::Ok) {
            tracing::warn!(sink = self.sink.definition.name, problem, "the sink failed; trying again");
        }
        self.lease.record(status, problem, 0).await;
        self.recorded = now;
    }
}

fn attempt(attempts: i32, next_in: Option<Duration>, failure: &Failure) -> FailedAttempt<'_> {
    FailedAttempt { attempts, next_in, status: failure.status, problem: &failure.problem }
}
