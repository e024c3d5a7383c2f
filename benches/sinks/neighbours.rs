//! What a sink costs the acknowledgements and another sink.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::load::mix::Mix;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::figures::percentile;
use super::rabbit::Reader;
use super::rig::{Rig, add_sink, remove_sink};
use super::server::Server;
use super::way::Way;

const RATE: u32 = 1_000;

const ROUNDS: u32 = 5;

const WARM_UP: Duration = Duration::from_secs(2);

const MEASURED: Duration = Duration::from_secs(10);

/// By so much later a slow broker gets and answers everything.
const DELAY: Duration = Duration::from_secs(1);

/// For a new sink to connect, or to fail for the first time.
const SETTLING: Duration = Duration::from_secs(2);

/// The exchange and the queue of the sink that is measured.
const MEASURED_QUEUE: &str = "measured";

pub(crate) async fn run(program: &Path, divisor: u32) {
    let rig = Rig::start(program).await;
    let server = rig.serve(&[]).await;
    rig.rabbit.declare_exchange(MEASURED_QUEUE).await;
    drop(Reader::open(&rig.rabbit, MEASURED_QUEUE, Some((MEASURED_QUEUE, "#"))).await);
    let (away, mut slow) = (Way::new(rig.rabbit.port, Duration::ZERO), Way::new(rig.rabbit.port, DELAY));
    slow.open().await;
    server.load(Mix::Chat, RATE, Duration::ZERO, WARM_UP, CancellationToken::new()).await;
    println!(
        "\n| the sink's receiver is | p99 of acknowledgements, ms | without | median of the ratios | p99 of another sink, ms | \
        without | median of the ratios |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let mut neighbours = Neighbours { rig: &rig, server: &server, delays: Arc::default(), is_alone: true };
    let rounds = (ROUNDS * 2 / divisor).clamp(1, ROUNDS);
    neighbours.compare("well", &rig.rabbit.url(), rounds).await;
    add_sink(&server, "another", &rig.rabbit.url(), json!({})).await;
    neighbours.is_alone = false;
    let _reading = AbortOnDropHandle::new(tokio::spawn(read(rig.reader().await, neighbours.delays.clone())));
    for (kind, url) in [("away", away.url()), ("slow", slow.url()), ("refusing", rig.rabbit.url_of("guest", "wrong"))] {
        neighbours.compare(kind, &url, rounds).await;
    }
}

/// Milliseconds from the receipt of an event until its message is read.
type Delays = Arc<Mutex<Vec<f64>>>;

async fn read(mut reader: Reader, delays: Delays) {
    let clock = Clock::default();
    loop {
        let event: Value = serde_json::from_slice(&reader.next().await.data).expect("an event");
        let received_at = OffsetDateTime::parse(event["received_at"].as_str().expect("a time"), &Rfc3339);
        let delay = clock.now() - received_at.expect("a time");
        delays.lock().unwrap_or_else(PoisonError::into_inner).push(delay.as_seconds_f64() * 1e3);
    }
}

struct Neighbours<'a> {
    rig: &'a Rig,
    server: &'a Server,
    /// Of the other sink.
    delays: Delays,
    /// Whether there is no other sink.
    is_alone: bool,
}

/// p99 in milliseconds.
struct Figures {
    acknowledgements: f64,
    another_sink: f64,
}

impl Neighbours<'_> {
    /// Measures with a sink and without it, in turn, and prints the medians.
    async fn compare(&self, kind: &str, url: &str, rounds: u32) {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            // Each goes first in turn.
            if round % 2 == 0 {
                without.push(self.measure().await);
            }
            add_sink(self.server, kind, url, json!({ "settings": { "exchange": MEASURED_QUEUE } })).await;
            sleep(SETTLING).await;
            with.push(self.measure().await);
            remove_sink(self.server, kind).await;
            sleep(SETTLING).await;
            if round % 2 == 1 {
                without.push(self.measure().await);
            }
            self.rig.purge(MEASURED_QUEUE).await;
        }
        let acknowledgements = compared(&with, &without, |figures| figures.acknowledgements);
        let another =
            if self.is_alone { "| | | ".to_owned() } else { compared(&with, &without, |figures| figures.another_sink) };
        println!("| {kind} {acknowledgements}{another}|");
    }

    async fn measure(&self) -> Figures {
        let take = || std::mem::take(&mut *self.delays.lock().unwrap_or_else(PoisonError::into_inner));
        drop(take());
        let report = self.server.load(Mix::Chat, RATE, WARM_UP, MEASURED, CancellationToken::new()).await;
        assert_eq!(report.acknowledged, report.sent, "all are acknowledged");
        let another_sink = percentile(&mut take(), 99);
        Figures { acknowledgements: report.latency_us.p99 as f64 / 1e3, another_sink }
    }
}

/// Three columns of the table.
fn compared(with: &[Figures], without: &[Figures], figure: impl Fn(&Figures) -> f64) -> String {
    let middle = |figures: &[Figures]| percentile(&mut figures.iter().map(&figure).collect::<Vec<_>>(), 50);
    let ratios = with.iter().zip(without).map(|(with, without)| figure(with) / figure(without));
    let ratio = percentile(&mut ratios.collect::<Vec<_>>(), 50);
    format!("| {:.2} | {:.2} | {:.2} ", middle(with), middle(without), ratio)
}
