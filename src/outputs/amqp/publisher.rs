//! The window of messages on their way to the broker.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation};
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::broker::{Broker, BrokerError};
use super::message::AmqpMessage;
use super::{AmqpSink, WINDOW};
use crate::outputs::sink::filter::SinkFilter;
use crate::outputs::sink::lease::{LEASE, LeaseError, RENEWAL, SinkLease};
use crate::store::LogId;
use crate::store::read::events::LoggedEvent;
use crate::store::signals::Wakeup;
use crate::store::sinks::SinkStatus;

/// Events per query.
const PAGE: usize = 512;

/// The cursor is saved this often, or after [`SAVE_AFTER`] events.
const SAVE_INTERVAL: Duration = Duration::from_millis(250);

/// Events after which the cursor is saved.
const SAVE_AFTER: u32 = 1_000;

/// A broker that confirms nothing for so long, and has not said that it is blocked, is given up.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// For how long confirmations are awaited when the sink is stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Why publishing ended.
#[derive(Debug)]
pub(super) enum End {
    /// The sink was stopped.
    Stopped,
    /// The lease is lost, or the log can't be read.
    Lease(LeaseError),
    /// The broker failed.
    Broker(BrokerError),
    /// An event can't be published.
    Event(String),
}

/// What became of an event.
enum Outcome {
    /// The sink does not select it.
    Skipped,
    /// The broker has it.
    Confirmed,
    /// The broker dropped it, since no queue was bound.
    Returned,
    /// The broker refused it.
    Refused,
    /// The connection or the channel failed.
    Failed(lapin::Error),
}

/// The place of an event in the log, and what became of it.
type Settled = (LogId, OffsetDateTime, Outcome);

/// Publishes on one connection.
pub(super) struct Publisher<'a> {
    sink: &'a AmqpSink,
    broker: &'a Broker,
    filter: SinkFilter,
    /// Events that were read and not published.
    events: VecDeque<LoggedEvent>,
    /// The last event that was read.
    read_to: LogId,
    /// Whether there was no more to read.
    is_at_end: bool,
    /// Why the event after the window can't be published. Those after it wait, or they would overtake it.
    unpublishable: Option<String>,
    /// Since when nothing more is published.
    stopped_at: Option<Instant>,
    /// Events on their way, whose outcomes come in their order.
    window: FuturesOrdered<BoxFuture<'static, Settled>>,
    /// The last event before which all are settled, unless that is saved.
    settled: Option<(LogId, OffsetDateTime)>,
    unsaved: u32,
    confirmed: u64,
    returned: u64,
    /// Of these, those that are not recorded.
    unrecorded: i64,
    progress_at: Instant,
    saved_at: Instant,
    recorded: Option<(SinkStatus, Option<String>)>,
}

impl<'a> Publisher<'a> {
    pub(super) fn new(sink: &'a AmqpSink, broker: &'a Broker, filter: SinkFilter, cursor: LogId) -> Self {
        Self {
            sink,
            broker,
            filter,
            events: VecDeque::new(),
            read_to: cursor,
            is_at_end: false,
            unpublishable: None,
            stopped_at: None,
            window: FuturesOrdered::new(),
            settled: None,
            unsaved: 0,
            confirmed: 0,
            returned: 0,
            unrecorded: 0,
            progress_at: Instant::now(),
            saved_at: Instant::now(),
            recorded: None,
        }
    }

    /// Whether the broker took anything.
    pub(super) fn has_confirmed(&self) -> bool {
        self.confirmed > 0
    }

    /// Publishes until something fails, or it is stopped.
    pub(super) async fn run(&mut self, lease: &SinkLease<'_>, stopping: &CancellationToken) -> End {
        let mut appended = self.sink.signals.events();
        let mut tick = interval(SAVE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Err(end) = self.step(lease, stopping, &mut appended, &mut tick).await {
                return end;
            }
        }
    }

