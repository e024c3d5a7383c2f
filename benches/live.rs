//! Cost of the live feeds: time from a message's acknowledgement to its readers, and memory per reader.
//!
//! `cargo bench --bench live` starts a server with a private Postgres, delivers 1,000 signed messages per second for ten
//! seconds and times their acknowledgements and their way to the readers, who read the feed of an overlay. Then it connects 4,000 idle
//! overlays to another server, each by a WebSocket, and shows by how much its memory grows. Options, after `--`:
//!
//! - `--readers N`: how many follow the feed during the deliveries (10)
//! - `--rate N`: messages per second (1,000)
//! - `--server PATH`: the server to measure, to compare with another build
//! - `--brief`: a tenth of everything

#![expect(clippy::expect_used, reason = "a bench may fail")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use showtime::clock::Clock;
use showtime::twitch::catalogue;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use showtime::twitch::signature::WebhookSecret;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

const SECRET: &str = "the secret of the benches";

/// As an overlay opens its feed.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: showtime.heartbeat\r\n";

struct Options {
    /// Readers of the feed. An event is delivered when the last of them has it.
    readers: usize,
    /// Messages per second. Those of the first second are not counted: connections are made and statements prepared.
    rate: u32,
    /// The program to measure.
    server: PathBuf,
    is_brief: bool,
}

impl Options {
    fn read() -> Self {
        let mut options =
            Self { readers: 10, rate: 1_000, server: env!("CARGO_BIN_EXE_server").into(), is_brief: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("a value");
            match argument.as_str() {
                "--readers" => options.readers = value().parse().expect("a number"),
                "--rate" => options.rate = value().parse().expect("a number"),
                "--server" => options.server = value().into(),
                "--brief" => options.is_brief = true,
                // cargo adds options of its own.
                _ => {}
            }
        }
        options
    }
}

/// A server with a private Postgres. Both stop when it is dropped.
struct Server {
    child: Child,
    addr: String,
    /// The header line of each request to read.
    authorization: String,
    _data: tempfile::TempDir,
}

