//! The broker and two servers are killed and stopped at random while events are published; what came is compared with the log.
//!
//! The suite has a short run. Variables of the environment make it longer: `SINK_EVENTS`, `SINK_BREAKS`, `SINK_SEED`, and
//! `SINK_SERVER`, another server program than the one that was built for the tests. CONTRIBUTING.md shows how.

use std::time::Duration;

use nix::sys::signal::Signal;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use showtime::cli::note;
use tokio::time::{Instant, sleep};

use super::append;
use super::stage::Stage;
use crate::process::{Place, SERVER, Serving};
use crate::support::setting;

/// How long events are published before a break, in milliseconds.
const CALM_MS: std::ops::Range<u64> = 50..1_000;

/// For how long something is stopped, in milliseconds: sometimes longer than a lease lasts.
const STOP_MS: std::ops::Range<u64> = 300..6_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    KillServer,
    StopServer,
    KillBroker,
    StopBroker,
}

impl Break {
    const ALL: [Self; 4] = [Self::KillServer, Self::StopServer, Self::KillBroker, Self::StopBroker];
}

/// What a run is to do.
struct Plan {
    events: i32,
    breaks: usize,
    seed: u64,
    server: String,
}

impl Plan {
    fn read() -> Self {
        Self {
            events: setting("SINK_EVENTS", 6_000),
            breaks: setting("SINK_BREAKS", 4),
            seed: setting("SINK_SEED", 20_261_126),
            server: setting("SINK_SERVER", SERVER.to_owned()),
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_by_breaks_at_random_times() {
    let Some(mut stage) = Stage::set().await else { return };
    let (plan, places, began) = (Plan::read(), [Place::new(), Place::new()], Instant::now());
    let mut rng = SmallRng::seed_from_u64(plan.seed);
    let mut servers: Vec<_> = Vec::new();
    for place in &places {
        servers.push(stage.serve_program(&plan.server, place).await);
    }
    let (events, mut breaks, mut appended) = (plan.events / i32::try_from(plan.breaks).unwrap(), Vec::new(), 0);
    for number in 1..=plan.breaks {
        append(&stage.pool, events).await;
        appended += i64::from(events);
        if breaks.is_empty() {
            // One of each kind, in random order.
            breaks = Break::ALL.to_vec();
            breaks.shuffle(&mut rng);
        }
        let mut random = |range| Duration::from_millis(rng.random_range(range));
        let (calm, stop) = (random(CALM_MS), random(STOP_MS));
        stage.read_for(calm).await;
        let (kind, victim) = (breaks.pop().unwrap(), rng.random_range(0..places.len()));
        note(format_args!("{number:>4}  {kind:?} with {} of {appended} events there", stage.highest));
        match kind {
            Break::KillServer => {
                servers[victim].signal(Signal::SIGKILL);
                let next = stage.serve_program(&plan.server, &places[victim]).await;
                std::mem::replace(&mut servers[victim], next).ended().await;
            }
            Break::StopServer => pause(&mut stage, &servers[victim], stop).await,
            Break::KillBroker => {
                stage.rabbit.kill();
                stage.rabbit.restart().await;
                stage.read_again().await;
            }
            Break::StopBroker => {
                stage.rabbit.signal(Signal::SIGSTOP);
                sleep(stop).await;
                stage.rabbit.signal(Signal::SIGCONT);
            }
        }
        // The next break meets a sink that publishes, and not much more than the events of one break wait.
        stage.read_to(appended - i64::from(events) / 2).await;
    }
    stage.read_to(appended).await;
    stage.assert_complete(plan.breaks).await;
    note(format_args!(
        "{appended} events, {} breaks, seed {}: none lost, in order, {} came again, {} of these from the queue; {:.0} s",
        plan.breaks,
        plan.seed,
        stage.arrived.len() as i64 - appended,
        stage.redelivered,
        began.elapsed().as_secs_f64()
    ));
}

async fn pause(stage: &mut Stage, server: &Serving<'_>, time: Duration) {
    server.signal(Signal::SIGSTOP);
    stage.read_for(time).await;
    server.signal(Signal::SIGCONT);
}
