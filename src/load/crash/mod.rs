//! Faults under load: a private server is loaded and killed repeatedly; then the ledger is verified.
//!
//! In each round, messages are sent over all connections, and at a random time a fault is injected. Messages without a
//! 2xx are kept; when the server is ready again they are sent again, as Twitch would, until they are acknowledged.

mod error;
mod fault;
mod report;
mod sender;
mod server;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

pub use self::error::CrashError;
pub use self::fault::Fault;
pub use self::report::{Injection, Report};
use self::sender::Sender;
use self::server::ServerUnderTest;
use super::LoadError;
use super::journal::Journal;
use super::ledger;
use super::mix::Mix;
use super::request::Requests;
use super::run::Run;
use super::traffic::Traffic;
use crate::clock::Clock;
use crate::postgres;
use crate::store::ledger::known;

/// How long messages are sent before a fault.
const CALM_MS: std::ops::Range<u64> = 100..900;

/// How long messages are sent after a fault. The processes of a killed Postgres need a moment to notice.
const AFTERMATH: Duration = Duration::from_millis(150);

/// For how long Postgres is paused: sometimes shorter, sometimes longer than the server waits for a commit.
const PAUSE_MS: std::ops::Range<u64> = 300..4_000;

/// Time limits of a run: for its start and end together, and for each fault.
const TIME_LIMITS: (Duration, Duration) = (Duration::from_secs(180), Duration::from_secs(30));

/// Time limit for connecting to the database.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Parameters of a crash run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server's executable.
    pub server: PathBuf,
    /// Number of faults.
    pub kills: u32,
    /// Seed of the random times and the order of the faults.
    pub seed: u64,
    /// Number of connections; each has one message in flight.
    pub connections: usize,
    /// The mix of messages.
    pub mix: Mix,
}

/// Runs the plan, or a part of it until `stop`, and shows each fault. If the report is not clean, the server's directory is
/// kept.
///
/// # Errors
/// If the server does not recover, or the run itself fails.
pub async fn run(
    plan: &Plan,
    clock: Clock,
    stop: &CancellationToken,
    mut show: impl FnMut(&Injection),
) -> Result<Report, CrashError> {
    let mut server = ServerUnderTest::start(&plan.server).await?;
    let outcome = rounds(plan, clock, stop, &mut server, &mut show).await;
    let is_clean = outcome.as_ref().is_ok_and(Report::is_clean);
    let stopped = server.stop(!is_clean).await;
    match (outcome, stopped) {
        (Ok(report), Ok(kept)) => Ok(Report { kept, ..report }),
        (Ok(_), Err(error)) => Err(error),
        (Err(error), Ok(Some(dir))) => Err(CrashError::Kept { dir, reason: Box::new(error) }),
        (Err(error), _) => Err(error),
    }
}

async fn rounds(
    plan: &Plan,
    clock: Clock,
    stop: &CancellationToken,
    server: &mut ServerUnderTest,
    show: &mut impl FnMut(&Injection),
) -> Result<Report, CrashError> {
    let began = Instant::now();
    let limit = TIME_LIMITS.0 + TIME_LIMITS.1 * plan.kills;
    let mut rng = SmallRng::seed_from_u64(plan.seed);
    let traffic = Traffic { run: Run(rng.random()), mix: plan.mix };
    let requests = Requests::new(traffic, server.callback(), server.secret()).map_err(LoadError::from)?;
    let journal = Journal::create_in(server.dir()).map_err(LoadError::Journal)?;
    let sender = Arc::new(Sender::new(requests, clock, journal));
    let mut report = Report::new(plan.seed);
    let mut faults = Vec::new();
    while report.injections() < plan.kills && !stop.is_cancelled() {
        if began.elapsed() > limit {
            return Err(CrashError::TookTooLong(limit));
        }
        if faults.is_empty() {
            // One of each kind, in random order.
            faults = Fault::ALL.to_vec();
            faults.shuffle(&mut rng);
        }
        let Some(fault) = faults.pop() else { break };
        let mut random = |range| Duration::from_millis(rng.random_range(range));
        let (after, pause) = (random(CALM_MS), random(PAUSE_MS));
        let number = report.injections() + 1;
        let planned =
            Injection { number, fault, after, pause, unacknowledged: 0, stored: 0, ready_after: Duration::ZERO };
        if let Some(injection) = round(plan, server, &sender, planned, stop).await? {
            report.add(&injection);
            show(&injection);
        }
    }
    report.sent = sender.sent();
    let acknowledged = sender.acknowledged().map_err(LoadError::Journal)?;
    report.acknowledged = acknowledged.len();
    report.ledger = ledger::verify(&mut connect(server).await?, &traffic, &acknowledged).await?;
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// One fault, and the recovery from it; `None` if the run was stopped before the fault.
async fn round(
    plan: &Plan,
    server: &mut ServerUnderTest,
    sender: &Arc<Sender>,
    planned: Injection,
    stop: &CancellationToken,
) -> Result<Option<Injection>, CrashError> {
    let postmaster = postgres::postmaster(server.data_dir()).await?;
    let batch = sender.start(server.addr(), plan.connections);
    let is_on = tokio::select! {
        () = sleep(planned.after) => true,
        () = stop.cancelled() => false,
    };
    let recovering_since = match is_on {
        true => planned.fault.inject(server, postmaster, planned.pause).await?,
        false => Instant::now(),
    };
    if is_on {
        sleep(AFTERMATH).await;
    }
    let pending = batch.stop().await?;
    if is_on {
        server.restart_if_killed().await?;
        if planned.fault.kills_postgres() {
            server.wait_for_new_postmaster(postmaster).await?;
        }
    }
    server.wait_until_ready().await?;
    let ready_after = recovering_since.elapsed();
    let ids: Vec<_> = pending.iter().map(|message| sender.message_id(message)).collect();
    let stored = match ids.is_empty() {
        true => 0,
        false => known(&mut connect(server).await?, &ids).await?.len() as u64,
    };
    let unacknowledged = pending.len() as u64;
    sender.send_again(server.addr(), pending).await?;
    Ok(is_on.then_some(Injection { unacknowledged, stored, ready_after, ..planned }))
}

/// Connects to the server's database.
async fn connect(server: &ServerUnderTest) -> Result<PgConnection, CrashError> {
    let options = postgres::join(server.data_dir()).await?;
    let connected = timeout(CONNECT_TIMEOUT, options.connect()).await;
    Ok(connected.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))?)
}
