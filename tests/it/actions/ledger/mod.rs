//! Servers are killed at random points of what they do, and what Twitch and a webhook got is compared with what is recorded:
//! of actions that a client requests, and of what follows from rules.
//!
//! The suite has short runs. Variables of the environment make them longer: `ACTION_KILLS`, `ACTION_SEED`, and
//! `ACTION_SERVER`, another server program than the one that was built for the tests.

mod requests;
mod rules;
mod stage;

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use showtime::cli::note;
use tokio::time::{Duration, Instant};

use self::stage::{Begun, Stage};
use crate::process::{self, SERVER};
use crate::support::setting;

/// What the server is killed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// The events are in the log, and the reactor is in the middle of its transaction.
    Planning,
    /// The actions are there, and nothing was begun.
    BeforeClaim,
    /// It is committed that Twitch is about to be called, and the call has had no effect.
    AfterSending,
    /// Twitch has acted, and its answer is on its way.
    AfterEffect,
    /// Twitch has answered, and that is not recorded.
    BeforeSettle,
    /// Any.
    AnyTime,
}

impl Point {
    const OF_RULES: [Self; 6] =
        [Self::Planning, Self::BeforeClaim, Self::AfterSending, Self::AfterEffect, Self::BeforeSettle, Self::AnyTime];
    const OF_REQUESTS: [Self; 5] =
        [Self::BeforeClaim, Self::AfterSending, Self::AfterEffect, Self::BeforeSettle, Self::AnyTime];
}

/// What happens before each kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// A client requests actions.
    Requests,
    /// Twitch sends events, from which actions follow by rules.
    Rules,
}

impl Work {
    fn points(self) -> &'static [Point] {
        match self {
            Self::Requests => &Point::OF_REQUESTS,
            Self::Rules => &Point::OF_RULES,
        }
    }
}

/// What was counted.
#[derive(Debug, Default)]
struct Tally {
    kills: BTreeMap<Point, usize>,
    /// Settled actions by class and state.
    states: BTreeMap<(String, String), usize>,
    twice: usize,
    lost: usize,
    /// Messages that arrived although their answer was lost, and those of them that their echo settled.
    unanswered: usize,
    echoed: usize,
    /// Calls that exceeded a limit of Twitch.
    violations: usize,
}

/// Kills servers in the middle of this work, and compares after each kill.
async fn run(work: Work, kills: usize) {
    let (kills, seed, program) = (
        setting("ACTION_KILLS", kills),
        setting("ACTION_SEED", 20_261_126),
        setting("ACTION_SERVER", SERVER.to_owned()),
    );
    let (dir, began) = (process::Place::new(), Instant::now());
    let mut stage = Stage::start(work).await;
    let owned = stage.settings();
    let settings: Vec<_> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (mut rng, mut tally) = (SmallRng::seed_from_u64(seed), Tally::default());

    let mut server = dir.serve_program(&program, &settings).await;
    stage.prepare(&server).await;
    for number in 0..kills {
        // Each once at first.
        let points = work.points();
        let point = points.get(number).or_else(|| points.choose(&mut rng)).copied().unwrap();
        let begun = stage.kill(point, server, Duration::from_millis(rng.random_range(0..150))).await;
        *tally.kills.entry(point).or_default() += 1;
        server = dir.serve_program(&program, &settings).await;
        stage.settled().await;
        let ids = match begun {
            Begun::Actions(ids) => ids,
            Begun::Events(expected) => stage.verify_reactions(&expected).await,
        };
        stage.verify(&server, &ids, &mut tally).await;
    }
    if work == Work::Rules {
        stage.settled().await;
        stage.verify_rules().await;
    }
    server.stop().await;
    note(format_args!("{work:?}: {kills} kills, seed {seed}, {:.0} s: {tally:?}", began.elapsed().as_secs_f64()));
    assert_eq!(tally.echoed, tally.unanswered, "the echo settles every message that arrived: {tally:?}");
    assert_eq!(tally.violations, 0, "Twitch's limits are kept");
}

#[tokio::test]
async fn kills_at_random_points_repeat_no_message_and_lose_no_ban_and_no_webhook() {
    run(Work::Requests, 10).await;
}

#[tokio::test]
async fn kills_at_random_points_of_twenty_rules_repeat_no_reaction_and_lose_none() {
    run(Work::Rules, 12).await;
}
