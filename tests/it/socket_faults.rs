//! Faults of the mock's WebSockets, seen from a client that subscribes by twitch-cli's addresses.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use showtime::mock::{Faults, MockConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch};
use crate::support::{PATIENCE, until};

/// A client of one session.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
}

impl Client {
    async fn connect(twitch: &Twitch) -> Self {
        let (socket, _) = connect_async(twitch.mock.websocket_url().as_str()).await.unwrap();
        Self::welcomed(socket).await
    }

    async fn welcomed(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        let mut client = Self { socket, session: String::new() };
        let welcome = client.frame().await;
        assert_eq!(welcome["metadata"]["message_type"], "session_welcome");
        client.session = welcome["payload"]["session"]["id"].as_str().unwrap().to_owned();
        client
    }

    /// Connects and subscribes to cheers.
    async fn subscribed(twitch: &Twitch) -> Self {
        let client = Self::connect(twitch).await;
        assert_eq!(client.subscribe(twitch).await, 202);
        client
    }

    async fn subscribe(&self, twitch: &Twitch) -> u16 {
        let body = json!({
            "type": "channel.cheer",
            "version": "1",
            "condition": { "broadcaster_user_id": CHANNEL_ID },
            "transport": { "method": "websocket", "session_id": self.session },
        });
        let request = twitch.browser.post(format!("{}/eventsub/subscriptions", twitch.mock.base_url()));
        request.header("Client-Id", "any").json(&body).send().await.unwrap().status().as_u16()
    }

