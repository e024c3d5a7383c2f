//! A WebSocket server that does what a test tells it, right or wrong.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use showtime::clock::Clock;
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use url::Url;

use crate::support::messages::text;
use crate::support::twitch::CHANNEL_ID;
use crate::support::{PATIENCE, until_some};

/// Accepts connections, and hands them to the test.
pub(crate) struct Sockets {
    addr: SocketAddr,
    accepted: mpsc::UnboundedReceiver<Peer>,
}

/// A connection that a client opened.
pub(crate) struct Peer {
    /// The path and query that it asked for.
    pub(crate) path: String,
    socket: WebSocketStream<TcpStream>,
}

impl Sockets {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, accepted) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut path = String::new();
                #[expect(clippy::result_large_err, reason = "the trait wants it")]
                let look = |request: &Request, response: Response| {
                    path = request.uri().to_string();
                    Ok(response)
                };
                let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, look).await else { continue };
                if sender.send(Peer { path, socket }).is_err() {
                    break;
                }
            }
        });
        Self { addr, accepted }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("ws://{}{path}", self.addr)).unwrap()
    }

    /// Waits for a connection.
    pub(crate) async fn accept(&mut self) -> Peer {
        timeout(PATIENCE, self.accepted.recv()).await.expect("a connection is opened").unwrap()
    }

    /// Waits for a connection, and welcomes it.
    pub(crate) async fn welcome(&mut self, session: &str) -> Peer {
        let mut peer = self.accept().await;
        peer.welcome(session).await;
        peer
    }

    /// Waits for a connection while a clock is put forward.
    pub(crate) async fn accept_in_time(&mut self, clock: &Clock) -> Peer {
        until_some("a connection is opened", async || {
            let accepted = self.accepted.try_recv().ok();
            if accepted.is_none() {
                clock.advance(time::Duration::SECOND);
            }
            accepted
        })
        .await
    }

    /// Whether a connection waits for the test.
    pub(crate) fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }
}

impl Peer {
    pub(crate) async fn welcome(&mut self, session: &str) {
        let session =
            json!({ "id": session, "status": "connected", "keepalive_timeout_seconds": 10, "reconnect_url": null });
        self.send(&frame("session_welcome", json!({ "session": session }))).await;
    }

    pub(crate) async fn keepalive(&mut self) {
        self.send(&frame("session_keepalive", json!({}))).await;
    }

    pub(crate) async fn reconnect(&mut self, url: &str) {
        let session = json!({ "status": "reconnecting", "reconnect_url": url });
        self.send(&frame("session_reconnect", json!({ "session": session }))).await;
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.expect("the client listens");
    }

    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Waits for the client's close frame. It sends nothing else.
    pub(crate) async fn until_closed(&mut self) -> u16 {
        match timeout(PATIENCE, self.socket.next()).await.expect("the client closes") {
            Some(Ok(Message::Close(Some(frame)))) => frame.code.into(),
            other => panic!("the client sent {other:?}"),
        }
    }

    /// Whether the client closes within a moment.
    pub(crate) async fn closes_soon(&mut self) -> bool {
        timeout(Duration::from_millis(200), self.socket.next()).await.is_ok()
    }

    /// Sends frames after the client's close frame, which `tungstenite` does not do.
    pub(crate) async fn send_after_close(self, frames: &[Value]) {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = self.socket.into_inner();
        for frame in frames {
            let text = frame.to_string();
            let length = u16::try_from(text.len()).unwrap().to_be_bytes();
            stream.write_all(&[&[0x81, 126], &length[..], text.as_bytes()].concat()).await.unwrap();
        }
        stream.flush().await.unwrap();
        let error = Error::ConnectionClosed;
        stream.shutdown().await.unwrap_or_else(|it| panic!("{error} {it}"));
    }
}

pub(crate) fn frame(message_type: &str, payload: Value) -> Value {
    let metadata = json!({
        "message_id": uuid::Uuid::new_v4().to_string(),
        "message_type": message_type,
        "message_timestamp": text(Clock::default().now()),
    });
    json!({ "metadata": metadata, "payload": payload })
}

/// A follow by this user, for this session.
pub(crate) fn follow(session: &str, user: u32) -> Value {
    follow_at(session, user, Clock::default().now())
}

pub(crate) fn follow_at(session: &str, user: u32, at: OffsetDateTime) -> Value {
    let at = text(at);
    let mut frame = frame(
        "notification",
        json!({
            "subscription": {
                "id": "5e0c1a2b-3333-4444-8555-666677778888", "status": "enabled", "type": "channel.follow", "version": "2",
                "cost": 0, "condition": { "broadcaster_user_id": CHANNEL_ID, "moderator_user_id": CHANNEL_ID },
                "transport": { "method": "websocket", "session_id": session }, "created_at": at,
            },
            "event": {
                "user_id": user.to_string(), "user_login": format!("user{user}"), "user_name": format!("User{user}"),
                "broadcaster_user_id": CHANNEL_ID, "broadcaster_user_login": "maplearcade",
                "broadcaster_user_name": "MapleArcade", "followed_at": at,
            },
        }),
    );
    frame["metadata"]["message_timestamp"] = at.into();
    frame["metadata"]["subscription_type"] = "channel.follow".into();
    frame["metadata"]["subscription_version"] = "2".into();
    frame
}
