//! What came of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::connection::Failure;
use super::ledger::Verdict;
use super::traffic::Mix;

/// The longest time that is told apart from longer ones, in microseconds.
const LONGEST: u64 = 60_000_000;

/// A histogram of microseconds, to three digits.
pub(super) fn microseconds() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "these bounds are sound")]
    Histogram::new_with_bounds(1, LONGEST, 3).expect("sound bounds")
}

/// What one or more connections saw.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) errors: BTreeMap<&'static str, u64>,
    /// Of what was acknowledged, in microseconds.
    pub(super) latency: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let latency = microseconds();
        Self { sent: 0, acknowledged: 0, statuses: BTreeMap::new(), errors: BTreeMap::new(), latency }
    }
}

impl Tally {
    pub(super) fn count(&mut self, answer: Result<u16, Failure>, latency: Duration) {
        self.sent += 1;
        match answer {
            Ok(status) => {
                *self.statuses.entry(status).or_default() += 1;
                if is_acknowledgement(status) {
                    self.acknowledged += 1;
                    self.latency.saturating_record(super::pace::micros(latency));
                }
            }
            Err(failure) => *self.errors.entry(name(failure)).or_default() += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (name, count) in &other.errors {
            *self.errors.entry(name).or_default() += count;
        }
        // Both have the same bounds.
        let _ = self.latency.add(&other.latency);
    }
}

/// Whether Twitch would not send the message again.
pub(super) fn is_acknowledgement(status: u16) -> bool {
    (200..300).contains(&status)
}

fn name(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "refused",
        Failure::Closed => "closed",
        Failure::TimedOut => "timed_out",
        Failure::Malformed => "malformed",
    }
}

/// What came of a run. As JSON, the same names.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `closed` or `open`.
    pub mode: &'static str,
    /// Of which messages.
    pub mix: Mix,
    /// Over how many connections.
    pub connections: usize,
    /// Messages a second that were asked for, in an open loop.
    pub rate: Option<u32>,
    /// How long it took to the last answer, without the warm-up.
    pub seconds: f64,
    /// Messages sent, without the warm-up's.
    pub sent: u64,
    /// How many of these were answered with 2xx.
    pub acknowledged: u64,
    /// Per second.
    pub acknowledged_per_second: f64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Why there was no answer, and how often; `not_sent`: no connection was free in time.
    pub errors: BTreeMap<&'static str, u64>,
    /// How long acknowledgements took, in an open loop since the message was due.
    pub latency_us: Latency,
    /// In an open loop, how late the generator itself was.
    pub pacer_late_us: Option<Late>,
    /// What came of the forged messages.
    pub flood: Option<Flood>,
    /// What came of the slow connections.
    pub slow: Option<Slow>,
    /// What the database says, if it was asked.
    pub ledger: Option<Verdict>,
    /// Messages of the warm-up that were not acknowledged.
    pub warm_up_unacknowledged: u64,
}

/// In microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "they are what they are called")]
pub struct Latency {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
    pub mean: f64,
}

impl From<&Histogram<u64>> for Latency {
    fn from(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        let (p50, p90, p99, p99_9) = (at(0.5), at(0.9), at(0.99), at(0.999));
        Self { p50, p90, p99, p99_9, max: histogram.max(), mean: histogram.mean() }
    }
}

/// In microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "they are what they are called")]
pub struct Late {
    pub p99: u64,
    pub max: u64,
}

/// What came of forged messages.
#[derive(Clone, Debug, Serialize)]
pub struct Flood {
    /// How many were sent.
    pub sent: u64,
    /// Answers by status: to be 403, all of them.
    pub statuses: BTreeMap<u16, u64>,
    /// Why there was no answer, and how often.
    pub errors: BTreeMap<&'static str, u64>,
    /// Sent per second.
    pub per_second: f64,
}

/// What came of connections that send a byte a second.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Slow {
    /// How many were made, those included that took the place of one that was cut off.
    pub connections: u64,
    /// How many of these the server ended.
    pub cut_off: u64,
    /// How often none could be made.
    pub failed: u64,
    /// How long one lasted at least before it was cut off.
    pub shortest_seconds: Option<f64>,
    /// How long one lasted at most before it was cut off.
    pub longest_seconds: Option<f64>,
}

