//! A server of its own that is loaded and killed again and again; then the ledger is closed.
//!
//! Each round: messages go out over all connections; at a random moment something is struck down;
//! what got no 2xx is kept; when the server is ready again it is sent again, as Twitch would, until
//! it is acknowledged.

mod salvo;
mod strike;
mod subject;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::salvo::Gun;
pub use self::strike::Strike;
use self::subject::Subject;
use super::LoadError;
use super::journal::Journal;
use super::ledger::{self, Verdict};
use super::request::Requests;
use super::traffic::{Mix, Run, Traffic};
use crate::clock::Clock;
use crate::postgres::{self, LocalError};
use crate::store::ledger::known;

/// How long messages go out before something is struck down.
const CALM_MS: std::ops::Range<u64> = 100..900;

/// How long messages go on after that: the processes of a killed Postgres need a moment to notice.
const AFTERMATH: Duration = Duration::from_millis(150);

/// For how long Postgres is stopped: shorter and longer than the server waits for a commit.
const PAUSE_MS: std::ops::Range<u64> = 300..4_000;

/// How long a run may take: for its beginning and end, and for each kill.
const TIME_LIMITS: (Duration, Duration) = (Duration::from_secs(180), Duration::from_secs(30));

/// How long a connection to the database may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server's executable.
    pub server: PathBuf,
    /// How often something is struck down.
    pub kills: u32,
    /// What all that is random follows from.
    pub seed: u64,
    /// How many messages are under way at a time.
    pub connections: usize,
    /// What is sent.
    pub mix: Mix,
}

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    /// The generator.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The private Postgres.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The database can't be asked.
    #[error("the database can't be asked: {0}")]
    Database(#[from] sqlx::Error),
    /// Something that has to do with files or processes.
    #[error("could not {action}: {source}")]
    System {
        /// What.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It ended although nobody had killed it.
    #[error("the server ended by itself ({0})")]
    ServerEnded(std::process::ExitStatus),
    /// It did not recover.
    #[error("the server was not ready within {} s", .0.as_secs())]
    NotReady(Duration),
    /// A message was refused again and again.
    #[error("message {message_id} was not acknowledged within {} s by a server that said it was ready", .limit.as_secs())]
    NeverAcknowledged {
        /// Which.
        message_id: String,
        /// How long it was tried.
        limit: Duration,
    },
    /// One of these, and where to look.
    #[error("{reason}; what the server left is kept in {}", .dir.display())]
    Kept {
        /// The server's directory, with its log and its database.
        dir: PathBuf,
        /// What went wrong.
        reason: Box<CrashError>,
    },
    /// All of it.
    #[error("the run took longer than {} s", .0.as_secs())]
    TookTooLong(Duration),
}

impl CrashError {
    fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

/// One kill.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// From 1.
    pub number: u32,
    /// What was struck down.
    pub strike: Strike,
    /// How long messages had gone out before.
    pub after: Duration,
    /// For how long Postgres stood still, if that was it.
    pub pause: Duration,
    /// Messages that got no 2xx.
    pub unacknowledged: u64,
    /// How many of these were stored all the same.
    pub stored: u64,
    /// Until the server was ready again.
    pub ready_after: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// As planned, or chosen.
    pub seed: u64,
    /// How often what was struck down.
    pub kills: BTreeMap<Strike, u32>,
    /// How long it took.
    pub seconds: f64,
    /// Messages sent, each counted once.
    pub sent: u64,
    /// Messages that were acknowledged at last.
    pub acknowledged: u64,
    /// Messages that had to be sent again.
    pub resent: u64,
    /// How many of these had been stored, without an acknowledgement.
    pub stored_without_acknowledgement: u64,
    /// The longest time from a kill until the server was ready again, in seconds.
    pub longest_to_ready_seconds: f64,
    /// What the database says.
    pub ledger: Verdict,
    /// The server's directory, if something is wrong.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Whether all that was sent is there, once.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.ledger.is_clean() && self.acknowledged == self.sent && self.sent > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: &dyn fmt::Display| writeln!(f, "  {name:34} {value:>12}");
        for (strike, count) in &self.kills {
            line(&strike.to_string(), count)?;
        }
        line("messages sent", &self.sent)?;
        line("acknowledged", &self.acknowledged)?;
        line("sent again", &self.resent)?;
        line("stored without acknowledgement", &self.stored_without_acknowledgement)?;
        line("longest time to ready, s", &format!("{:.2}", self.longest_to_ready_seconds))?;
        line("lost", &self.ledger.lost)?;
        line("doubled", &self.ledger.doubled)?;
        line("effects that differ", &self.ledger.effects_differ)?;
        self.ledger.examples.iter().try_for_each(|example| writeln!(f, "  {example}"))?;
        self.kept.iter().try_for_each(|dir| writeln!(f, "  what the server left is kept in {}", dir.display()))
    }
}

