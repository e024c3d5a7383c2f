//! Sessions that move to another socket.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use showtime::mock::Faults;

use super::{Fixture, Socket};
use crate::support::twitch::CHANNEL;
use crate::support::until;

/// Asks the session to reconnect, and returns the URL.
async fn url(fixture: &Fixture, socket: &mut Socket) -> String {
    let (status, body) = fixture.control("POST", "websocket/reconnect", &json!({})).await;
    assert_eq!((status.as_u16(), &body["sessions"]), (200, &json!(1)));
    let frame = socket.frame("session_reconnect").await;
    let session = &frame["payload"]["session"];
    assert_eq!((&session["status"], &session["keepalive_timeout_seconds"]), (&json!("reconnecting"), &json!(null)));
    session["reconnect_url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn session_keeps_its_id_and_no_event_is_lost_or_doubled() {
    let fixture = Fixture::start().await;
    let (mut old, session) = fixture.open().await;
    let world = &fixture.twitch.mock.world;
    let id = fixture.subscribe("channel.follow", &session).await;
    let url = url(&fixture, &mut old).await;
    world.follow(CHANNEL, "quietotter").unwrap();
    assert_eq!(old.frame("notification").await["payload"]["event"]["user_login"], "quietotter");

    let mut new = Socket::open(&url).await;
    assert_eq!(new.welcome().await, session);
    world.follow(CHANNEL, "copperkite").unwrap();
    let frame = new.frame("notification").await;
    assert_eq!(frame["payload"]["event"]["user_login"], "copperkite");
    assert_eq!(frame["payload"]["subscription"]["id"], id);
    assert_eq!(fixture.statuses().await, ["enabled"]);
    assert_eq!(fixture.create("channel.follow", &session).await.0, 409);

    // The old socket is closed after 30 s, whether the session has moved or not.
    let reader = tokio::spawn(async move { new.end().await });
    let old = tokio::spawn(async move { old.end().await });
    fixture.advance(30).await;
    assert_eq!(old.await.unwrap(), Some((4004, "client reconnect grace time expired".to_owned())));
    assert_eq!(fixture.statuses().await, ["enabled"]);
    world.follow(CHANNEL, "quietotter").unwrap();
    assert_eq!(world.sessions(), [session]);
    reader.abort();
}

#[tokio::test]
async fn client_that_does_not_move_loses_its_subscriptions() {
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    fixture.subscribe("channel.follow", &session).await;
    let url = url(&fixture, &mut socket).await;
    let end = tokio::spawn(async move { socket.end().await });
    fixture.advance(30).await;
    assert_eq!(end.await.unwrap().unwrap().0, 4004);
    assert_eq!(fixture.statuses().await, ["websocket_failed_to_reconnect"]);
    assert_eq!(Socket::open(&url).await.end().await.unwrap().0, 4007);
}

#[tokio::test]
async fn url_is_good_once_and_while_the_old_socket_lives() {
    let fixture = Fixture::start().await;
    let (mut old, session) = fixture.open().await;
    fixture.subscribe("stream.online", &session).await;
    let url = url(&fixture, &mut old).await;
    let wrong = url.replace("challenge=", "challenge=x");
    let invalid = Some((4007, "invalid reconnect attempt".to_owned()));
    assert_eq!(Socket::open(&wrong).await.end().await, invalid);
    let mut new = Socket::open(&url).await;
    new.welcome().await;
    assert_eq!(Socket::open(&url).await.end().await, invalid);

    let (mut other, other_id) = fixture.open().await;
    fixture.subscribe("channel.cheer", &other_id).await;
    let (status, _) = fixture.control("POST", "websocket/reconnect", &json!({ "session": other_id })).await;
    assert_eq!(status, 200);
    let frame = other.frame("session_reconnect").await;
    other.0.close(None).await.unwrap();
    other.end().await;
    let url = frame["payload"]["session"]["reconnect_url"].as_str().unwrap();
    assert_eq!(Socket::open(url).await.end().await, invalid);
}

/// Lets welcomes come this late from now on.
fn delay_welcomes(fixture: &Fixture, delay: Duration) {
    let ws_slow_welcome_ms = u64::try_from(delay.as_millis()).unwrap();
    fixture.twitch.mock.world.set_faults(Faults { ws_slow_welcome_ms, ..Faults::default() }).unwrap();
}

async fn until_sockets(fixture: &Fixture, count: u64) {
    until("so many sockets", async || {
        fixture.control("GET", "websocket", &json!({})).await.1["sessions"][0]["sockets"] == count
    })
    .await;
}

/// An event, which comes over this socket.
async fn event_over(fixture: &Fixture, socket: &mut Socket) {
    fixture.twitch.mock.world.follow(CHANNEL, "quietotter").unwrap();
    socket.frame("notification").await;
}

#[tokio::test]
async fn session_stays_on_the_old_socket_if_the_new_one_ends_before_its_welcome() {
    let fixture = Fixture::start().await;
    let (mut old, session) = fixture.open().await;
    fixture.subscribe("channel.follow", &session).await;
    let url = url(&fixture, &mut old).await;
    delay_welcomes(&fixture, Duration::from_secs(3_600));
    let new = Socket::open(&url).await;
    until_sockets(&fixture, 2).await;
    event_over(&fixture, &mut old).await;
    assert_eq!(Socket::open(&url).await.end().await.unwrap().0, 4007, "the URL is in use");
    drop(new);
    until_sockets(&fixture, 1).await;
    event_over(&fixture, &mut old).await;

    // The URL is good for another attempt.
    delay_welcomes(&fixture, Duration::ZERO);
    let mut new = Socket::open(&url).await;
    assert_eq!(new.welcome().await, session);
    event_over(&fixture, &mut new).await;
    assert_eq!(fixture.statuses().await, ["enabled"]);
}

#[tokio::test]
async fn old_socket_lives_for_its_grace_time_after_a_failed_move() {
    let fixture = Fixture::start().await;
    let (mut old, session) = fixture.open().await;
    fixture.subscribe("channel.follow", &session).await;
    let url = url(&fixture, &mut old).await;
    delay_welcomes(&fixture, Duration::from_secs(3_600));
    drop(Socket::open(&url).await);
    until_sockets(&fixture, 1).await;
    let old = tokio::spawn(async move { old.end().await });
    fixture.advance(29).await;
    assert_eq!(fixture.statuses().await, ["enabled"]);
    fixture.advance(1).await;
    assert_eq!(old.await.unwrap().unwrap().0, 4004);
    assert_eq!(fixture.statuses().await, ["websocket_failed_to_reconnect"]);
}

#[tokio::test]
async fn session_moves_even_if_the_old_socket_ends_before_the_new_welcome() {
    let fixture = Fixture::start().await;
    let (mut old, session) = fixture.open().await;
    fixture.subscribe("channel.follow", &session).await;
    let url = url(&fixture, &mut old).await;
    delay_welcomes(&fixture, Duration::from_secs(5));
    let mut new = Socket::open(&url).await;
    until_sockets(&fixture, 2).await;
    old.0.close(None).await.unwrap();
    old.end().await;
    until_sockets(&fixture, 1).await;
    fixture.advance(5).await;
    assert_eq!(new.welcome().await, session);
    event_over(&fixture, &mut new).await;
}

/// Reads until a frame of this type, and keeps the ids of the notifications before it.
async fn read_until(socket: &mut Socket, kind: &str, seen: &mut Vec<String>) -> Value {
    loop {
        let frame = socket.next().await.unwrap();
        match frame["metadata"]["message_type"].as_str().unwrap() {
            found if found == kind => return frame,
            "notification" => seen.push(frame["metadata"]["message_id"].as_str().unwrap().to_owned()),
            other => assert_eq!(other, "session_keepalive", "{frame}"),
        }
    }
}

#[tokio::test]
async fn events_during_many_moves_arrive_once_each() {
    const EVENTS: usize = 400;
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    fixture.subscribe("channel.follow", &session).await;
    let world = Arc::clone(&fixture.twitch.mock.world);
    let events = tokio::spawn(async move {
        for number in 0..EVENTS {
            world.follow(CHANNEL, &format!("viewer_{number}")).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let mut seen = Vec::new();
    while !events.is_finished() {
        fixture.control("POST", "websocket/reconnect", &json!({})).await;
        let frame = read_until(&mut socket, "session_reconnect", &mut seen).await;
        let url = frame["payload"]["session"]["reconnect_url"].as_str().unwrap().to_owned();
        let mut new = Socket::open(&url).await;
        assert_eq!(new.welcome().await, session);
        socket.0.close(None).await.unwrap();
        while let Ok(frame) = socket.next().await {
            seen.push(frame["metadata"]["message_id"].as_str().unwrap().to_owned());
        }
        socket = new;
    }
    events.await.unwrap();
    while seen.len() < EVENTS {
        let frame = socket.frame("notification").await;
        seen.push(frame["metadata"]["message_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(fixture.twitch.mock.world.delivered_to_sockets(), seen, "each once, in order");
}
