//! A receiver of webhooks, which verifies them as its owner would.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// A request that had an effect.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The type of the event in the body.
    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether it is signed with this key, by an independent implementation.
    pub(crate) fn is_signed_with(&self, key: &str) -> bool {
        standardwebhooks::Webhook::new(key).unwrap().verify(&self.body, &self.headers).is_ok()
    }
}

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Answers with this status and one header.
    With(u16, &'static str, &'static str),
    /// Answers 200 with a body that never ends.
    Huge,
    /// Has the effect, and never answers.
    Hang,
    /// Ends the connection before the request has an effect.
    CutBefore,
    /// Ends the connection after the request had its effect.
    CutAfter,
}

type Respond = Box<dyn FnMut(&Received) -> Reply + Send>;

struct State {
    respond: Mutex<Respond>,
    received: Mutex<Vec<Received>>,
    connects: AtomicUsize,
}

/// A server on a port of its own, until it is dropped.
pub(crate) struct Receiver {
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(respond: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), respond)
    }

    pub(crate) fn on(listener: TcpListener, respond: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        let state = Arc::new(State {
            respond: Mutex::new(Box::new(respond)),
            received: Mutex::default(),
            connects: AtomicUsize::new(0),
        });
        let addr = listener.local_addr().unwrap();
        let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, state.clone())));
        Self { addr, state, _task: task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook-of-hunter2", self.addr)
    }

    /// Replies so from now on.
    pub(crate) fn reply(&self, respond: impl FnMut(&Received) -> Reply + Send + 'static) {
        *self.state.respond.lock().unwrap() = Box::new(respond);
    }

    /// Requests that had an effect, oldest first.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.received().iter().map(Received::kind).collect()
    }

    /// Ids of requests that had an effect, without repeats, in the order in which they came first.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.received().iter().map(Received::id).filter(|id| seen.insert(id.clone())).collect()
    }

    pub(crate) fn connects(&self) -> usize {
        self.state.connects.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        state.connects.fetch_add(1, Ordering::SeqCst);
        let state = state.clone();
        connections.spawn(async move {
            let mut stream = BufReader::new(stream);
            while let Some(request) = read(&mut stream).await {
                if serve(&mut stream, &state, request).await.is_none() {
                    return;
                }
            }
        });
    }
}

/// Answers a request. `None` if the connection ends.
async fn serve(stream: &mut BufReader<TcpStream>, state: &State, request: Received) -> Option<()> {
    let reply = (state.respond.lock().unwrap())(&request);
    if !matches!(reply, Reply::CutBefore) {
        state.received.lock().unwrap().push(request);
    }
    let (status, header) = match reply {
        Reply::Status(status) => (status, "x-none: 0".to_owned()),
        Reply::With(status, name, value) => (status, format!("{name}: {value}")),
        Reply::Huge => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
            loop {
                stream.write_all(format!("1000\r\n{}\r\n", "x".repeat(0x1000)).as_bytes()).await.ok()?;
            }
        }
        Reply::Hang => std::future::pending().await,
        Reply::CutBefore | Reply::CutAfter => return None,
    };
    let answer = format!("HTTP/1.1 {status} Said\r\n{header}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let (mut headers, mut line) = (HeaderMap::new(), String::new());
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("POST /hook-of-hunter2 "), "{line}");
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { headers, body })
}