    async fn step(
        &mut self,
        lease: &SinkLease<'_>,
        stopping: &CancellationToken,
        appended: &mut Wakeup,
        tick: &mut tokio::time::Interval,
    ) -> Result<(), End> {
        if self.stopped_at.is_none() {
            self.fill(lease).await?;
        } else if self.window.is_empty() {
            return Err(End::Stopped);
        }
        if let Some(problem) = self.unpublishable.take_if(|_| self.window.is_empty()) {
            return Err(End::Event(problem));
        }
        tokio::select! {
            Some(settled) = self.window.next(), if !self.window.is_empty() => {
                self.settle(settled)?;
                if self.unsaved >= SAVE_AFTER {
                    self.save(lease).await.or_else(database_is_away)?;
                }
            }
            () = stopping.cancelled(), if self.stopped_at.is_none() => self.stopped_at = Some(Instant::now()),
            () = appended.notified(), if self.is_at_end => self.is_at_end = false,
            _ = tick.tick() => self.tick(lease).await?,
        }
        Ok(())
    }

    /// Reads, and publishes until the window is full, or too much is not saved.
    async fn fill(&mut self, lease: &SinkLease<'_>) -> Result<(), End> {
        // This process was stopped, or the database is away: another server may publish now.
        if self.saved_at.elapsed() >= LEASE {
            match self.save(lease).await {
                Ok(()) => {}
                Err(LeaseError::Database(_)) => return Ok(()),
                Err(error) => return Err(End::Lease(error)),
            }
        }
        while self.window.len() < WINDOW && self.unsaved < SAVE_AFTER && self.unpublishable.is_none() {
            if self.events.is_empty() && !self.is_at_end {
                self.read(lease).await?;
            }
            let Some(event) = self.events.pop_front() else { break };
            if self.window.is_empty() {
                self.progress_at = Instant::now();
            }
            match self.publish(&event) {
                Ok(settled) => self.window.push_back(settled),
                Err(problem) => self.unpublishable = Some(problem),
            }
        }
        Ok(())
    }

    async fn read(&mut self, lease: &SinkLease<'_>) -> Result<(), End> {
        match lease.read(self.read_to, i64::try_from(PAGE).unwrap_or(i64::MAX)).await {
            Ok(events) => {
                self.is_at_end = events.len() < PAGE;
                self.read_to = events.last().map_or(self.read_to, |event| event.id);
                self.events = events.into();
                Ok(())
            }
            // The next look at the log tries again.
            Err(LeaseError::Database(_)) => {
                self.is_at_end = true;
                Ok(())
            }
            Err(error) => Err(End::Lease(error)),
        }
    }

