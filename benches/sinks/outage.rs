//! A broker that is away.

use std::path::Path;
use std::time::Duration;

use showtime::load::mix::Mix;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::rig::Rig;
use super::way::Way;

const RATE: u32 = 1_000;

const AWAY: Duration = Duration::from_secs(600);

/// Time limit for catching up.
const LIMIT: Duration = Duration::from_secs(600);

pub(crate) async fn run(program: &Path, divisor: u32) {
    let rig = Rig::start(program).await;
    let mut way = Way::new(rig.rabbit.port, Duration::ZERO);
    way.open().await;
    let server = rig.serve(&[("SHOWTIME_AMQP_URL", &way.url())]).await;
    let (stop, away) = (CancellationToken::new(), AWAY / divisor);
    let load = server.load(Mix::Chat, RATE, Duration::ZERO, away + LIMIT, stop.clone());
    let outage = async {
        sleep(Duration::from_secs(10)).await;
        let before = server.memory();
        let (cursor, began) = (rig.cursor("amqp").await, Instant::now());
        way.close();
        let mut most = before;
        while began.elapsed() < away {
            sleep(Duration::from_secs(1)).await;
            most = most.max(server.memory());
        }
        let (missed, after) = (rig.last().await - cursor, server.memory());
        way.open().await;
        let began = Instant::now();
        // While more come; the last of them are less than a second old.
        while rig.last().await - rig.cursor("amqp").await > i64::from(RATE) {
            sleep(Duration::from_millis(50)).await;
            most = most.max(server.memory());
        }
        let took = began.elapsed();
        stop.cancel();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!("\nbroker away for {} s at {RATE} events per second: {missed} events behind", away.as_secs());
        println!(
            "memory: {:.1} MiB before, {:.1} MiB at the end, at most {:.1} MiB, {:.1} MiB when all is published",
            mib(before),
            mib(after),
            mib(most),
            mib(server.memory())
        );
        println!(
            "caught up {:.1} s after the broker came back, while more came: {:.1} times as fast as they came",
            took.as_secs_f64(),
            (missed as f64 / took.as_secs_f64() + f64::from(RATE)) / f64::from(RATE)
        );
    };
    let (report, ()) = tokio::join!(load, outage);
    println!("{} of {} messages acknowledged meanwhile", report.acknowledged, report.sent);
}
