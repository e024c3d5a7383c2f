//! Report of a crash run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::fault::Fault;
use crate::load::ledger::Verdict;

/// One injected fault, and the recovery from it.
#[derive(Clone, Copy, Debug)]
pub struct Injection {
    /// From 1.
    pub number: u32,
    /// The fault.
    pub fault: Fault,
    /// How long messages were sent before.
    pub after: Duration,
    /// For how long Postgres is paused, if that is the fault.
    pub pause: Duration,
    /// Messages without a 2xx.
    pub unacknowledged: u64,
    /// How many of these were stored nevertheless.
    pub stored: u64,
    /// Time until the server was ready again.
    pub ready_after: Duration,
}

/// Report of a crash run. Its JSON has the same names.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Seed of the run.
    pub seed: u64,
    /// Number of faults by kind.
    pub kills: BTreeMap<Fault, u32>,
    /// Duration of the run.
    pub seconds: f64,
    /// Messages sent, each counted once.
    pub sent: u64,
    /// Messages acknowledged in the end.
    pub acknowledged: u64,
    /// Messages that were sent again.
    pub resent: u64,
    /// How many of these had been stored without an acknowledgement.
    pub stored_without_acknowledgement: u64,
    /// The longest time from a fault until the server was ready again, in seconds.
    pub longest_to_ready_seconds: f64,
    /// Comparison with the database.
    pub ledger: Verdict,
    /// The server's directory, if the report is not clean.
    pub kept: Option<PathBuf>,
}

impl Report {
    pub(super) fn new(seed: u64) -> Self {
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

    pub(super) fn injections(&self) -> u32 {
        self.kills.values().sum()
    }

    pub(super) fn add(&mut self, injection: &Injection) {
        *self.kills.entry(injection.fault).or_default() += 1;
        self.resent += injection.unacknowledged;
        self.stored_without_acknowledgement += injection.stored;
        self.longest_to_ready_seconds = self.longest_to_ready_seconds.max(injection.ready_after.as_secs_f64());
    }

    /// Whether every message that was sent is stored exactly once.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.ledger.is_clean() && self.acknowledged == self.sent && self.sent > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: &dyn fmt::Display| writeln!(f, "  {name:34} {value:>12}");
        for (fault, count) in &self.kills {
            line(&fault.to_string(), count)?;
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
        self.kept.iter().try_for_each(|dir| writeln!(f, "  the server's files are kept in {}", dir.display()))
    }
}