    async fn next(&mut self) -> Option<Result<Message, Error>> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a frame") {
                Some(Ok(Message::Ping(_))) => {}
                other => return other,
            }
        }
    }

    async fn frame(&mut self) -> Value {
        match self.next().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The bits of the next messages.
    async fn bits(&mut self, count: usize) -> Vec<u64> {
        let mut bits = Vec::new();
        while bits.len() < count {
            bits.push(self.frame().await["payload"]["event"]["bits"].as_u64().unwrap());
        }
        bits
    }

    async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await {
                Some(Ok(Message::Close(Some(close)))) => return close.code.into(),
                Some(Ok(Message::Text(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn cheer(twitch: &Twitch, bits: u32) {
    assert_eq!(twitch.mock.world.cheer(CHANNEL, "quietotter", bits).unwrap(), 1);
}

fn set(twitch: &Twitch, faults: Faults) {
    twitch.mock.world.set_faults(faults).unwrap();
}

/// The status of the only subscription.
fn status(twitch: &Twitch) -> String {
    twitch.mock.world.subscriptions()[0].status.to_string()
}

#[tokio::test]
async fn message_is_sent_twice_out_of_order_late_and_in_fragments() {
    let twitch = Twitch::start().await;
    let mut client = Client::subscribed(&twitch).await;
    set(&twitch, Faults { ws_duplicate: 1.0, ws_fragment: 1.0, ..Faults::default() });
    cheer(&twitch, 1);
    let (first, second) = (client.frame().await, client.frame().await);
    assert_eq!(first["metadata"]["message_id"], second["metadata"]["message_id"]);

    set(&twitch, Faults { ws_reorder: 1.0, ..Faults::default() });
    cheer(&twitch, 2);
    set(&twitch, Faults::default());
    cheer(&twitch, 3);
    assert_eq!(client.bits(2).await, [3, 2]);

    set(&twitch, Faults { ws_delay: 1.0, delay_ms: 3_600_000, ..Faults::default() });
    cheer(&twitch, 4);
    set(&twitch, Faults::default());
    cheer(&twitch, 5);
    assert_eq!(client.bits(1).await, [5]);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn strange_frames_come_before_a_message() {
    let twitch = Twitch::start().await;
    let mut client = Client::subscribed(&twitch).await;
    set(&twitch, Faults { ws_unknown_type: 1.0, ws_oversize: 1.0, ..Faults::default() });
    cheer(&twitch, 7);
    assert_eq!(client.frame().await["metadata"]["message_type"], "session_weather");
    assert!(client.frame().await.to_string().len() > 1024 * 1024);
    assert_eq!(client.bits(1).await, [7]);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn socket_is_closed_or_cut_after_a_message() {
    let twitch = Twitch::start().await;
    for (faults, code) in [
        (Faults { ws_close: 1.0, ..Faults::default() }, Some(4000)),
        (Faults { ws_close: 1.0, ws_close_code: 4006, ..Faults::default() }, Some(4006)),
        (Faults { ws_abort: 1.0, ..Faults::default() }, None),
    ] {
        let mut client = Client::subscribed(&twitch).await;
        set(&twitch, faults);
        cheer(&twitch, 7);
        assert_eq!(client.bits(1).await, [7]);
        match code {
            Some(code) => assert_eq!(client.close_code().await, code),
            None => assert!(!matches!(client.next().await, Some(Ok(_))), "no close frame"),
        }
        set(&twitch, Faults::default());
    }
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn silent_and_half_open_sockets_send_nothing_but_their_sessions_live() {
    let twitch = Twitch::start().await;
    for faults in [Faults { ws_silence: 1.0, ..Faults::default() }, Faults { ws_half_open: 1.0, ..Faults::default() }] {
        let mut client = Client::subscribed(&twitch).await;
        set(&twitch, faults);
        cheer(&twitch, 7);
        assert_eq!(client.bits(1).await, [7]);
        set(&twitch, Faults::default());
        let delivered = twitch.mock.world.delivered_to_sockets();
        twitch.mock.world.cheer(CHANNEL, "quietotter", 8).unwrap();
        twitch.clock.advance(time::Duration::seconds(11));
        let silence = timeout(Duration::from_millis(300), client.socket.next()).await;
        assert!(silence.is_err(), "{silence:?}");
        assert_eq!(twitch.mock.world.delivered_to_sockets(), delivered);
        drop(client);
        twitch.clock.advance(time::Duration::seconds(11));
        until("the session has ended", async || twitch.mock.world.sessions().is_empty()).await;
    }
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn subscriptions_of_a_zombie_stay_enabled_for_a_while() {
    let twitch = Twitch::start().await;
    set(&twitch, Faults { ws_zombie_s: 20, ..Faults::default() });
    drop(Client::subscribed(&twitch).await);
    until("the session has ended", async || twitch.mock.world.sessions().is_empty()).await;
    assert_eq!(status(&twitch), "enabled");
    until("it ends", async || {
        twitch.clock.advance(time::Duration::seconds(21));
        status(&twitch) != "enabled"
    })
    .await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn requests_fail_as_often_as_they_are_told() {
    let twitch = Twitch::start().await;
    set(&twitch, Faults { fail_next_upgrade: 1, fail_next_subscribe: 1, ..Faults::default() });
    let refused = connect_async(twitch.mock.websocket_url().as_str()).await.unwrap_err();
    assert!(matches!(refused, Error::Http(answer) if answer.status() == 503));
    let client = Client::connect(&twitch).await;
    assert_eq!(client.subscribe(&twitch).await, 503);
    assert_eq!(client.subscribe(&twitch).await, 202);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn sessions_are_asked_to_reconnect_by_a_timer_to_a_url_that_may_be_dead() {
    let twitch = Twitch::start().await;
    let mut client = Client::subscribed(&twitch).await;
    set(&twitch, Faults { reconnect_every_s: 5, reconnect_dead_url: 1.0, ..Faults::default() });
    let asked = async |client: &mut Client| {
        let mut frame = Value::Null;
        until("a request to reconnect", async || {
            twitch.clock.advance(time::Duration::seconds(5));
            while let Ok(Some(Ok(Message::Text(text)))) = timeout(Duration::from_millis(50), client.socket.next()).await
            {
                frame = serde_json::from_str(&text).unwrap();
                if frame["metadata"]["message_type"] == "session_reconnect" {
                    return true;
                }
            }
            false
        })
        .await;
        frame["payload"]["session"]["reconnect_url"].as_str().unwrap().to_owned()
    };
    let dead = asked(&mut client).await;
    let (socket, _) = connect_async(dead).await.unwrap();
    assert_eq!(Client { socket, session: String::new() }.close_code().await, 4007);

    let mut client = Client::subscribed(&twitch).await;
    set(&twitch, Faults { ws_late_on_old: 1.0, ..Faults::default() });
    let request = twitch.browser.post(format!("{}/mock/websocket/reconnect", twitch.mock.base_url()));
    request.json(&json!({ "session": client.session })).send().await.unwrap();
    let notice = client.frame().await;
    let url = notice["payload"]["session"]["reconnect_url"].as_str().unwrap().to_owned();
    let moved = Client::welcomed(connect_async(url).await.unwrap().0).await;
    assert_eq!(moved.session, client.session);
    twitch.mock.world.cheer(CHANNEL, "quietotter", 9).unwrap();
    assert_eq!(client.bits(1).await, [9], "on the old socket");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn same_seed_sends_the_same_faults() {
    async fn sequence(seed: u64) -> Vec<u64> {
        let twitch = Twitch::with(MockConfig { seed, ..MockConfig::default() }).await;
        let mut client = Client::subscribed(&twitch).await;
        set(&twitch, Faults { ws_duplicate: 0.5, ..Faults::default() });
        (1..=40).for_each(|bits| cheer(&twitch, bits));
        set(&twitch, Faults::default());
        cheer(&twitch, 99);
        let mut seen = Vec::new();
        while seen.last() != Some(&99) {
            seen.extend(client.bits(1).await);
        }
        twitch.mock.stop().await.unwrap();
        seen
    }
    assert_eq!(sequence(7).await, sequence(7).await);
    assert_ne!(sequence(7).await, sequence(8).await);
}

#[tokio::test]
async fn a_bad_day_ends_without_faults() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    assert!(world.start_schedule("a-good-day", 1.0).unwrap_err().to_string().ends_with("there is: a-bad-day"));
    assert!(world.start_schedule("a-bad-day", 0.0).is_err());
    let _client = Client::subscribed(&twitch).await;
    world.start_schedule("a-bad-day", 200.0).unwrap();
    until("it begins", async || world.faults() != Faults::default()).await;
    until("the sessions end", async || world.sessions().is_empty()).await;
    until("it ends", async || world.faults() == Faults::default()).await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn welcome_may_be_late() {
    let twitch = Twitch::start().await;
    set(&twitch, Faults { ws_slow_welcome_ms: 3_600_000, ..Faults::default() });
    let (mut socket, _) = connect_async(twitch.mock.websocket_url().as_str()).await.unwrap();
    assert!(timeout(Duration::from_millis(100), socket.next()).await.is_err());
    until("the welcome", async || {
        twitch.clock.advance(time::Duration::hours(1));
        matches!(timeout(Duration::from_millis(50), socket.next()).await, Ok(Some(Ok(Message::Text(_)))))
    })
    .await;
    twitch.mock.stop().await.unwrap();
}
