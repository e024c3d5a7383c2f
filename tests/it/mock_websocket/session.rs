//! What a session gets, and when.

use futures_util::SinkExt as _;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{Fixture, Socket};
use crate::support::twitch::{CHANNEL, CHANNEL_ID};
use crate::support::until;

#[tokio::test]
async fn welcome_has_twitchs_fields() {
    let fixture = Fixture::start().await;
    for (query, seconds) in [
        ("", 10),
        ("?keepalive_timeout_seconds=30", 30),
        ("?keepalive_timeout_seconds=1", 10),
        ("?keepalive_timeout_seconds=9999", 600),
        ("?keepalive_timeout_seconds=soon", 10),
    ] {
        let mut socket = Socket::open(&format!("{}{query}", fixture.url())).await;
        let frame = socket.frame("session_welcome").await;
        let session = &frame["payload"]["session"];
        assert_eq!(session["keepalive_timeout_seconds"], seconds, "{query}");
        assert_eq!((&session["status"], &session["reconnect_url"]), (&json!("connected"), &json!(null)));
        assert!(session["id"].as_str().unwrap().starts_with("AgoQ"), "{frame}");
        assert!(frame["metadata"]["message_id"].is_string() && frame["metadata"]["message_timestamp"].is_string());
    }
}

#[tokio::test]
async fn subscription_is_enabled_at_once_and_delivers_its_own_events_only() {
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    let (status, body) = fixture.create("channel.follow", &session).await;
    assert_eq!(status, 202, "{body}");
    let shown = &body["data"][0];
    assert_eq!((&shown["status"], &shown["cost"]), (&json!("enabled"), &json!(0)));
    assert_eq!(shown["transport"]["session_id"], session);
    let connected_at = shown["transport"]["connected_at"].as_str().unwrap();
    assert!(connected_at.ends_with('Z') && !connected_at.contains('.'), "{connected_at}");
    assert_eq!((&body["total"], &body["total_cost"], &body["max_total_cost"]), (&json!(1), &json!(0), &json!(10)));

    let world = &fixture.twitch.mock.world;
    assert_eq!(world.cheer(CHANNEL, "quietotter", 5).unwrap(), 0);
    assert_eq!(world.follow(CHANNEL, "quietotter").unwrap(), 1);
    let frame = socket.frame("notification").await;
    let (metadata, payload) = (&frame["metadata"], &frame["payload"]);
    assert_eq!(
        (&metadata["subscription_type"], &metadata["subscription_version"]),
        (&json!("channel.follow"), &json!("2"))
    );
    assert_eq!(payload["subscription"]["id"], shown["id"]);
    assert_eq!(payload["subscription"]["transport"], json!({ "method": "websocket", "session_id": session }));
    assert_eq!(payload["event"]["user_login"], "quietotter");
    assert_eq!(world.delivered_to_sockets(), [metadata["message_id"].as_str().unwrap()]);
}

#[tokio::test]
async fn revocation_comes_once_and_has_no_event() {
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    fixture.subscribe("channel.follow", &session).await;
    fixture.subscribe("stream.online", &session).await;
    fixture.twitch.mock.world.withdraw_consent(CHANNEL).unwrap();
    let frame = socket.frame("revocation").await;
    assert_eq!(frame["payload"]["subscription"]["status"], "authorization_revoked");
    assert_eq!(frame["payload"]["subscription"]["type"], "channel.follow");
    assert_eq!(frame["payload"].get("event"), None);
    assert_eq!(fixture.twitch.mock.world.follow(CHANNEL, "quietotter").unwrap(), 0);
}

#[tokio::test]
async fn keepalive_comes_only_in_silence() {
    let fixture = Fixture::start().await;
    let (mut socket, session) = fixture.open().await;
    fixture.subscribe("channel.follow", &session).await;
    fixture.advance(9).await;
    fixture.twitch.mock.world.follow(CHANNEL, "quietotter").unwrap();
    socket.frame("notification").await;
    fixture.advance(9).await;
    fixture.twitch.mock.world.follow(CHANNEL, "copperkite").unwrap();
    socket.frame("notification").await;
    // Answers to pings are sent while frames are read.
    fixture.advance(1).await;
    let reader = tokio::spawn(async move { socket.frame("session_keepalive").await });
    fixture.advance(9).await;
    assert_eq!(reader.await.unwrap()["payload"], json!({}));
}

#[tokio::test]
async fn users_subscriptions_are_not_the_applications() {
    let fixture = Fixture::start().await;
    let (_socket, session) = fixture.open().await;
    let id = fixture.subscribe("stream.online", &session).await;
    assert_eq!(fixture.twitch.helix.subscriptions().await.unwrap().subscriptions, []);
    assert!(fixture.twitch.helix.delete_subscription(&id).await.is_err());
    assert_eq!(fixture.statuses().await, ["enabled"]);
    assert_eq!(fixture.helix("DELETE", &format!("?id={id}"), &json!({})).await.0, 204);
    assert_eq!(fixture.statuses().await, [""; 0]);
}

#[tokio::test]
async fn pings_of_the_client_are_answered() {
    let fixture = Fixture::start().await;
    let (mut socket, _) = fixture.open().await;
    socket.0.send(Message::Ping("hello".into())).await.unwrap();
    let answer = futures_util::StreamExt::next(&mut socket.0).await.unwrap().unwrap();
    assert_eq!(answer, Message::Pong("hello".into()));
}

#[tokio::test]
async fn event_can_be_sent_to_one_session_alone() {
    let fixture = Fixture::start().await;
    let ((mut first, one), (mut second, two)) = (fixture.open().await, fixture.open().await);
    fixture.subscribe("stream.online", &one).await;
    fixture.subscribe("stream.online", &two).await;
    let event = json!({ "type": "stream.online", "channel": CHANNEL, "session": &two[..8] });
    let (status, body) = fixture.control("POST", "events", &event).await;
    assert_eq!((status.as_u16(), &body["messages"]), (200, &json!(1)), "{body}");
    second.frame("notification").await;
    fixture.twitch.mock.world.emit("stream.online", None, Some(CHANNEL), None, &[]).unwrap();
    let frame = first.frame("notification").await;
    assert_eq!(frame["payload"]["event"]["broadcaster_user_id"], CHANNEL_ID);
    let delivered = || fixture.twitch.mock.world.delivered_to_sockets().len();
    until("three deliveries", async || delivered() == 3).await;
}

#[tokio::test]
async fn sessions_are_listed() {
    let fixture = Fixture::start().await;
    let (_socket, session) = fixture.open().await;
    fixture.subscribe("channel.follow", &session).await;
    fixture.subscribe("stream.online", &session).await;
    let (status, body) = fixture.control("GET", "websocket", &json!({})).await;
    assert_eq!(status, 200);
    let mut shown = body["sessions"].as_array().unwrap().clone();
    assert!(shown[0]["connected_at"].as_str().unwrap().ends_with('Z'));
    shown[0].as_object_mut().unwrap().remove("connected_at");
    let expected = json!({
        "id": session,
        "keepalive_timeout_seconds": 10,
        "user_id": CHANNEL_ID,
        "subscriptions": 2,
        "sockets": 1,
        "is_reconnecting": false,
        "delivery": true,
    });
    assert_eq!(shown, [expected]);
}

#[tokio::test]
async fn mock_that_stops_closes_its_sockets() {
    let fixture = Fixture::start().await;
    let (mut socket, _) = fixture.open().await;
    fixture.twitch.mock.stop().await.unwrap();
    assert_eq!(socket.end().await, Some((1000, "client disconnected".to_owned())));
}