impl Server {
    fn start(program: &Path) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(program)
            .env_clear()
            .envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("SHOWTIME_DATA_DIR", data.path().join("data"))
            .env("TWITCH_WEBHOOK_SECRET", SECRET)
            .env("LISTEN_PORT", "0")
            .env("SHOWTIME_LOG", "warn")
            .current_dir(data.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let said = BufReader::new(child.stdout.take().expect("its output"));
        let mut lines = said.lines().map_while(Result::ok);
        let addr = lines.find_map(|line| Some(line.split_once("serves on http://")?.1.trim().to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        let token = std::fs::read_to_string(data.path().join("data/token"));
        let authorization =
            token.map(|token| format!("Authorization: Bearer {}\r\n", token.trim())).unwrap_or_default();
        Self { child, addr: addr.expect("it serves"), authorization, _data: data }
    }

    /// Opens a feed, with these header lines beside the usual ones. The server answers with this status.
    async fn read(&self, feed: &str, headers: &str, status: u16) -> TcpStream {
        let mut stream = TcpStream::connect(&self.addr).await.expect("a connection");
        let request = format!("GET {feed} HTTP/1.1\r\nHost: localhost\r\n{}{headers}\r\n", self.authorization);
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut head = vec![0; 1024];
        let read = stream.read(&mut head).await.expect("an answer");
        let expected = format!("HTTP/1.1 {status}");
        assert!(head[..read].starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&head[..read]));
        stream
    }

    /// Resident memory in bytes (Linux).
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(Path::new("/proc").join(self.child.id().to_string()).join("status"));
        let status = status.expect("a /proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn message(secret: &WebhookSecret, number: u32) -> (Outgoing, String) {
    let at = Clock::default().now().format(&Rfc3339).expect("a time");
    let event = json!({
        "broadcaster_user_id": "141981764", "broadcaster_user_login": "twitchdev", "broadcaster_user_name": "TwitchDev",
        "user_id": number.to_string(), "user_login": format!("user{number}"), "user_name": format!("User{number}"),
        "followed_at": at,
    });
    let kind = catalogue::find("channel.follow", None).expect("a type");
    let subscription = Subscription::new(kind, &event, "https://hooks.example.org/callback");
    let message = Outgoing::notification(Stamp::new(at), &subscription, &event);
    let signature = message.sign(secret);
    (message, signature)
}

/// Times by message number.
#[derive(Default)]
struct Times {
    /// When the acknowledgement came, and how long it took.
    acknowledged: HashMap<u32, (Instant, Duration)>,
    /// How many readers have it, and since when the last one has.
    seen: HashMap<u32, (usize, Instant)>,
}

impl Times {
    /// Sorted, of the messages from the first counted one on: how long the acknowledgements took, and how much later the last of so
    /// many readers had the event.
    fn sorted(&self, readers: usize, first: u32) -> (Vec<Duration>, Vec<Duration>) {
        let counted = || self.acknowledged.iter().filter(|(number, _)| **number >= first);
        let mut acknowledgements: Vec<_> = counted().map(|(_, (_, took))| *took).collect();
        let mut deliveries: Vec<_> = counted()
            .filter_map(|(number, (at, _))| match self.seen.get(number)? {
                (count, last) if *count == readers => Some(last.saturating_duration_since(*at)),
                _ => None,
            })
            .collect();
        acknowledgements.sort();
        deliveries.sort();
        (acknowledgements, deliveries)
    }
}

/// `p50 1.23 ms, p99 4.56 ms`.
fn percentiles(sorted: &[Duration]) -> String {
    let at =
        |share: usize| sorted.get(sorted.len() * share / 100).map_or(f64::NAN, |took| took.as_secs_f64() * 1_000.0);
    format!("p50 {:.2} ms, p99 {:.2} ms", at(50), at(99))
}

async fn watch(stream: TcpStream, times: Arc<Mutex<Times>>) {
    let mut lines = tokio::io::BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Some((_, rest)) = line.split_once("\"login\":\"user") else { continue };
        let now = Instant::now();
        let number = rest.split('"').next().and_then(|number| number.parse().ok()).expect("a number");
        let mut times = times.lock().expect("not poisoned");
        let seen = times.seen.entry(number).or_insert((0, now));
        *seen = (seen.0 + 1, now);
    }
}

async fn latency(server: &Server, readers: usize, rate: u32, seconds: u32) {
    let secret = WebhookSecret::new(SECRET).expect("a secret");
    let times = Arc::new(Mutex::new(Times::default()));
    for _ in 0..readers {
        tokio::spawn(watch(server.read("/live/alerts", "", 200).await, times.clone()));
    }
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
    let url = format!("http://{}/callback", server.addr);
    let under_way = Arc::new(Semaphore::new(256));
    let mut tick = interval(Duration::from_secs(1) / rate);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    for number in 0..rate + seconds * rate {
        tick.tick().await;
        let permit = under_way.clone().acquire_owned().await.expect("open");
        let (message, signature) = message(&secret, number);
        let request = client.post(&url).body(message.body.clone());
        let headers = message.headers(Some(&signature)).into_iter();
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        let times = times.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let sent = Instant::now();
            let status = request.send().await.map(|answer| answer.status().as_u16());
            let now = Instant::now();
            if matches!(status, Ok(204)) {
                times.lock().expect("not poisoned").acknowledged.insert(number, (now, now - sent));
            }
        });
    }
    let took = begun.elapsed();
    let _ = under_way.acquire_many(256).await;
    sleep(Duration::from_secs(2)).await;
    let times = times.lock().expect("not poisoned");
    let (acknowledgements, deliveries) = times.sorted(readers, rate);
    println!(
        "{} messages in {took:.1?}, {} acknowledged; {} of {} counted ones seen by all {readers} readers",
        rate + seconds * rate,
        times.acknowledged.len(),
        deliveries.len(),
        acknowledgements.len(),
    );
    println!("acknowledgement: {}", percentiles(&acknowledgements));
    println!("from acknowledgement to the last reader: {}", percentiles(&deliveries));
}

async fn memory(server: &Server, overlays: u64) {
    let open = || server.read("/live/alerts", UPGRADE, 101);
    // The cost of the first one is shared by all.
    let mut held = vec![open().await];
    sleep(Duration::from_secs(1)).await;
    let before = server.memory();
    for _ in 0..overlays {
        held.push(open().await);
    }
    sleep(Duration::from_secs(2)).await;
    let after = server.memory();
    println!("{overlays} idle overlays: {} bytes of resident memory each", after.saturating_sub(before) / overlays);
}

#[tokio::main]
async fn main() {
    let Options { readers, rate, server, is_brief } = Options::read();
    latency(&Server::start(&server), readers, rate, if is_brief { 1 } else { 10 }).await;
    memory(&Server::start(&server), if is_brief { 500 } else { 4_000 }).await;
}
