//! How sockets end, and what becomes of the subscriptions.

use std::io::ErrorKind;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Fixture;
use crate::support::{PATIENCE, until};

#[tokio::test]
async fn each_close_code_can_be_asked_for() {
    let fixture = Fixture::start().await;
    for (code, words, status) in [
        (1000, "client disconnected", "websocket_disconnected"),
        (4000, "internal server error", "websocket_internal_error"),
        (4001, "sent inbound traffic", "websocket_received_inbound_traffic"),
        (4002, "failed ping pong", "websocket_failed_ping_pong"),
        (4003, "connection unused", "websocket_connection_unused"),
        (4004, "client reconnect grace time expired", "websocket_failed_to_reconnect"),
        (4005, "network timeout", "websocket_network_timeout"),
        (4006, "network error", "websocket_network_error"),
        (4007, "invalid reconnect attempt", "websocket_disconnected"),
    ] {
        let (mut socket, session) = fixture.open().await;
        fixture.subscribe("stream.online", &session).await;
        let (answer, body) =
            fixture.control("POST", &format!("websocket/{session}/close"), &json!({ "code": code })).await;
        assert_eq!(answer, 200, "{body}");
        assert_eq!(socket.end().await, Some((code, words.to_owned())));
        assert_eq!(fixture.statuses().await.last().unwrap(), status, "{code}");
    }
    let (_, body) = fixture.helix("GET", "", &json!({})).await;
    assert!(body["data"][0]["transport"]["disconnected_at"].is_string(), "{body}");
}

#[tokio::test]
async fn aborted_connection_is_reset_without_a_close_frame() {
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    fixture.subscribe("stream.online", &session).await;
    fixture.control("POST", &format!("websocket/{session}/close"), &json!({ "code": "abort" })).await;
    let end = timeout(PATIENCE, socket.0.next()).await.expect("it ends");
    let Some(Err(Error::Io(error))) = end else { panic!("{end:?}") };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(fixture.statuses().await, ["websocket_network_error"]);
}

#[tokio::test]
async fn client_that_sends_anything_is_closed() {
    let fixture = Fixture::start().await;
    for message in [Message::Text("hello".into()), Message::Binary(vec![0; 10_000].into())] {
        let (mut socket, session) = fixture.open().await;
        fixture.subscribe("stream.online", &session).await;
        socket.0.send(message).await.unwrap();
        assert_eq!(socket.end().await.unwrap().0, 4001);
        assert_eq!(fixture.statuses().await.last().unwrap(), "websocket_received_inbound_traffic");
    }
}

#[tokio::test]
async fn session_without_subscription_ends_after_ten_seconds() {
    let fixture = Fixture::start().await;
    let ((mut unused, _), (_used, session)) = (fixture.open().await, fixture.open().await);
    fixture.subscribe("stream.online", &session).await;
    let end = tokio::spawn(async move { unused.end().await });
    fixture.advance(10).await;
    assert_eq!(end.await.unwrap(), Some((4003, "connection unused".to_owned())));
    assert_eq!(fixture.twitch.mock.world.sessions(), [session]);
}

#[tokio::test]
async fn client_that_answers_no_ping_is_closed() {
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    fixture.subscribe("stream.online", &session).await;
    let (status, _) = fixture.control("PUT", &format!("websocket/{session}"), &json!({ "pongs": false })).await;
    assert_eq!(status, 200);
    let end = tokio::spawn(async move { socket.end().await });
    fixture.advance(20).await;
    assert_eq!(end.await.unwrap(), Some((4002, "failed ping pong".to_owned())));
    assert_eq!(fixture.statuses().await, ["websocket_failed_ping_pong"]);
}

#[tokio::test]
async fn client_that_closes_ends_its_subscriptions() {
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    fixture.subscribe("stream.online", &session).await;
    socket.0.close(None).await.unwrap();
    until("the status says so", async || fixture.statuses().await == ["websocket_disconnected"]).await;
    let (mut next, new_session) = fixture.open().await;
    assert_ne!(session, new_session);
    assert_eq!(fixture.create("stream.online", &session).await.0, 400);
    fixture.subscribe("stream.online", &new_session).await;
    drop(next.0.close(None).await);
}

#[tokio::test]
async fn wrong_orders_of_the_control_api_list_what_there_is() {
    let fixture = Fixture::start().await;
    let error = async |path: &str, body: Value| {
        let method = if path.ends_with("close") || path.ends_with("reconnect") { "POST" } else { "PUT" };
        let (status, body) = fixture.control(method, path, &body).await;
        format!("{status} {}", body["error"].as_str().unwrap_or_default())
    };
    assert_eq!(error("websocket/reconnect", json!({})).await, "404 Not Found there is no session");
    let ((_one, one), (_two, two)) = (fixture.open().await, fixture.open().await);
    let mut known = [one.clone(), two];
    known.sort();
    let known = known.join(", ");
    let unknown = error("websocket/nothing/close", json!({ "code": 4000 })).await;
    assert_eq!(unknown, format!("404 Not Found there is no session nothing; there are: {known}"));
    let ambiguous = error("websocket/AgoQ", json!({ "keepalive": false })).await;
    assert_eq!(ambiguous, format!("409 Conflict AgoQ begins the ids of several sessions; there are: {known}"));
    let code = error(&format!("websocket/{one}/close"), json!({ "code": 4008 })).await;
    assert_eq!(code, "400 Bad Request there is no close code 4008; there are: 1000, 4000 to 4007, and \"abort\"");
    let grace = error("websocket/reconnect", json!({ "grace_s": -1 })).await;
    assert_eq!(grace, "400 Bad Request grace_s must be a number from 0 to 3600");
}

#[tokio::test]
async fn error_names_twenty_sessions_at_most() {
    let fixture = Fixture::start().await;
    let mut open = Vec::new();
    for _ in 0..21 {
        open.push(fixture.open().await);
    }
    let (_, body) = fixture.control("POST", "websocket/nothing/close", &json!({ "code": 4000 })).await;
    let error = body["error"].as_str().unwrap();
    assert!(error.ends_with(", …") && error.matches("AgoQ").count() == 20, "{error}");
}

#[tokio::test]
async fn session_can_be_made_silent() {
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    let id = fixture.subscribe("stream.online", &session).await;
    let silent = json!({ "keepalive": false, "delivery": false });
    assert_eq!(fixture.control("PUT", &format!("websocket/{session}"), &silent).await.0, 200);
    fixture.twitch.mock.world.emit("stream.online", None, Some("maplearcade"), None, &[]).unwrap();
    fixture.control("POST", &format!("subscriptions/{id}/status"), &json!({ "status": "user_removed" })).await;
    assert_eq!(fixture.statuses().await, ["user_removed"]);
    let end = tokio::spawn(async move { socket.next().await });
    fixture.advance(25).await;
    assert!(!end.is_finished(), "{:?}", end.await);
    end.abort();
}
