//! The fake Twitch with very many sessions. It is lenient, so that each session gets each event.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{memory, percentiles};

/// Sessions that are being opened at the same time.
const AT_ONCE: usize = 500;

/// The interval of keepalives.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// What a session got.
enum Got {
    Keepalive {
        /// After it was due.
        late: Duration,
    },
    Event(Instant),
    End,
}

/// The fake Twitch as a process of its own, whose memory can be measured.
struct Twitch {
    child: Child,
    host: String,
}

impl Drop for Twitch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Twitch {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-twitch"));
        let mut child = command.args(["--port", "0", "--lenient"]).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let host =
            lines.find_map(|line| Some(line.split_once("fake Twitch is at http://")?.1.split(' ').next()?.to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, host: host.expect("its address") }
    }

    /// Opens a session, and waits for its welcome.
    async fn open(&self) -> WebSocketStream<TcpStream> {
        let stream = TcpStream::connect(&self.host).await.expect("a connection");
        let config = WebSocketConfig::default().read_buffer_size(4 << 10).write_buffer_size(0);
        let url = format!("ws://{}/ws?keepalive_timeout_seconds={}", self.host, KEEPALIVE.as_secs());
        let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await.expect("a WebSocket");
        socket.next().await.expect("a welcome").expect("a frame");
        socket
    }
}

/// Reads a session, and tells what comes.
async fn read(mut socket: WebSocketStream<TcpStream>, got: mpsc::UnboundedSender<Got>) {
    let mut last = Instant::now();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let now = Instant::now();
        let is_keepalive = text.contains("session_keepalive");
        let late = (now - last).saturating_sub(KEEPALIVE);
        let _ = got.send(if is_keepalive { Got::Keepalive { late } } else { Got::Event(now) });
        last = now;
    }
    let _ = got.send(Got::End);
}

pub(crate) async fn run(divisor: u32) {
    let count = 10_000 / divisor as usize;
    let twitch = Arc::new(Twitch::start());
    let (got, mut received) = mpsc::unbounded_channel();
    let (before, begun, at_once) = (memory(twitch.child.id()), Instant::now(), Arc::new(Semaphore::new(AT_ONCE)));
    let opened = (0..count).map(|_| {
        let (twitch, got, at_once) = (twitch.clone(), got.clone(), at_once.clone());
        tokio::spawn(async move {
            let _permit = at_once.acquire().await;
            tokio::spawn(read(twitch.open().await, got));
        })
    });
    let failures = join_all(opened).await.iter().filter(|opened| opened.is_err()).count();
    println!("{count} sessions in {:.2} s, {failures} failures", begun.elapsed().as_secs_f64());
    sleep(Duration::from_secs(1)).await;
    let bytes = memory(twitch.child.id()).saturating_sub(before) / count as u64;
    println!("{bytes} bytes of resident memory per session");

    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("a client");
    let event = format!("http://{}/mock/channels/maplearcade/follow", twitch.host);
    let sent = Instant::now();
    let answer = client.post(event).body(r#"{"user": "quietotter"}"#).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    let (mut events, mut keepalives, mut ended) = (Vec::new(), Vec::new(), 0);
    // Two keepalives of each session.
    let mut remaining = 2 * count;
    let deadline = Instant::now() + KEEPALIVE * 4;
    while remaining > 0
        && let Ok(Some(next)) = tokio::time::timeout_at(deadline, received.recv()).await
    {
        match next {
            Got::Event(at) => events.push(at - sent),
            Got::Keepalive { late } => {
                keepalives.push(late);
                remaining -= 1;
            }
            Got::End => ended += 1,
        }
    }
    println!("one event to {} of {count} sessions: {}", events.len(), percentiles(&mut events));
    println!("{} keepalives late by: {}; {ended} sessions ended", keepalives.len(), percentiles(&mut keepalives));
}
