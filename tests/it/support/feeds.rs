//! Readers of the live feeds.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::PATIENCE;
use super::server::{Server, TOKEN};

/// An event of a feed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeedEvent {
    pub(crate) id: Option<i64>,
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// A reader of Server-Sent Events, as strict as a browser.
pub(crate) struct Sse {
    response: reqwest::Response,
    text: String,
    /// The last id, of an event or alone.
    pub(crate) last_id: Option<i64>,
    pub(crate) comments: Vec<String>,
    /// The value of `retry`, in milliseconds.
    pub(crate) retry: Option<String>,
}

impl Sse {
    /// Opens a feed, and returns when the server has taken the reader in.
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        Self::resume(server, path, None).await
    }

    /// Reconnects with the last id, as a browser does.
    pub(crate) async fn resume(server: &Server, path: &str, last_id: Option<i64>) -> Self {
        let headers: Vec<_> = last_id.map(|id| ("last-event-id", id.to_string())).into_iter().collect();
        Self::open_with(server, path, &headers).await
    }

    pub(crate) async fn open_with(server: &Server, path: &str, headers: &[(&'static str, String)]) -> Self {
        let response = server.open(path, headers).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        // The header is for nginx, which does not pass it on.
        if response.headers().get("server").is_none_or(|server| server != "nginx") {
            assert_eq!(response.headers()["x-accel-buffering"], "no");
        }
        let mut sse = Self { response, text: String::new(), last_id: None, comments: Vec::new(), retry: None };
        // `retry` comes when the server has taken the reader in.
        while sse.retry.is_none() {
            assert_eq!(sse.block().await, Some(None), "{path}");
        }
        sse
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<FeedEvent> {
        loop {
            if let Some(event) = self.block().await? {
                return Some(event);
            }
        }
    }

    /// The next events.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<FeedEvent> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next().await.unwrap_or_else(|| panic!("it ended: {:?} {:?}", self.comments, events)));
        }
        events
    }

    /// The ids of the next events.
    pub(crate) async fn ids(&mut self, count: usize) -> Vec<i64> {
        self.take(count).await.into_iter().map(|event| event.id.unwrap()).collect()
    }

    /// Waits for a comment.
    pub(crate) async fn comment(&mut self, text: &str) {
        while !self.comments.iter().any(|comment| comment == text) {
            assert_eq!(self.block().await, Some(None));
        }
    }

    /// One block: `None` at the end of the stream, `Some(None)` if it is no event.
    async fn block(&mut self) -> Option<Option<FeedEvent>> {
        while !self.text.contains("\n\n") {
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("something comes");
            let Ok(Some(chunk)) = chunk else { return None };
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let (block, rest) = self.text.split_once("\n\n").unwrap();
        let (block, rest) = (block.to_owned(), rest.to_owned());
        self.text = rest;
        let (mut id, mut event, mut data) = (None, None, Vec::new());
        for line in block.lines() {
            match line.split_once(": ").unwrap_or_else(|| panic!("{line:?}")) {
                ("", comment) => self.comments.push(comment.to_owned()),
                ("id", text) => id = Some(text.parse().unwrap()),
                ("event", name) => event = Some(name.to_owned()),
                ("data", line) => data.push(line.to_owned()),
                ("retry", time) => self.retry = Some(time.to_owned()),
                _ => panic!("{line:?}"),
            }
        }
        self.last_id = id.or(self.last_id);
        let event = event.map(|event| FeedEvent { id, event, data: serde_json::from_str(&data.join("\n")).unwrap() });
        Some(event)
    }
}

/// A reader over a WebSocket. Answers pings by itself.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        Self::open_with(server, path, TOKEN).await
    }

    pub(crate) async fn open_with(server: &Server, path: &str, token: &str) -> Self {
        let (socket, answer) = tokio_tungstenite::connect_async(upgrade(server, path, token)).await.unwrap();
        assert_eq!(answer.status(), 101);
        Self(socket)
    }

    /// Offers these subprotocols, separated by commas.
    pub(crate) async fn open_for(server: &Server, path: &str, protocols: &str) -> Self {
        let mut request = upgrade(server, path, TOKEN);
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
        Self(tokio_tungstenite::connect_async(request).await.unwrap().0)
    }

    /// The status with which a connection is refused.
    pub(crate) async fn refused(server: &Server, path: &str) -> u16 {
        match tokio_tungstenite::connect_async(upgrade(server, path, TOKEN)).await {
            Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            other => panic!("{other:?}"),
        }
    }

    /// Sends a text.
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message of any kind.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.0.next()).await.expect("something comes")?.ok()
    }

    /// The next event, or the close frame.
    pub(crate) async fn next(&mut self) -> Result<FeedEvent, Option<CloseFrame>> {
        loop {
            match self.message().await {
                Some(Message::Text(text)) => {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    let event = FeedEvent {
                        id: value.get("id").map(|id| id.as_i64().unwrap()),
                        event: value["event"].as_str().unwrap().to_owned(),
                        data: value["data"].clone(),
                    };
                    return Ok(event);
                }
                Some(Message::Close(reason)) => return Err(reason),
                Some(_) => {}
                None => return Err(None),
            }
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<FeedEvent> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next().await.unwrap_or_else(|reason| panic!("{reason:?} {events:?}")));
        }
        events
    }
}

fn upgrade(server: &Server, path: &str, token: &str) -> Request {
    let mut request = format!("ws://{}{path}", server.addr).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// The bytes of a request for a feed.
pub(crate) fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\r\n")
}
