//! What each feed tells, over both transports.

use serde_json::json;

use crate::support::feeds::{Socket, Sse, Told};
use crate::support::messages::{CHANNEL, at, cheer, follow, notification, offline, online, text, with_user};
use crate::support::server::Server;

#[tokio::test]
async fn events_come_as_they_are_in_the_log_over_both_transports() {
    let server = Server::start().await;
    let mut sse = Sse::open(&server, "/live/events").await;
    let mut socket = Socket::open(&server, "/live/events").await;
    assert_eq!(sse.retry.as_deref(), Some("2000"));
    let messages = [follow("1", at(0)), online("s1", at(1)), cheer("2", 100, at(2))];
    for message in &messages {
        assert_eq!(server.deliver(message).await.status, 204);
    }
    let told = sse.take(3).await;
    assert_eq!(socket.take(3).await, told);
    for event in told {
        assert_eq!(event.event, "event");
        assert_eq!(event.data, server.json(&format!("/events/{}", event.id.unwrap())).await);
        assert_eq!((&event.data["is_test"], &event.data["is_replay"]), (&false.into(), &false.into()));
    }
    server.stop().await;
}

#[tokio::test]
async fn alerts_are_typed_and_what_is_none_is_left_out() {
    let server = Server::start().await;
    let mut sse = Sse::open(&server, "/live/alerts").await;
    let mut socket = Socket::open(&server, "/live/alerts").await;
    for message in
        [online("s1", at(0)), follow("1", at(1)), notification("channel.follow", at(2), json!({ "user_id": 5 }))]
    {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    let event = with_user("2", json!({ "is_anonymous": true, "message": "", "bits": 100 }));
    assert_eq!(server.deliver(&notification("channel.cheer", at(3), event)).await.status, 204);
    let told = sse.take(2).await;
    assert_eq!(socket.take(2).await, told);
    let channel = json!({ "id": CHANNEL, "login": format!("user{CHANNEL}"), "display_name": format!("User{CHANNEL}") });
    let alert = |id: i64, at| json!({ "id": id, "channel": channel, "occurred_at": text(at), "is_test": false, "is_replay": false });
    let mut follow = alert(told[0].id.unwrap(), at(1));
    follow["type"] = "follow".into();
    follow["user"] = json!({ "id": "1", "login": "user1", "display_name": "User1" });
    assert_eq!(told[0], Told { id: told[0].id, event: "alert".to_owned(), data: follow });
    assert_eq!(told[1].data["type"], "cheer");
    assert_eq!((&told[1].data["user"], &told[1].data["bits"]), (&json!(null), &json!(100)));
    server.stop().await;
}

#[tokio::test]
async fn the_state_begins_with_a_snapshot_and_tells_each_change() {
    let server = Server::start().await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    let mut sse = Sse::open(&server, "/live/state").await;
    let mut socket = Socket::open(&server, "/live/state").await;
    let snapshot = sse.next().await.unwrap();
    assert_eq!(socket.next().await.unwrap(), snapshot);
    assert_eq!(snapshot.event, "snapshot");
    assert_eq!(snapshot.data["channels"], server.json("/channels").await["data"]);
    assert_eq!(server.deliver(&online("s1", at(1))).await.status, 204);
    let channel = sse.next().await.unwrap();
    assert_eq!(socket.next().await.unwrap(), channel);
    assert_eq!((channel.event.as_str(), &channel.data["is_live"]), ("channel", &true.into()));
    assert_eq!(channel.data, server.json(&format!("/channels/{CHANNEL}")).await);
    assert_eq!(server.deliver(&offline(Some("s1"), at(2))).await.status, 204);
    assert_eq!(sse.next().await.unwrap().data["is_live"], false);
    server.stop().await;
}
