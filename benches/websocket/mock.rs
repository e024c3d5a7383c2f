//! The fake Twitch with very many sessions. It is lenient, so that each session gets each event.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::sync::CancellationToken;

use super::{memory, percentiles};

/// Sessions that are being opened at the same time.
const AT_ONCE: usize = 500;

/// The interval of keepalives.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How long sessions may take to move. The fake Twitch grants 30 s.
const MOVE_TIMEOUT: Duration = Duration::from_secs(40);

/// For how long there are events before and after the sessions move.
const BESIDE: Duration = Duration::from_secs(2);

/// How long the last events may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections over which events are asked for. Together they ask this often.
const SENDERS: u32 = 64;
const EVENTS_PER_SECOND: u32 = 1_000;

type Socket = WebSocketStream<TcpStream>;

/// What a session got.
enum Got {
    Keepalive {
        /// After it was due.
        late: Duration,
    },
    /// The bits of a cheer, or 0.
    Event(Instant, usize),
    /// So long after it was asked to.
    Moved(Duration),
    End,
}

/// The fake Twitch as a process of its own, whose memory can be measured.
struct Twitch {
    child: Child,
    host: String,
    at_once: Semaphore,
    client: reqwest::Client,
}

impl Drop for Twitch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Twitch {
    fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        let mut child = command.args(["--port", "0", "--lenient"]).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let host =
            lines.find_map(|line| Some(line.split_once("fake Twitch is at http://")?.1.split(' ').next()?.to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("a client");
        Self { child, host: host.expect("its address"), at_once: Semaphore::new(AT_ONCE), client }
    }

    /// Opens a session or follows a request to reconnect. Returns the id that the welcome tells.
    async fn open(&self, url: Option<&str>) -> (Socket, String) {
        let _permit = self.at_once.acquire().await;
        let stream = TcpStream::connect(&self.host).await.expect("a connection");
        let config = WebSocketConfig::default().read_buffer_size(4 << 10).write_buffer_size(0);
        let fresh = || format!("ws://{}/ws?keepalive_timeout_seconds={}", self.host, KEEPALIVE.as_secs());
        let url = url.map_or_else(fresh, str::to_owned);
        let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await.expect("a WebSocket");
        let welcome = socket.next().await.expect("a welcome").expect("a frame").into_text().expect("a text");
        let welcome: Value = serde_json::from_str(&welcome).expect("JSON");
        let id = welcome["payload"]["session"]["id"].as_str().expect("a welcome").to_owned();
        (socket, id)
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://{}/mock/{path}", self.host);
        let answer = self.client.post(url).body(body.to_string()).send().await.expect("an answer");
        let (status, body) = (answer.status(), answer.bytes().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {:.200}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }
}

/// Reads a session, follows requests to reconnect, and tells what comes.
async fn read(twitch: Arc<Twitch>, mut socket: Socket, got: mpsc::UnboundedSender<Got>) {
    let mut last = Instant::now();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let now = Instant::now();
        if text.contains("session_reconnect") {
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            let url = frame["payload"]["session"]["reconnect_url"].as_str().expect("a URL");
            let old = std::mem::replace(&mut socket, twitch.open(Some(url)).await.0);
            let _ = got.send(Got::Moved(now.elapsed()));
            tokio::spawn(read_to_end(old, got.clone()));
        } else if text.contains("session_keepalive") {
            let _ = got.send(Got::Keepalive { late: (now - last).saturating_sub(KEEPALIVE) });
        } else {
            let _ = got.send(Got::Event(now, bits(&text)));
        }
        last = now;
    }
    let _ = got.send(Got::End);
}

/// Closes the connection of a session that has moved, and reads what is still under way on it.
async fn read_to_end(mut socket: Socket, got: mpsc::UnboundedSender<Got>) {
    let _ = socket.close(None).await;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message
            && text.contains("\"notification\"")
        {
            let _ = got.send(Got::Event(Instant::now(), bits(&text)));
        }
    }
}

