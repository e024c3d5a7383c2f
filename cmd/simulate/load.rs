//! `simulate load`: the plan, a progress bar, and the report.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use showtime::cli::{Shutdown, note, with_database};
use showtime::clock::Clock;
use showtime::config::Config;
use showtime::load::journal::Journal;
use showtime::load::ledger::{self, Verdict};
use showtime::load::run::Run;
use showtime::load::traffic::Traffic;
use showtime::load::{self, Plan, Progress};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::args::LoadArgs;
use crate::{report, target};

/// Open files besides the connections.
const OTHER_FILES: usize = 64;

/// Time limit for trying the target's addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns whether the report is clean.
pub(crate) async fn load(args: &LoadArgs) -> Result<bool> {
    let config = Config::load()?;
    let plan = plan(args, &config).await?;
    let journal = match args.ledger {
        true => Some(Arc::new(Journal::create().context("the file for acknowledged messages can't be created")?)),
        false => None,
    };
    let (stop, progress) = (stop_on_signal()?, Arc::new(Progress::default()));
    let bar = tokio::spawn(show(plan.warm_up + plan.duration, progress.clone()));
    let run = load::run(&plan, Clock::default(), journal.clone(), progress, stop).await;
    bar.abort();
    let mut outcome = run?;
    if let Some(journal) = journal {
        let verdict = compare(&config, &plan.traffic, &journal).await;
        outcome.ledger = verdict.as_ref().ok().cloned();
        if (verdict.is_err() || !outcome.is_clean())
            && let Some(journal) = Arc::into_inner(journal)
        {
            note(format_args!("note: the acknowledged messages are recorded in {}", journal.keep()?.display()));
        }
        verdict.inspect_err(|_| note(&outcome))?;
    }
    match args.json {
        true => report::print(&format!("{}\n", serde_json::to_string(&outcome)?))?,
        false => report::print(&outcome.to_string())?,
    }
    Ok(outcome.is_clean())
}

async fn plan(args: &LoadArgs, config: &Config) -> Result<Plan> {
    let (secret, _) = target::secret(&args.to, config)?;
    let (callback, mut addresses) = target::target(&args.to, config).await?;
    ensure!(callback.scheme() == "http", "{callback}: a load can only be sent over plain http");
    if addresses.is_empty() {
        addresses = target::resolve(&callback).await?;
    }
    allow_files(usize::from(args.connections) + usize::from(args.flood) + usize::from(args.slow))?;
    let target = first_that_accepts(&addresses).await.context("the target has no address")?;
    Ok(Plan {
        traffic: Traffic { run: Run::new(), mix: args.mix },
        callback,
        target,
        replicas: args.replicas.clone(),
        secret,
        connections: args.connections.into(),
        rate: args.rate.and_then(NonZeroU32::new),
        warm_up: args.warm_up,
        duration: args.duration,
        flood: args.flood.into(),
        slow: args.slow.into(),
    })
}

/// Raises the limit of open files, since each connection is one.
fn allow_files(connections: usize) -> Result<()> {
    let required = (connections + OTHER_FILES) as u64;
    let allowed = rlimit::increase_nofile_limit(required).context("the limit of open files can't be raised")?;
    ensure!(
        allowed >= required,
        "{connections} connections need {required} open files; the hard limit is {allowed} (see ulimit -Hn)"
    );
    Ok(())
}

/// Returns the first address that accepts a connection: `localhost` has two, and most servers listen on one.
async fn first_that_accepts(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(addresses)).await {
        Ok(Ok(stream)) => stream.peer_addr().ok(),
        _ => addresses.first().copied(),
    }
}

async fn compare(config: &Config, traffic: &Traffic, journal: &Journal) -> Result<Verdict> {
    let acknowledged = journal.read().context("the record of acknowledged messages can't be read")?;
    with_database(config, async |db| Ok(ledger::verify(db, traffic, &acknowledged).await?)).await
}

/// A token that SIGINT and SIGTERM cancel: the run ends early, with its report.
pub(crate) fn stop_on_signal() -> Result<CancellationToken> {
    let mut shutdown = Shutdown::new()?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        shutdown.requested().await;
        stopping.cancel();
    });
    Ok(stop)
}

/// Shows a progress bar, on a terminal only, until the task is aborted.
async fn show(length: Duration, progress: Arc<Progress>) {
    let bar = ProgressBar::new(length.as_secs()).with_finish(ProgressFinish::AndClear);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}") {
        bar.set_style(style);
    }
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut before = 0;
    loop {
        second.tick().await;
        let acknowledged = progress.acknowledged.load(Ordering::Relaxed);
        let failed = progress.answered.load(Ordering::Relaxed).saturating_sub(acknowledged);
        bar.set_message(format!("{}/s acknowledged, {failed} failed", acknowledged - before));
        bar.set_position(bar.elapsed().as_secs());
        before = acknowledged;
    }
}