    /// Gives a message to the connection when it is first polled, in the order of the window, and awaits its confirmation.
    fn publish(&self, event: &LoggedEvent) -> Result<BoxFuture<'static, Settled>, String> {
        let (id, received_at) = (event.id, event.received_at);
        if !self.filter.includes(event) {
            return Ok(Box::pin(std::future::ready((id, received_at, Outcome::Skipped))));
        }
        let message = AmqpMessage::new(&self.sink.templates, event).map_err(|error| {
            let kind = event.kind.as_deref().unwrap_or("without a type");
            format!(
                "event {id} ({kind}) can't be published: {error}: correct the template, or leave out the type with `types`"
            )
        })?;
        let (channel, exchange) = (self.broker.channel.clone(), self.sink.settings.exchange.clone());
        let is_mandatory = self.sink.settings.mandatory;
        Ok(Box::pin(async move { (id, received_at, deliver(&channel, &exchange, is_mandatory, message).await) }))
    }

    fn settle(&mut self, (id, received_at, outcome): Settled) -> Result<(), End> {
        let metrics = &self.sink.metrics;
        match outcome {
            Outcome::Skipped => {}
            Outcome::Confirmed => {
                self.confirmed += 1;
                metrics.delivered.inc();
            }
            Outcome::Returned => {
                self.confirmed += 1;
                self.returned += 1;
                self.unrecorded += 1;
                metrics.unroutable.inc();
            }
            Outcome::Refused => {
                metrics.failed.inc();
                let problem = "the broker could not store a message (basic.nack): its log says why";
                return Err(End::Broker(BrokerError(problem.to_owned())));
            }
            Outcome::Failed(error) => {
                metrics.failed.inc();
                return Err(End::Broker(self.sink.explain(&error)));
            }
        }
        self.progress_at = Instant::now();
        self.settled = Some((id, received_at));
        self.unsaved += 1;
        Ok(())
    }

    /// Saves, shows how the sink does, and looks at the log even if no notification came.
    async fn tick(&mut self, lease: &SinkLease<'_>) -> Result<(), End> {
        if self.stopped_at.is_some_and(|at| at.elapsed() >= STOP_TIMEOUT) {
            return Err(End::Stopped);
        }
        if self.settled.is_some() || self.saved_at.elapsed() >= RENEWAL {
            self.save(lease).await.or_else(database_is_away)?;
            self.is_at_end = false;
        }
        let status = self.broker.connection.status();
        if !status.connected() && self.window.is_empty() {
            let problem = "the connection to the broker was lost; connecting again";
            return Err(End::Broker(BrokerError(problem.to_owned())));
        }
        if status.blocked() {
            self.progress_at = Instant::now();
            let problem = "the broker takes no messages for now: free memory or disk space there (`rabbitmqctl status` shows its alarms)";
            self.record(lease, SinkStatus::Blocked, Some(problem.to_owned())).await;
        } else if self.window.is_empty() || self.confirmed > 0 {
            let problem = (self.returned > 0 && self.returned == self.confirmed).then(|| {
                let (count, exchange) = (self.returned, &self.sink.settings.exchange);
                let dropped = if count == 1 { "message was" } else { "messages were" };
                format!("no queue is bound: {count} {dropped} dropped; bind a queue to the exchange `{exchange}`, or set `queue`")
            });
            self.record(lease, SinkStatus::Ok, problem).await;
        }
        if !self.window.is_empty() && self.progress_at.elapsed() >= CONFIRM_TIMEOUT {
            let problem = format!("the broker has confirmed nothing for {} s", CONFIRM_TIMEOUT.as_secs());
            return Err(End::Broker(BrokerError(problem)));
        }
        Ok(())
    }

    /// Saves the last event before which all are settled, and renews the lease.
    pub(super) async fn save(&mut self, lease: &SinkLease<'_>) -> Result<(), LeaseError> {
        lease.save(self.settled).await?;
        (self.settled, self.unsaved, self.saved_at) = (None, 0, Instant::now());
        Ok(())
    }

    async fn record(&mut self, lease: &SinkLease<'_>, status: SinkStatus, problem: Option<String>) {
        let now = Some((status, problem));
        if self.recorded != now || self.unrecorded > 0 {
            let problem = now.as_ref().and_then(|(_, problem)| problem.as_deref());
            lease.record(status, problem, std::mem::take(&mut self.unrecorded)).await;
            self.recorded = now;
        }
    }
}

/// A database that is away does not end publishing: the cursor is saved later.
fn database_is_away(error: LeaseError) -> Result<(), End> {
    match error {
        LeaseError::Database(_) => Ok(()),
        error => Err(End::Lease(error)),
    }
}

/// Publishes a message, and awaits what becomes of it.
async fn deliver(channel: &Channel, exchange: &str, is_mandatory: bool, message: AmqpMessage) -> Outcome {
    let options = BasicPublishOptions { mandatory: is_mandatory, ..Default::default() };
    let AmqpMessage { key, body, properties } = message;
    let published = channel.basic_publish(exchange.into(), key, options, &body, properties).await;
    let confirmation = match published {
        Ok(confirmation) => confirmation.await,
        Err(error) => Err(error),
    };
    match confirmation {
        Ok(Confirmation::Ack(None)) => Outcome::Confirmed,
        Ok(Confirmation::Ack(Some(_))) => Outcome::Returned,
        Ok(Confirmation::Nack(_) | Confirmation::NotRequested) => Outcome::Refused,
        Err(error) => Outcome::Failed(error),
    }
}
