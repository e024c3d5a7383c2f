//! What a bot with 700,000 servers asks for.

use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt as _, future::join_all};
use rand::RngExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::Webhook;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::figures::percentile;
use super::rig::Rig;

/// Tracks, and the Twitch channels that they are of.
const TRACKS: usize = 1_120_000;
const STREAMERS: usize = 10_000;

/// Tracks in a request.
const BATCH: usize = 1_000;

/// Channels that are looked up.
const LOOKUPS: usize = 2_000;

/// Channels that are tracked, and how many in a second.
const CALLS: (usize, u64) = (2_000, 200);

/// Processes of the bot.
const PROCESSES: u32 = 300;

/// Messages of which the processes are told.
const TOLD: usize = 2_000;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(program: &Path, divisor: u32) {
    let rig = Rig::start(program, 0).await;
    let (tracks, streamers) = (TRACKS / divisor as usize, STREAMERS / divisor as usize);
    for number in 0..streamers {
        rig.update(&streamer(number)).await;
    }
    let began = rig.clock.instant();
    for first in (0..tracks).step_by(BATCH) {
        rig.track_all(&(first..first + BATCH).map(|number| item(number, streamers)).collect::<Vec<_>>()).await;
    }
    let added = tracks as f64 / (rig.clock.instant() - began).as_secs_f64();
    rig.execute("vacuum analyze").await;
    let (rig, restarted) = rig.restart().await;
    println!("\n| with {tracks} tracks | |\n|---|---:|");
    println!("| tracks added per second, {BATCH} in a request | {added:.0} |");
    println!("| from the start of the server until it is ready | {:.0} ms |", restarted.as_secs_f64() * 1e3);
    tokens(&rig).await;
    lookups(&rig, tracks).await;
    calls(&rig, streamers).await;
    events(&rig).await;
    println!("| memory of the server | {:.0} MB |", rig.server.memory() as f64 / 1e6);
}

fn streamer(number: usize) -> String {
    (1_000_000 + number).to_string()
}

/// A Discord channel that exists nowhere: webhooks of a batch are not verified.
fn item(number: usize, streamers: usize) -> Value {
    let id = |base: u64| (base + number as u64).to_string();
    json!({
        "channel_id": id(200_000_000_000_000_000),
        // Nearly two channels in a server.
        "guild_id": (300_000_000_000_000_000_u64 + ((number as u64 * 5 / 8) << 22)).to_string(),
        "webhook": { "id": id(400_000_000_000_000_000), "token": format!("{number:068}") },
        "name": streamer(number % streamers),
    })
}

/// All processes get a token at once from a server that has just started.
async fn tokens(rig: &Rig) {
    let began = rig.clock.instant();
    join_all((0..PROCESSES).map(|shard| rig.new_token(shard))).await;
    println!("| {PROCESSES} tokens at once | {:.1} s |", (rig.clock.instant() - began).as_secs_f64());
}

async fn lookups(rig: &Rig, tracks: usize) {
    let mut times = Vec::new();
    for _ in 0..LOOKUPS {
        let id = 200_000_000_000_000_000 + rand::rng().random_range(0..tracks) as u64;
        let began = rig.clock.instant();
        rig.send(Method::GET, &format!("/v2/channels/{id}"), None).await;
        times.push((rig.clock.instant() - began).as_secs_f64() * 1e3);
    }
    let (half, most) = (percentile(&mut times, 50), percentile(&mut times, 99));
    println!("| a channel of Discord with its tracks, p50 and p99 of {LOOKUPS} | {half:.1} and {most:.1} ms |");
}

/// Tracks streams over new webhooks, each of which Discord is asked about.
async fn calls(rig: &Rig, streamers: usize) {
    let webhooks = rig.new_webhooks(CALLS.0, "tracked");
    let mut ticks = interval(Duration::from_millis(1_000 / CALLS.1));
    let mut calls = JoinSet::new();
    for (number, webhook) in webhooks.iter().enumerate() {
        ticks.tick().await;
        let url = rig.server.url(&format!("/v1/api/{}/{}", webhook.channel_id, streamer(number % streamers)));
        let body = json!({ "id": webhook.id, "token": webhook.token });
        let request = rig.server.client.post(url).bearer_auth(&rig.bot.token).json(&body);
        let clock = rig.clock.clone();
        calls.spawn(async move {
            let began = clock.instant();
            assert_eq!(request.send().await.expect("an answer").status(), 201);
            (clock.instant() - began).as_secs_f64() * 1e3
        });
    }
    let mut times = calls.join_all().await;
    let (half, most) = (percentile(&mut times, 50), percentile(&mut times, 99));
    let (count, rate) = CALLS;
    println!("| one track at {rate}/s, Discord is asked, p50 and p99 of {count} | {half:.1} and {most:.1} ms |");
}

/// Every process reads its events while a stream is announced in many channels.
async fn events(rig: &Rig) {
    rig.update("500").await;
    let webhooks: Vec<Webhook> = rig.new_webhooks(TOLD, "told");
    rig.track(&webhooks, "500").await;
    let (sender, mut receiver) = mpsc::channel(TOLD);
    let mut readers = JoinSet::new();
    for shard in 0..PROCESSES {
        let url = rig.server.url(&format!("/v2/events?shard={shard}&shard_count={PROCESSES}"));
        let request = rig.server.client.get(url).bearer_auth(&rig.bot.token).timeout(PATIENCE * 5);
        let answer = request.header("accept", "text/event-stream").send().await.expect("an answer");
        let (clock, sender) = (rig.clock.clone(), sender.clone());
        readers.spawn(async move {
            let (mut stream, mut text) = (answer.bytes_stream(), String::new());
            while let Some(Ok(bytes)) = stream.next().await {
                text.push_str(&String::from_utf8_lossy(&bytes));
                while let Some((line, rest)) = text.split_once('\n') {
                    if let Some(data) = line.strip_prefix("data: ").filter(|data| data.contains("post_created")) {
                        let event: Value = serde_json::from_str(data).expect("an event");
                        let at = OffsetDateTime::parse(event["at"].as_str().expect("a time"), &Rfc3339);
                        let delay = (clock.now() - at.expect("a time")).as_seconds_f64() * 1e3;
                        sender.send(delay).await.expect("it is counted");
                    }
                    text = rest.to_owned();
                }
            }
        });
    }
    rig.online("500", "5001").await;
    let mut times = Vec::with_capacity(TOLD);
    while times.len() < TOLD {
        times.push(timeout(PATIENCE, receiver.recv()).await.expect("an event").expect("a reader"));
    }
    let (half, most) = (percentile(&mut times, 50), percentile(&mut times, 99));
    println!("| an event to one of {PROCESSES} streams, p50 and p99 of {TOLD} | {half:.0} and {most:.0} ms |");
}
