//! The fake Twitch's WebSocket server.

mod ends;
mod handover;
mod limits;
mod session;

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use showtime::mock::MockConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::PATIENCE;
use crate::support::twitch::{CHANNEL_ID, Twitch};

/// A client of the mock's socket.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

/// How a socket ended: the code and the words, if there was a close frame.
type End = Option<(u16, String)>;

impl Socket {
    pub(crate) async fn open(url: &str) -> Self {
        Self(connect_async(url).await.unwrap().0)
    }

    /// The next frame, or how the socket ended.
    async fn next(&mut self) -> Result<Value, End> {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("nothing comes");
            match next {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| (frame.code.into(), frame.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next frame, which must be of this type.
    async fn frame(&mut self, kind: &str) -> Value {
        let frame = self.next().await.unwrap();
        assert_eq!(frame["metadata"]["message_type"], kind, "{frame}");
        frame
    }

    /// The id that the welcome tells.
    pub(crate) async fn welcome(&mut self) -> String {
        self.frame("session_welcome").await["payload"]["session"]["id"].as_str().unwrap().to_owned()
    }

    /// How it ends, whatever comes before.
    async fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }
}

/// The mock, a user who consented, and a client that calls with the user's token.
pub(crate) struct Fixture {
    pub(crate) twitch: Twitch,
    token: String,
    http: Client,
}

impl Fixture {
    async fn start() -> Self {
        Self::with(MockConfig::default()).await
    }

    async fn with(config: MockConfig) -> Self {
        let twitch = Twitch::with(config).await;
        let token = twitch.consent(&["moderator:read:followers", "bits:read"]).await;
        let token = token.access_token.expose_secret().to_owned();
        Self { twitch, token, http: Client::builder().timeout(PATIENCE).build().unwrap() }
    }

    fn url(&self) -> String {
        self.twitch.mock.websocket_url().to_string()
    }

    async fn open(&self) -> (Socket, String) {
        let mut socket = Socket::open(&self.url()).await;
        let id = socket.welcome().await;
        (socket, id)
    }

    /// A call of Helix with the user's token: status and body.
    async fn helix(&self, method: &str, query: &str, body: &Value) -> (StatusCode, Value) {
        self.helix_as(&self.token, method, query, body).await
    }

    async fn helix_as(&self, token: &str, method: &str, query: &str, body: &Value) -> (StatusCode, Value) {
        let url = format!("{}/eventsub/subscriptions{query}", self.twitch.mock.api_url());
        let request = self.http.request(method.parse().unwrap(), url).bearer_auth(token);
        let request = request.header("Client-Id", MockConfig::default().client_id).json(body);
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    async fn create(&self, kind: &str, session_id: &str) -> (StatusCode, Value) {
        self.create_about(CHANNEL_ID, kind, session_id).await
    }

    async fn create_about(&self, channel_id: &str, kind: &str, session_id: &str) -> (StatusCode, Value) {
        self.helix("POST", "", &subscription(channel_id, kind, session_id)).await
    }

    /// Creates a subscription, and returns its id.
    async fn subscribe(&self, kind: &str, session_id: &str) -> String {
        let (status, body) = self.create(kind, session_id).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        body["data"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The statuses that Helix shows of the user's subscriptions, oldest first.
    async fn statuses(&self) -> Vec<String> {
        let (_, body) = self.helix("GET", "", &json!({})).await;
        let shown = body["data"].as_array().unwrap().iter();
        shown.map(|subscription| subscription["status"].as_str().unwrap().to_owned()).collect()
    }

    /// A call of the control API: status and body.
    async fn control(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let url = format!("{}/mock/{path}", self.twitch.mock.base_url());
        let response = self.http.request(method.parse().unwrap(), url).json(body).send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    /// Lets time pass, second by second, so that what is due in between happens.
    async fn advance(&self, seconds: u64) {
        for _ in 0..seconds {
            self.twitch.clock.advance(time::Duration::seconds(1));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The body of a request to create a subscription.
fn subscription(channel_id: &str, kind: &str, session_id: &str) -> Value {
    let mut condition = json!({ "broadcaster_user_id": channel_id });
    let mut version = "1";
    if kind == "channel.follow" {
        condition["moderator_user_id"] = channel_id.into();
        version = "2";
    }
    json!({
        "type": kind,
        "version": version,
        "condition": condition,
        "transport": { "method": "websocket", "session_id": session_id },
    })
}
