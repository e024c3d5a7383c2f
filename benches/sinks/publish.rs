//! Events per second that a broker confirms.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::figures::percentile;
use super::rig::{QUEUE, Rig, add_sink, remove_sink};
use super::server::Server;

const EVENTS: u32 = 200_000;

const ROUNDS: usize = 3;

/// As many as a sink has on their way.
const WINDOW: usize = showtime::outputs::amqp::WINDOW;

pub(crate) async fn run(program: &Path, divisor: u32) {
    let rig = Rig::start(program).await;
    let server = rig.serve(&[]).await;
    let last = rig.fill(&server, (EVENTS / divisor).into()).await;
    let bodies = sqlx::query_scalar("select payload::text from event order by id desc limit 500");
    let bodies: Vec<String> = bodies.fetch_all(rig.pool()).await.expect("bodies");
    println!("\n| confirmed per second | a bare publisher | a sink | ratio | server's processor time per event |");
    println!("|---|---:|---:|---:|---:|");
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let bare = bare(&rig, &bodies, usize::try_from(last).expect("small")).await;
        rig.purge(QUEUE).await;
        let (sink, processor) = sink(&rig, &server, &format!("round{round}"), last).await;
        rig.purge(QUEUE).await;
        println!(
            "| round {round} | {bare:.0} | {sink:.0} | {:.2} | {:.0} µs |",
            sink / bare,
            processor.as_secs_f64() * 1e6 / last as f64
        );
        ratios.push(sink / bare);
    }
    println!("\nmedian of the ratios: {:.2}", percentile(&mut ratios, 50));
}

/// Publishes messages without a log.
async fn bare(rig: &Rig, bodies: &[String], count: usize) -> f64 {
    let channel = rig.rabbit.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let mut window = FuturesUnordered::new();
    let began = Instant::now();
    for body in bodies.iter().cycle().take(count) {
        if window.len() == WINDOW {
            window.next().await;
        }
        let channel = channel.clone();
        window.push(async move {
            let (key, properties) = ("twitch.1.x".into(), BasicProperties::default().with_delivery_mode(2));
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let sent = channel.basic_publish("showtime".into(), key, options, body.as_bytes(), properties).await;
            sent.expect("it is sent").await.expect("it is confirmed")
        });
    }
    while window.next().await.is_some() {}
    count as f64 / began.elapsed().as_secs_f64()
}

/// Publishes the log up to this event. Returns also the server's processor time.
async fn sink(rig: &Rig, server: &Server, name: &str, last: i64) -> (f64, Duration) {
    let processor = server.processor_time();
    add_sink(server, name, &rig.rabbit.url(), json!({ "after": 0 })).await;
    let mut begun = None;
    loop {
        let cursor = rig.cursor(name).await;
        if cursor > 0 {
            let (first, at) = *begun.get_or_insert((cursor, Instant::now()));
            if cursor == last {
                remove_sink(server, name).await;
                let rate = (last - first) as f64 / at.elapsed().as_secs_f64();
                return (rate, server.processor_time() - processor);
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
}
