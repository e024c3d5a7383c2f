//! What a large announcement costs the acknowledgements and small announcements.

use std::path::Path;
use std::time::Duration;

use showtime::load::mix::Mix;
use showtime::mock::discord::Webhook;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::figures::percentile;
use super::rig::Rig;

/// Channels of Discord that track one stream.
const CHANNELS: usize = 20_000;

/// Streams that are tracked in one channel.
const SMALL: usize = 50;

/// Messages per second, and requests to Discord.
const RATES: (u32, u32) = (5_000, 45);

const ROUNDS: u32 = 6;

const WARM_UP: Duration = Duration::from_secs(2);

const MEASURED: Duration = Duration::from_secs(10);

const IS_FOLLOWED: &str =
    "select coalesce((select cursor from follower where name = 'announcements') >= (select max(id) from event), false)";

const IS_AT_REST: &str = "select not exists (select from post where state in ('pending', 'sending'))
    and not exists (select from announcement where spread_at is not null)";

/// A round with or without announcements.
struct Figures {
    acknowledgements: f64,
    /// Milliseconds from the event of each small stream to its message.
    small: Vec<f64>,
    posted: usize,
}

pub(crate) async fn run(program: &Path, divisor: u32) {
    let rig = Rig::start(program, RATES.1).await;
    rig.update("500").await;
    rig.track(&rig.new_webhooks(CHANNELS / divisor as usize, "channel"), "500").await;
    let small = rig.new_webhooks(SMALL, "small");
    for (number, webhook) in small.iter().enumerate() {
        let channel = (1_000 + number).to_string();
        rig.update(&channel).await;
        rig.track(std::slice::from_ref(webhook), &channel).await;
    }
    rig.server.load(Mix::Chat, RATES.0, Duration::ZERO, WARM_UP, CancellationToken::new()).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..(ROUNDS * 2 / divisor).clamp(1, ROUNDS) {
        // Each goes first in turn.
        for is_with in [round % 2 == 0, round % 2 == 1] {
            let figures = measure(&rig, &small, is_with.then_some(round)).await;
            if is_with { with.push(figures) } else { without.push(figures) }
        }
    }
    let p99 =
        |figures: &[Figures]| percentile(&mut figures.iter().map(|it| it.acknowledgements).collect::<Vec<_>>(), 50);
    let ratios = with.iter().zip(&without).map(|(with, without)| with.acknowledgements / without.acknowledgements);
    let (ratio, rounds) = (percentile(&mut ratios.collect::<Vec<_>>(), 50), with.len());
    println!("\n| p99 of acknowledgements at {}/s, ms | while announced | without | median of the ratios |", RATES.0);
    println!("|---|---:|---:|---:|");
    println!("| {rounds} rounds | {:.2} | {:.2} | {ratio:.2} |", p99(&with), p99(&without));
    let posted: usize = with.iter().map(|figures| figures.posted).sum();
    let mut times: Vec<_> = with.into_iter().flat_map(|figures| figures.small).collect();
    let count = times.len();
    println!(
        "\n| from the event of a stream to the message in its only channel, meanwhile | p50 ms | p95 ms | most ms |"
    );
    println!("|---|---:|---:|---:|");
    let [half, many, most] = [50, 95, 100].map(|part| percentile(&mut times, part));
    println!(
        "| {count} streams, beside {posted} messages of the large announcement | {half:.0} | {many:.0} | {most:.0} |"
    );
}

/// Measures with announcements, or with none, and waits until nothing is left to do.
async fn measure(rig: &Rig, small: &[Webhook], round: Option<u32>) -> Figures {
    let load = rig.server.load(Mix::Chat, RATES.0, WARM_UP, MEASURED, CancellationToken::new());
    let began = rig.clock.now();
    let announcing = async {
        let Some(round) = round else { return Vec::new() };
        sleep(WARM_UP).await;
        rig.online("500", &format!("{}", 5_000 + round)).await;
        let mut begun = Vec::new();
        for number in 0..small.len() {
            sleep(MEASURED / (small.len() as u32 + 1)).await;
            begun.push(rig.clock.now());
            rig.online(&(1_000 + number).to_string(), &format!("{}", 100_000 + round as usize * 1_000 + number)).await;
        }
        begun
    };
    let (report, begun) = tokio::join!(load, announcing);
    assert_eq!(report.acknowledged, report.sent, "all are acknowledged");
    // So that all small streams have their message.
    sleep(Duration::from_secs(4)).await;
    let posted = rig.posted_since(began);
    let times = small.iter().zip(&begun).map(|(webhook, begun)| {
        let at = posted.get(&webhook.id.to_string()).expect("a small stream has its message");
        (*at - *begun).as_seconds_f64() * 1e3
    });
    let small: Vec<_> = times.collect();
    if round.is_some() {
        rig.offline("500").await;
        for number in 0..begun.len() {
            rig.offline(&(1_000 + number).to_string()).await;
        }
        rig.until(IS_FOLLOWED).await;
        // What is left of the large announcement would take seven minutes.
        rig.execute("update announcement set spread_at = null").await;
        rig.execute("delete from post where state = 'pending'").await;
        rig.until(IS_AT_REST).await;
        // A stream that begins soon after the last one goes on in its message, so no trace of this round may remain.
        rig.execute("delete from post").await;
        rig.execute("delete from announcement").await;
    }
    let acknowledgements = report.latency_us.p99 as f64 / 1e3;
    Figures { acknowledgements, posted: posted.len().saturating_sub(begun.len()), small }
}
