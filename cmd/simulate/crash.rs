//! `simulate crash`: finds the server program, shows each fault, and prints the report.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use showtime::cli::note;
use showtime::clock::Clock;
use showtime::load::crash::{self, Fault, Injection, Plan};
use tokio::process::Command;

use crate::args::CrashArgs;
use crate::load::stop_on_signal;
use crate::report;

/// Returns whether nothing was lost or doubled.
pub(crate) async fn crash(args: &CrashArgs) -> Result<bool> {
    let plan = Plan {
        server: server().await?,
        kills: args.kills,
        seed: args.seed.unwrap_or_else(rand::random),
        connections: args.connections.into(),
        mix: args.mix,
    };
    note(format_args!("{} kills of {}, --seed {}", plan.kills, plan.server.display(), plan.seed));
    let outcome = crash::run(&plan, Clock::default(), &stop_on_signal()?, show).await?;
    match args.json {
        true => report::print(&format!("{}\n", serde_json::to_string(&outcome)?))?,
        false => report::print(&outcome.to_string())?,
    }
    Ok(outcome.is_clean())
}

fn show(injection: &Injection) {
    let Injection { number, fault, after, pause, unacknowledged, stored, ready_after } = injection;
    let pause = if *fault == Fault::Pause { format!(" for {:.1} s", pause.as_secs_f64()) } else { String::new() };
    note(format_args!(
        "{number:>6}  after {:.2} s: {:26} {unacknowledged:>4} unacknowledged, {stored:>3} of these stored; ready \
         after {:.2} s",
        after.as_secs_f64(),
        format!("{fault}{pause}"),
        ready_after.as_secs_f64()
    ));
}

/// Path of the server program beside this one. When cargo runs this program, it builds the server first, which might be missing
/// or out of date.
async fn server() -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program's path is unknown")?;
    let dir = own.parent().context("this program has no directory")?;
    if let Some(cargo) = std::env::var_os("CARGO") {
        build(Path::new(&cargo), dir).await?;
    }
    let server = dir.join("server");
    ensure!(server.is_file(), "there is no {}: build it with `cargo build --bins`", server.display());
    Ok(server)
}

async fn build(cargo: &Path, dir: &Path) -> Result<()> {
    let is_release = dir.file_name().is_some_and(|name| name == "release");
    let mut command = Command::new(cargo);
    command.args(["build", "--bin", "server"]).args(is_release.then_some("--release"));
    // The variables that `cargo run` sets would make build scripts that watch them run again (ring's does).
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    let status = command.status().await.context("cargo can't be run")?;
    ensure!(status.success(), "the server can't be built");
    Ok(())
}
