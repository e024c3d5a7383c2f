//! Report of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::ledger::Verdict;
use super::mix::Mix;
use super::tally::is_acknowledgement;

/// Report of a run. Its JSON has the same names.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `closed` or `open`.
    pub mode: &'static str,
    /// The mix of messages.
    pub mix: Mix,
    /// Number of connections.
    pub connections: usize,
    /// Messages per second that were due, in an open loop.
    pub rate: Option<u32>,
    /// Time until the last answer, without the warm-up.
    pub seconds: f64,
    /// Messages sent, without those of the warm-up.
    pub sent: u64,
    /// Messages answered with 2xx.
    pub acknowledged: u64,
    /// Acknowledged messages per second.
    pub acknowledged_per_second: f64,
    /// Number of answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Messages without an answer by cause; `not_sent`: no connection was free in time.
    pub errors: BTreeMap<&'static str, u64>,
    /// Latency of acknowledgements; in an open loop from the time when the message was due.
    pub latency_us: Latency,
    /// How late the generator itself was, in an open loop.
    pub pacer_late_us: Option<Late>,
    /// Forged messages.
    pub flood: Option<FloodReport>,
    /// Slow connections.
    pub slow: Option<SlowReport>,
    /// Comparison with the database, if it was made.
    pub ledger: Option<Verdict>,
    /// Messages of the warm-up that were not acknowledged.
    pub warm_up_unacknowledged: u64,
}

/// Quantiles of latencies, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "named after the quantiles")]
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

/// Quantiles of the generator's delays, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "named after the quantiles")]
pub struct Late {
    pub p99: u64,
    pub max: u64,
}

/// Report of forged messages.
#[derive(Clone, Debug, Serialize)]
pub struct FloodReport {
    /// Messages sent.
    pub sent: u64,
    /// Number of answers by status. All should be 403.
    pub statuses: BTreeMap<u16, u64>,
    /// Messages without an answer, by cause.
    pub errors: BTreeMap<&'static str, u64>,
    /// Messages sent per second.
    pub per_second: f64,
}

/// Report of connections that send a byte per second.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct SlowReport {
    /// Connections made, including those that replaced one that was cut off.
    pub connections: u64,
    /// Connections that the server closed.
    pub cut_off: u64,
    /// Failed attempts to connect.
    pub failed: u64,
    /// The shortest time until a connection was cut off.
    pub shortest_seconds: Option<f64>,
    /// The longest time until a connection was cut off.
    pub longest_seconds: Option<f64>,
}

impl SlowReport {
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
                writeln!(f, "                {} connections failed", slow.failed)?;
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
