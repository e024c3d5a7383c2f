//! Load generator, and the comparison of its messages with the database: behind `simulate load` and `simulate crash`.
//!
//! In the order of the work: [`traffic`] computes the [`event`] of message number `n` from the [`mod@run`] and the [`mix`],
//! [`request`] writes it into a copy of its [`template`], `pace` says when it is due, [`connection`] sends it, [`journal`]
//! records that it was acknowledged, `tally` counts, and [`report`] sums up. [`ledger`] then compares the acknowledged
//! messages with the log, and the log with the state that the [`oracle`] computes. `attack` sends forged messages and slow requests
//! meanwhile. [`crash`] kills the server that it loads.

mod attack;
pub mod connection;
pub mod crash;
pub mod event;
pub mod journal;
pub mod ledger;
pub mod mix;
pub mod oracle;
mod pace;
pub mod report;
pub mod request;
pub mod run;
mod tally;
pub mod template;
pub mod traffic;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::connection::Connection;
use self::journal::Journal;
use self::pace::{Pace, Schedule};
use self::report::{Late, Latency, Report};
use self::request::{Requests, Sending};
use self::tally::{Tally, is_acknowledgement};
use self::template::RequestError;
use self::traffic::Traffic;
use crate::clock::Clock;
use crate::twitch::signature::WebhookSecret;

/// Parameters of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The messages.
    pub traffic: Traffic,
    /// The callback that the messages name.
    pub callback: Url,
    /// The callback's address.
    pub target: SocketAddr,
    /// Addresses of more servers on the same database, which get as many of the connections each.
    pub replicas: Vec<SocketAddr>,
    /// The secret that the messages are signed with.
    pub secret: WebhookSecret,
    /// Number of connections.
    pub connections: usize,
    /// Messages per second, whatever the answers; `None`: as fast as they are answered.
    pub rate: Option<NonZeroU32>,
    /// Duration of the load before the measurement.
    pub warm_up: Duration,
    /// Duration of the measurement.
    pub duration: Duration,
    /// Number of additional connections that send forged messages.
    pub flood: usize,
    /// Number of additional connections that send a byte per second.
    pub slow: usize,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The requests can't be made.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Acknowledged messages can't be recorded, so nothing can be verified.
    #[error("acknowledged messages can't be recorded: {0}")]
    Journal(io::Error),
    /// A task of the generator failed.
    #[error("the generator failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Progress of a run, for display.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages sent so far, including the warm-up, whose answer has come or failed.
    pub answered: AtomicU64,
    /// Messages acknowledged so far.
    pub acknowledged: AtomicU64,
}

/// State shared by all connections.
struct Shared {
    requests: Requests,
    clock: Clock,
    pace: Pace,
    /// Messages that were due earlier belong to the warm-up.
    counted_from: Instant,
    next: AtomicU64,
    journal: Option<Arc<Journal>>,
    progress: Arc<Progress>,
    stop: CancellationToken,
}

/// Runs until the end of the plan, or until `stop`. Acknowledged messages are recorded in the journal, if there is one, before
/// they are counted.
///
/// # Errors
/// If the generator itself fails. Failures of the server are in the report.
pub async fn run(
    plan: &Plan,
    clock: Clock,
    journal: Option<Arc<Journal>>,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> Result<Report, LoadError> {
    let requests = Requests::new(plan.traffic, &plan.callback, &plan.secret)?;
    let background = stop.child_token();
    let _stop_on_drop = background.clone().drop_guard();
    let flood = attack::start_flood(plan, &clock, &background)?;
    let slow = attack::start_slow(plan, &requests, &clock, &background);
    let begin = Instant::now();
    let (counted_from, end) = (begin + plan.warm_up, begin + plan.warm_up + plan.duration);
    let (pace, pacer) = match plan.rate {
        None => (Pace::Closed(end), None),
        Some(rate) => {
            let schedule = Arc::new(Schedule::new(begin, rate));
            (Pace::Open(schedule.clone()), Some(schedule.run(end, background.clone())))
        }
    };
    let next = AtomicU64::new(0);
    let shared = Arc::new(Shared { requests, clock, pace, counted_from, next, journal, progress, stop });
    let mut workers = JoinSet::new();
    for target in std::iter::once(&plan.target).chain(&plan.replicas).cycle().take(plan.connections) {
        workers.spawn(work(shared.clone(), Connection::new(*target)));
    }
    let (mut warm_up, mut counted) = (Tally::default(), Tally::default());
    while let Some(worked) = workers.join_next().await {
        let (before, after) = worked??;
        warm_up.add(&before);
        counted.add(&after);
    }
    let seconds = counted_from.elapsed().as_secs_f64();
    background.cancel();
    let adherence = match pacer {
        Some(pacer) => Some(pacer.await?),
        None => None,
    };
    if let Some(not_sent) = adherence.as_ref().map(|adherence| adherence.not_sent).filter(|count| *count > 0) {
        counted.sent += not_sent;
        counted.errors.insert("not_sent", not_sent);
    }
    Ok(Report {
        mode: if plan.rate.is_some() { "open" } else { "closed" },
        mix: plan.traffic.mix,
        connections: plan.connections,
        rate: plan.rate.map(NonZeroU32::get),
        seconds,
        sent: counted.sent,
        acknowledged: counted.acknowledged,
        acknowledged_per_second: if seconds > 0.0 { counted.acknowledged as f64 / seconds } else { 0.0 },
        latency_us: Latency::from(&counted.latency),
        statuses: counted.statuses,
        errors: counted.errors,
        pacer_late_us: adherence.map(|it| Late { p99: it.late.value_at_quantile(0.99), max: it.late.max() }),
        flood: flood.join().await?,
        slow: slow.join().await?,
        ledger: None,
        warm_up_unacknowledged: warm_up.sent - warm_up.acknowledged,
    })
}

/// Sends messages over one connection until the end. Returns the counts of the warm-up and of the measurement.
async fn work(shared: Arc<Shared>, mut connection: Connection) -> Result<(Tally, Tally), LoadError> {
    let (mut warm_up, mut counted) = (Tally::default(), Tally::default());
    let mut request = Vec::new();
    loop {
        // Written and signed before it is due, so that the latency doesn't include this.
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        shared.requests.write(number, Sending { at: shared.clock.now(), retry: 0 }, &mut request);
        let Some(due) = shared.pace.next_due(&shared.stop).await else { return Ok((warm_up, counted)) };
        let answer = connection.exchange(&request).await;
        let latency = due.elapsed();
        if answer.is_ok_and(is_acknowledgement) {
            if let Some(journal) = &shared.journal {
                journal.record(number).map_err(LoadError::Journal)?;
            }
            shared.progress.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        shared.progress.answered.fetch_add(1, Ordering::Relaxed);
        let tally = if due < shared.counted_from { &mut warm_up } else { &mut counted };
        tally.count(answer, latency);
        if answer == Err(connection::Failure::Refused) {
            // No server: a pause, so as not to retry a hundred thousand times per second.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
