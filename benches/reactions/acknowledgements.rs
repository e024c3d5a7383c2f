//! What rules cost the acknowledgements.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::figures::percentile;
use super::scene::Scene;
use super::{REACTING, apply, load, rules, set_up};

const RATE: u32 = 1_000;

const ROUNDS: u32 = 10;

const WARM_UP: Duration = Duration::from_secs(2);

const MEASURED: Duration = Duration::from_secs(10);

/// For the reactor to read the new rules.
const SETTLING: Duration = Duration::from_secs(2);

pub(crate) async fn run(program: &Path, divisor: u32) {
    let scene = set_up(program).await;
    let rules = format!("{REACTING}{}", rules::text());
    load(&scene, RATE, Duration::ZERO, WARM_UP).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..(ROUNDS * 2 / divisor).clamp(1, ROUNDS) {
        // Each goes first in turn.
        for is_with in [round % 2 == 0, round % 2 == 1] {
            let measured = measure(&scene, if is_with { &rules } else { "" }).await;
            if is_with { with.push(measured) } else { without.push(measured) }
        }
    }
    let mut ratios: Vec<_> = with.iter().zip(&without).map(|(with, without)| with / without).collect();
    println!("\n| p99 of acknowledgements at 1,000/s, ms | with 200 rules | without | median of the ratios | rounds |");
    println!("|---|---:|---:|---:|---:|");
    let (rounds, ratio) = (ratios.len(), percentile(&mut ratios, 50));
    println!("| | {:.2} | {:.2} | {ratio:.2} | {rounds} |", percentile(&mut with, 50), percentile(&mut without, 50));
}

/// p99 in milliseconds, with these rules.
async fn measure(scene: &Scene, rules: &str) -> f64 {
    apply(scene, rules).await;
    sleep(SETTLING).await;
    let report = load(scene, RATE, WARM_UP, MEASURED).await;
    assert_eq!(report.acknowledged, report.sent, "all are acknowledged");
    report.latency_us.p99 as f64 / 1e3
}