/// Runs the plan, or as much of it as there is time for until `stop`, and tells of each kill. If the
/// outcome is not clean, all the server left behind is kept.
///
/// # Errors
/// If the server does not recover, or the run itself fails.
pub async fn run(
    plan: &Plan,
    clock: Clock,
    stop: &CancellationToken,
    mut tell: impl FnMut(&Kill),
) -> Result<Report, CrashError> {
    let mut subject = Subject::start(&plan.server).await?;
    let outcome = rounds(plan, clock, stop, &mut subject, &mut tell).await;
    let is_clean = outcome.as_ref().is_ok_and(Report::is_clean);
    let stopped = subject.stop(!is_clean).await;
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
    subject: &mut Subject,
    tell: &mut impl FnMut(&Kill),
) -> Result<Report, CrashError> {
    let began = Instant::now();
    let limit = TIME_LIMITS.0 + TIME_LIMITS.1 * plan.kills;
    let mut rng = SmallRng::seed_from_u64(plan.seed);
    let traffic = Traffic { run: Run(rng.random()), mix: plan.mix };
    let requests = Requests::new(traffic, subject.callback(), subject.secret()).map_err(LoadError::from)?;
    let journal = Journal::create_in(subject.dir()).map_err(LoadError::Journal)?;
    let gun = Arc::new(Gun::new(requests, clock, journal));
    let mut report = Report::new(plan.seed);
    let mut strikes = Vec::new();
    while report.kills.values().sum::<u32>() < plan.kills && !stop.is_cancelled() {
        if began.elapsed() > limit {
            return Err(CrashError::TookTooLong(limit));
        }
        if strikes.is_empty() {
            // Of four, one of each kind.
            strikes = Strike::ALL.to_vec();
            strikes.shuffle(&mut rng);
        }
        let Some(strike) = strikes.pop() else { break };
        let mut plan_of = |range| Duration::from_millis(rng.random_range(range));
        let (after, pause) = (plan_of(CALM_MS), plan_of(PAUSE_MS));
        let number = report.kills.values().sum::<u32>() + 1;
        let kill = Kill { number, strike, after, pause, unacknowledged: 0, stored: 0, ready_after: Duration::ZERO };
        if let Some(kill) = round(plan, subject, &gun, kill, stop).await? {
            report.add(&kill);
            tell(&kill);
        }
    }
    report.sent = gun.sent();
    let acknowledged = gun.acknowledged().map_err(LoadError::Journal)?;
    report.acknowledged = acknowledged.count();
    report.ledger = ledger::close(&mut database(subject).await?, &traffic, &acknowledged).await?;
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// One kill, and all that follows from it; `None` if it was not to be any more.
async fn round(
    plan: &Plan,
    subject: &mut Subject,
    gun: &Arc<Gun>,
    kill: Kill,
    stop: &CancellationToken,
) -> Result<Option<Kill>, CrashError> {
    let postmaster = postgres::postmaster(subject.data_dir()).await?;
    let salvo = gun.fire(subject.addr(), plan.connections);
    let is_on = tokio::select! {
        () = sleep(kill.after) => true,
        () = stop.cancelled() => false,
    };
    let struck = match is_on {
        true => kill.strike.hit(subject, postmaster, kill.pause).await?,
        false => Instant::now(),
    };
    if is_on {
        sleep(AFTERMATH).await;
    }
    let pending = salvo.cease().await?;
    if is_on {
        subject.relaunch_if_dead().await?;
        if kill.strike.fells_postgres() {
            subject.until_postgres_is_another(postmaster).await?;
        }
    }
    subject.until_ready().await?;
    let ready_after = struck.elapsed();
    let ids: Vec<_> = pending.iter().map(|message| gun.message_id(message)).collect();
    let stored = match ids.is_empty() {
        true => 0,
        false => known(&mut database(subject).await?, &ids).await?.len() as u64,
    };
    let unacknowledged = pending.len() as u64;
    gun.send_again(subject.addr(), pending).await?;
    Ok(is_on.then_some(Kill { unacknowledged, stored, ready_after, ..kill }))
}

async fn database(subject: &Subject) -> Result<PgConnection, CrashError> {
    let options = postgres::join(subject.data_dir()).await?;
    let connected = timeout(CONNECT_TIMEOUT, options.connect()).await;
    Ok(connected.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))?)
}

impl Report {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            kills: BTreeMap::new(),
            seconds: 0.0,
            sent: 0,
            acknowledged: 0,
            resent: 0,
            stored_without_acknowledgement: 0,
            longest_to_ready_seconds: 0.0,
            ledger: Verdict::default(),
            kept: None,
        }
    }

    fn add(&mut self, kill: &Kill) {
        *self.kills.entry(kill.strike).or_default() += 1;
        self.resent += kill.unacknowledged;
        self.stored_without_acknowledgement += kill.stored;
        self.longest_to_ready_seconds = self.longest_to_ready_seconds.max(kill.ready_after.as_secs_f64());
    }
}
