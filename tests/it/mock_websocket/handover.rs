//! Sessions that move to another socket.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Fixture, Socket};
use crate::support::twitch::CHANNEL;

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
