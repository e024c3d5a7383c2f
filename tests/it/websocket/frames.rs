//! What comes over a session.

use serde_json::json;
use showtime::clock::Clock;
use tokio_tungstenite::tungstenite::Message;

use super::server::{Sockets, follow, follow_at, frame};
use super::{metric, row, serve, serve_live, subscribe, until_events};
use crate::support::until;

#[tokio::test]
async fn events_arrive_once() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut peer = sockets.welcome("AgoQ1").await;
    assert_eq!(peer.path, "/ws?keepalive_timeout_seconds=10");
    subscribe(&server, "AgoQ1").await;
    for user in 0..1_000 {
        let follow = follow("AgoQ1", user);
        peer.send(&follow).await;
        if user % 10 == 0 {
            peer.send(&follow).await;
        }
    }
    until_events(&server, 1_000).await;
    let events = server.json("/events?limit=1").await;
    assert_eq!(events["data"][0]["type"], "channel.follow", "{events}");
    let name = r#"showtime_eventsub_messages_total{type="channel.follow",outcome="accepted",transport="websocket"}"#;
    assert!(metric(&server, name).await > 0.0);
    server.stop().await;
}

#[tokio::test]
async fn bad_frame_is_counted_and_the_connection_lives() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut peer = sockets.welcome("AgoQ1").await;
    let now = Clock::default().now();
    for text in ["hello", "{}", r#"{"metadata":{"message_type":"notification"},"payload":{}}"#] {
        peer.send_raw(Message::text(text)).await;
    }
    peer.send_raw(Message::binary(follow("AgoQ1", 1).to_string().into_bytes())).await;
    let mut large = follow("AgoQ1", 1);
    large["payload"]["event"]["text"] = "x".repeat(1 << 20).into();
    peer.send(&large).await;
    let mut deep = follow("AgoQ1", 1).to_string();
    deep.insert_str(deep.len() - 2, &format!(r#","x":{}{}"#, "[".repeat(4000), "]".repeat(4000)));
    peer.send_raw(Message::text(deep)).await;
    peer.send(&frame("session_song", json!({}))).await;
    peer.send(&follow("AgoQ2", 1)).await;
    let mut webhook = follow("AgoQ1", 1);
    webhook["payload"]["subscription"]["transport"] = json!({ "method": "webhook", "callback": "https://example.org" });
    peer.send(&webhook).await;
    peer.send(&follow_at("AgoQ1", 1, now - time::Duration::minutes(11))).await;
    peer.send(&follow_at("AgoQ1", 1, now + time::Duration::minutes(11))).await;
    for (field, value) in [("subscription_type", "channel.cheer"), ("subscription_version", "1")] {
        let mut contradicting = follow("AgoQ1", 1);
        contradicting["metadata"][field] = value.into();
        peer.send(&contradicting).await;
    }
    peer.keepalive().await;
    peer.send(&follow("AgoQ1", 2)).await;
    let incidents = async |subject: &str| {
        metric(&server, &format!(r#"showtime_incidents_total{{kind="refused_frame",subject="{subject}"}}"#)).await
    };
    until_events(&server, 1).await;
    let expected =
        [("malformed", 6.0), ("unknown_type", 1.0), ("other_session", 2.0), ("stale", 2.0), ("contradiction", 2.0)];
    for (subject, count) in expected {
        assert_eq!(incidents(subject).await, count, "{subject}");
    }
    for (outcome, count) in [("forged", 2.0), ("stale", 2.0), ("accepted", 1.0)] {
        let labels = format!(r#"type="channel.follow",outcome="{outcome}",transport="websocket""#);
        assert_eq!(metric(&server, &format!("showtime_eventsub_messages_total{{{labels}}}")).await, count, "{outcome}");
    }
    assert!(sockets.is_empty() && row(&server, "ended_at").await.is_none(), "it is the same connection");
    let (_, message) = server.check("websocket").await;
    assert!(message.contains("frames were not accepted"), "{message}");
    server.stop().await;
}

#[tokio::test]
async fn bad_frame_is_a_sign_of_life() {
    let mut sockets = Sockets::listen().await;
    let (server, mut peer) = serve_live(&mut sockets).await;
    server.clock.advance(time::Duration::seconds(8));
    peer.send_raw(Message::binary("hello")).await;
    until("the frame is counted", async || {
        metric(&server, r#"showtime_incidents_total{kind="refused_frame",subject="malformed"}"#).await > 0.0
    })
    .await;
    server.clock.advance(time::Duration::seconds(8));
    assert!(!peer.closes_soon().await, "12 s of silence have not passed");
    server.stop().await;
}

#[tokio::test]
async fn revocation_is_stored() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut peer = sockets.welcome("AgoQ1").await;
    let mut revocation = follow("AgoQ1", 1);
    revocation["metadata"]["message_type"] = "revocation".into();
    revocation["payload"]["subscription"]["status"] = "authorization_revoked".into();
    revocation["payload"].as_object_mut().unwrap().remove("event");
    peer.send(&revocation).await;
    until_events(&server, 1).await;
    let status: String = sqlx::query_scalar("select status from subscription").fetch_one(&server.pool).await.unwrap();
    assert_eq!(status, "authorization_revoked");
    server.stop().await;
}