impl Slow {
    pub(super) fn add_cut(&mut self, after: Duration) {
        let after = Some(after.as_secs_f64());
        self.add(&Self { cut_off: 1, shortest_seconds: after, longest_seconds: after, ..Self::default() });
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.cut_off += other.cut_off;
        self.failed += other.failed;
        let both = |pick: fn(f64, f64) -> f64, one: Option<f64>, two: Option<f64>| match (one, two) {
            (Some(one), Some(two)) => Some(pick(one, two)),
            (one, two) => one.or(two),
        };
        self.shortest_seconds = both(f64::min, self.shortest_seconds, other.shortest_seconds);
        self.longest_seconds = both(f64::max, self.longest_seconds, other.longest_seconds);
    }
}

impl Report {
    /// Whether every genuine message was acknowledged, no forged one was, and the ledger agrees.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let is_complete = self.acknowledged == self.sent && self.errors.is_empty() && self.warm_up_unacknowledged == 0;
        let is_safe = self.flood.as_ref().is_none_or(|f| !f.statuses.keys().any(|status| is_acknowledgement(*status)));
        is_complete && self.sent > 0 && is_safe && self.ledger.as_ref().is_none_or(Verdict::is_clean)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.rate.map(|rate| format!(" at {rate}/s")).unwrap_or_default();
        let mix = format!("{:?}", self.mix).to_lowercase();
        writeln!(f, "{} loop{rate}, {mix} over {} connections", self.mode, self.connections)?;
        writeln!(
            f,
            "  acknowledged  {} of {} in {:.1} s: {:.0}/s",
            self.acknowledged, self.sent, self.seconds, self.acknowledged_per_second
        )?;
        let Latency { p50, p90, p99, p99_9, max, mean } = self.latency_us;
        writeln!(
            f,
            "  latency       p50 {} · p90 {} · p99 {} · p99.9 {} · max {} · mean {}",
            ms(p50),
            ms(p90),
            ms(p99),
            ms(p99_9),
            ms(max),
            ms(mean.round() as u64)
        )?;
        writeln!(f, "  answers       {}", counts(&self.statuses, &self.errors))?;
        if self.warm_up_unacknowledged > 0 {
            writeln!(f, "  warm-up       {} not acknowledged", self.warm_up_unacknowledged)?;
        }
        if let Some(late) = self.pacer_late_us {
            writeln!(f, "  generator     late by p99 {}, max {}", ms(late.p99), ms(late.max))?;
        }
        if let Some(flood) = &self.flood {
            let answers = counts(&flood.statuses, &flood.errors);
            writeln!(f, "  forged        {} ({:.0}/s): {answers}", flood.sent, flood.per_second)?;
        }
        if let Some(slow) = &self.slow {
            let ages = slow.shortest_seconds.zip(slow.longest_seconds);
            let ages = ages.map(|(first, last)| format!(", after {first:.1} to {last:.1} s")).unwrap_or_default();
            writeln!(f, "  slow          {} of {} connections cut off{ages}", slow.cut_off, slow.connections)?;
            if slow.failed > 0 {
                writeln!(f, "                {} times none could be made", slow.failed)?;
            }
        }
        match &self.ledger {
            Some(verdict) => write!(f, "{verdict}"),
            None => Ok(()),
        }
    }
}

fn counts(statuses: &BTreeMap<u16, u64>, errors: &BTreeMap<&'static str, u64>) -> String {
    let statuses = statuses.iter().map(|(status, count)| format!("{status}: {count}"));
    let errors = errors.iter().map(|(name, count)| format!("{}: {count}", name.replace('_', " ")));
    let all: Vec<_> = statuses.chain(errors).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(" · ") }
}

fn ms(micros: u64) -> String {
    format!("{:.2} ms", Duration::from_micros(micros).as_secs_f64() * 1_000.0)
}
