//! As much traffic as is wanted, as from Twitch, and what became of it: behind `simulate load` and
//! `simulate crash`.
//!
//! In the order in which a message meets them: [`traffic`] says what message number `n` of a run is
//! about, [`request`] writes it, `pace` says when, [`connection`] sends it, [`journal`] keeps that it
//! was acknowledged, [`report`] counts. [`ledger`] then compares what was acknowledged with the log,
//! and the log with the state (`effects` is what that must be). `hostile` sends what no server should
//! be hurt by. [`crash`] kills what it loads.

pub mod connection;
pub mod crash;
mod effects;
mod hostile;
pub mod journal;
pub mod ledger;
pub mod numbers;
mod pace;
pub mod report;
pub mod request;
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
use self::pace::{Pace, Tickets};
use self::report::{Late, Latency, Report, Tally, is_acknowledgement};
use self::request::{RequestError, Requests, Sending};
use self::traffic::Traffic;
use crate::clock::Clock;
use crate::twitch::signature::WebhookSecret;

/// How a server is to be loaded.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is sent.
    pub traffic: Traffic,
    /// Where to, as the messages have it.
    pub callback: Url,
    /// Where that is.
    pub target: SocketAddr,
    /// What the messages are signed with.
    pub secret: WebhookSecret,
    /// Over how many connections.
    pub connections: usize,
    /// Messages a second, whatever the answers; `None`: as fast as they are answered.
    pub rate: Option<NonZeroU32>,
    /// How long is sent before it counts.
    pub warm_up: Duration,
    /// How long is sent that counts.
    pub duration: Duration,
    /// Connections that send forged messages beside it.
    pub flood: usize,
    /// Connections that send a byte a second beside it.
    pub slow: usize,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No messages can be made.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// What was acknowledged can't be written down, so nothing could be proved.
    #[error("what is acknowledged can't be written down: {0}")]
    Journal(io::Error),
    /// A part of the generator failed.
    #[error("the generator failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What can be seen of a run from outside while it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages sent and answered so far, warm-up included.
    pub answered: AtomicU64,
    /// Of these acknowledged.
    pub acknowledged: AtomicU64,
}

/// What all connections share.
struct Shared {
    requests: Requests,
    clock: Clock,
    pace: Pace,
    /// What is due before that does not count.
    counted_from: Instant,
    next: AtomicU64,
    journal: Option<Arc<Journal>>,
    progress: Arc<Progress>,
    stop: CancellationToken,
}

/// Runs until the end of the plan, or until `stop`. What is acknowledged goes to the journal, if
/// there is one, before it counts.
///
/// # Errors
/// If the generator itself fails; what the server does is in the report.
pub async fn run(
    plan: &Plan,
    clock: Clock,
    journal: Option<Arc<Journal>>,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> Result<Report, LoadError> {
    let requests = Requests::new(plan.traffic, &plan.callback, &plan.secret)?;
    let beside = stop.child_token();
    let _ended_in_any_case = beside.clone().drop_guard();
    let flood = hostile::flood(plan, &clock, &beside)?;
    let slow = hostile::slow(plan, &requests, &clock, &beside);
    let begin = Instant::now();
    let (counted_from, end) = (begin + plan.warm_up, begin + plan.warm_up + plan.duration);
    let (pace, pacer) = match plan.rate {
        None => (Pace::Closed(end), None),
        Some(rate) => {
            let tickets = Arc::new(Tickets::new(begin, rate));
            (Pace::Open(tickets.clone()), Some(tickets.hand_out(end, beside.clone())))
        }
    };
    let next = AtomicU64::new(0);
    let shared = Arc::new(Shared { requests, clock, pace, counted_from, next, journal, progress, stop });
    let mut workers = JoinSet::new();
    for _ in 0..plan.connections {
        workers.spawn(work(shared.clone(), Connection::to(plan.target)));
    }
    let (mut warm_up, mut counted) = (Tally::default(), Tally::default());
    while let Some(worked) = workers.join_next().await {
        let (before, after) = worked??;
        warm_up.add(&before);
        counted.add(&after);
    }
    let seconds = counted_from.elapsed().as_secs_f64();
    beside.cancel();
    let paced = match pacer {
        Some(pacer) => Some(pacer.await?),
        None => None,
    };
    if let Some(not_sent) = paced.as_ref().map(|paced| paced.not_sent).filter(|count| *count > 0) {
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
        pacer_late_us: paced.map(|paced| Late { p99: paced.late.value_at_quantile(0.99), max: paced.late.max() }),
        flood: flood.joined().await?,
        slow: slow.joined().await?,
        ledger: None,
        warm_up_unacknowledged: warm_up.sent - warm_up.acknowledged,
    })
}

/// One connection's part: what was sent before it counts, and what was sent then.
async fn work(shared: Arc<Shared>, mut connection: Connection) -> Result<(Tally, Tally), LoadError> {
    let (mut warm_up, mut counted) = (Tally::default(), Tally::default());
    let mut request = Vec::new();
    loop {
        // Written and signed before it is due, so that this is no part of the latency.
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        shared.requests.write(number, Sending { at: shared.clock.now(), retry: 0 }, &mut request);
        let Some(due) = shared.pace.turn(&shared.stop).await else { return Ok((warm_up, counted)) };
        let answer = connection.exchange(&request).await;
        let latency = due.elapsed();
        if answer.is_ok_and(is_acknowledgement) {
            if let Some(journal) = &shared.journal {
                journal.note(number).map_err(LoadError::Journal)?;
            }
            shared.progress.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        shared.progress.answered.fetch_add(1, Ordering::Relaxed);
        let tally = if due < shared.counted_from { &mut warm_up } else { &mut counted };
        tally.count(answer, latency);
        if answer == Err(connection::Failure::Refused) {
            // Nobody there: no need to find that out a hundred thousand times a second.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
