//! What a sink costs the acknowledgements.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::rig::{Rig, Server, median};
use super::way::Way;

const RATE: u32 = 1_000;

const ROUNDS: u32 = 5;

const WARM_UP: Duration = Duration::from_secs(2);

const MEASURED: Duration = Duration::from_secs(10);

/// By so much later a slow broker gets and answers everything.
const DELAY: Duration = Duration::from_secs(1);

/// For a new sink to connect, or to fail for the first time.
const SETTLING: Duration = Duration::from_secs(2);

pub(crate) async fn run(program: &Path, divisor: u32) {
    let rig = Rig::start(program).await;
    let server = rig.serve(&[]).await;
    let (away, mut slow) = (Way::new(rig.rabbit.port, Duration::ZERO), Way::new(rig.rabbit.port, DELAY));
    slow.open().await;
    let kinds = [
        ("well", rig.rabbit.url()),
        ("away", away.url()),
        ("slow", slow.url()),
        ("refusing", rig.rabbit.url_of("guest", "wrong")),
    ];
    server.load(RATE, Duration::ZERO, WARM_UP, CancellationToken::new()).await;
    println!("\n| the sink's receiver is | p50 ms | without | p99 ms | without | median of the ratios of p99 |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (kind, url) in kinds {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for round in 0..(ROUNDS * 2 / divisor).clamp(1, ROUNDS) {
            let measure_without = async { measure(&server).await };
            let measure_with = async {
                server.add_sink(kind, &url, None).await;
                sleep(SETTLING).await;
                let measured = measure(&server).await;
                server.remove_sink(kind).await;
                sleep(SETTLING).await;
                measured
            };
            // Each goes first in turn.
            if round % 2 == 0 {
                without.push(measure_without.await);
                with.push(measure_with.await);
            } else {
                with.push(measure_with.await);
                without.push(measure_without.await);
            }
            rig.purge().await;
        }
        let ratios = with.iter().zip(&without).map(|((_, with), (_, without))| with / without).collect();
        let middle = |times: &[(f64, f64)]| {
            (median(times.iter().map(|time| time.0).collect()), median(times.iter().map(|time| time.1).collect()))
        };
        let ((p50, p99), (p50_without, p99_without)) = (middle(&with), middle(&without));
        println!("| {kind} | {p50:.2} | {p50_without:.2} | {p99:.2} | {p99_without:.2} | {:.2} |", median(ratios));
    }
}

/// p50 and p99 of the acknowledgements in milliseconds.
async fn measure(server: &Server) -> (f64, f64) {
    let report = server.load(RATE, WARM_UP, MEASURED, CancellationToken::new()).await;
    assert_eq!(report.acknowledged, report.sent, "all are acknowledged");
    (report.latency_us.p50 as f64 / 1e3, report.latency_us.p99 as f64 / 1e3)
}