/// The bits of a cheer, without parsing all of it.
fn bits(text: &str) -> usize {
    let Some((_, rest)) = text.split_once("\"bits\":") else { return 0 };
    rest.split(|next: char| !next.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

pub(crate) async fn run(program: &Path, divisor: u32) {
    let count = 10_000 / divisor as usize;
    let twitch = Arc::new(Twitch::start(program));
    let (got, mut received) = mpsc::unbounded_channel();
    let (before, begun) = (memory(twitch.child.id()), Instant::now());
    let opened = (0..count).map(|_| {
        let (twitch, got) = (twitch.clone(), got.clone());
        tokio::spawn(async move {
            let (socket, id) = twitch.open(None).await;
            tokio::spawn(read(twitch, socket, got));
            id
        })
    });
    let opened = join_all(opened).await;
    let sessions: Vec<_> = opened.into_iter().filter_map(Result::ok).collect();
    let failures = count - sessions.len();
    println!("{count} sessions, {AT_ONCE} at a time, in {:.2} s, {failures} failures", begun.elapsed().as_secs_f64());
    sleep(Duration::from_secs(1)).await;
    let bytes = memory(twitch.child.id()).saturating_sub(before) / count as u64;
    println!("{bytes} bytes of resident memory per session");
    spread(&twitch, count, &mut received).await;
    moves(&twitch, &sessions, &mut received).await;
    let bytes = memory(twitch.child.id()).saturating_sub(before) / count as u64;
    println!("{bytes} bytes of resident memory per session at the end");
}

/// One event to all sessions, then two keepalives of each.
async fn spread(twitch: &Twitch, count: usize, received: &mut mpsc::UnboundedReceiver<Got>) {
    let sent = Instant::now();
    twitch.post("channels/maplearcade/follow", &json!({ "user": "quietotter" })).await;
    let (mut events, mut keepalives, mut ended) = (Vec::new(), Vec::new(), 0);
    let deadline = Instant::now() + KEEPALIVE * 4;
    while keepalives.len() < 2 * count
        && let Ok(Some(next)) = timeout_at(deadline, received.recv()).await
    {
        match next {
            Got::Event(at, _) => events.push(at - sent),
            Got::Keepalive { late } => keepalives.push(late),
            Got::Moved(_) => {}
            Got::End => ended += 1,
        }
    }
    println!("one event to {} of {count} sessions: {}", events.len(), percentiles(&mut events));
    println!("{} keepalives late by: {}; {ended} sessions ended", keepalives.len(), percentiles(&mut keepalives));
}

/// All sessions are asked to reconnect at once, while each event goes to one of them.
async fn moves(twitch: &Arc<Twitch>, sessions: &[String], received: &mut mpsc::UnboundedReceiver<Got>) {
    let (begun, stop) = (Instant::now(), CancellationToken::new());
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| tokio::spawn(send(twitch.clone(), sessions.to_vec(), sender as usize, stop.clone())))
        .collect();
    sleep(BESIDE).await;
    let asked = Instant::now();
    twitch.post("websocket/reconnect", &json!({})).await;
    let mut moved = Moved::default();
    moved.until(received, asked + MOVE_TIMEOUT, |moved| moved.times.len() >= sessions.len()).await;
    sleep(BESIDE).await;
    stop.cancel();
    let sent: usize = join_all(senders).await.into_iter().map(|sent| sent.expect("a sender")).sum();
    let rate = sent as f64 / begun.elapsed().as_secs_f64();
    moved.until(received, Instant::now() + PATIENCE, |moved| moved.events.len() >= sent).await;
    let got = moved.events.len();
    moved.events.sort_unstable();
    moved.events.dedup();
    let distinct = moved.events.len();
    println!(
        "{} of {} sessions moved under {rate:.0} events/s: {}; {} of {sent} events lost, {} doubled; {} sessions ended",
        moved.times.len(),
        sessions.len(),
        percentiles(&mut moved.times),
        sent - distinct,
        got - distinct,
        moved.ended,
    );
}

/// What happened while all sessions moved.
#[derive(Default)]
struct Moved {
    times: Vec<Duration>,
    events: Vec<usize>,
    ended: usize,
}

impl Moved {
    async fn until(
        &mut self,
        received: &mut mpsc::UnboundedReceiver<Got>,
        deadline: Instant,
        is_done: impl Fn(&Self) -> bool,
    ) {
        while !is_done(self)
            && let Ok(Some(next)) = timeout_at(deadline, received.recv()).await
        {
            match next {
                Got::Event(_, number) => self.events.push(number),
                Got::Moved(took) => self.times.push(took),
                Got::Keepalive { .. } => {}
                Got::End => self.ended += 1,
            }
        }
    }
}

/// Sends each session in turn an event of its own, until it is stopped. Returns how many.
async fn send(twitch: Arc<Twitch>, sessions: Vec<String>, sender: usize, stop: CancellationToken) -> usize {
    let mut tick = interval(Duration::from_secs(1) * SENDERS / EVENTS_PER_SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let numbers = (1 + sender..).step_by(SENDERS as usize);
    let mut sent = 0;
    for number in numbers {
        if stop.run_until_cancelled(tick.tick()).await.is_none() {
            break;
        }
        let session = &sessions[number % sessions.len()];
        let event = json!({ "type": "channel.cheer", "session": session, "set": [format!("bits={number}")] });
        let answer = twitch.post("events", &event).await;
        assert_eq!(answer["messages"], 1, "{answer}");
        sent += 1;
    }
    sent
}
