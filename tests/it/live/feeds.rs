//! The messages of each feed, over both transports.

use serde_json::json;

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{
    CHANNEL, at, cheer, follow, notification, offline, online, text, with_person, with_user,
};
use crate::support::server::Server;
use crate::support::snapshot::{lines, masked};

#[tokio::test]
async fn events_are_those_of_the_log_over_both_transports() {
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
async fn alerts_are_typed_and_other_events_left_out() {
    let server = Server::start().await;
    let mut sse = Sse::open(&server, "/live/alerts").await;
    let mut socket = Socket::open(&server, "/live/alerts").await;
    let unreadable = notification("channel.follow", at(2), json!({ "user_id": 5 }));
    let ended = notification("channel.subscription.end", at(0), with_user("1", json!({ "tier": "1000" })));
    for message in [ended, follow("1", at(1)), unreadable] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    let event = with_user("2", json!({ "is_anonymous": true, "message": "", "bits": 100 }));
    assert_eq!(server.deliver(&notification("channel.cheer", at(3), event)).await.status, 204);
    let told = sse.take(2).await;
    assert_eq!(socket.take(2).await, told);
    assert!(told.iter().all(|told| told.event == "alert" && told.data["id"] == told.id.unwrap()));
    assert_eq!([0, 1].map(|n| &told[n].data["occurred_at"]), [&text(at(1)), &text(at(3))]);
    insta::assert_snapshot!(lines(&masked(&told.iter().map(|told| &told.data).collect::<Vec<_>>())), @r#"
    [
      {
        "channel": {"display_name":"User90210441","id":"90210441","login":"user90210441"},
        "id": 2,
        "is_replay": false,
        "is_test": false,
        "occurred_at": "[time]",
        "repeats": null,
        "text": "User1 followed",
        "type": "follow",
        "user": {"display_name":"User1","id":"1","login":"user1"}
      },
      {
        "bits": 100,
        "channel": {"display_name":"User90210441","id":"90210441","login":"user90210441"},
        "id": 4,
        "is_replay": false,
        "is_test": false,
        "message": null,
        "occurred_at": "[time]",
        "repeats": null,
        "text": "An anonymous user cheered 100 bits",
        "type": "cheer",
        "user": null
      }
    ]
    "#);
    server.stop().await;
}

#[tokio::test]
async fn state_is_a_snapshot_and_then_each_change() {
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

#[tokio::test]
async fn snapshot_of_several_pages_is_one_message() {
    let server = Server::start().await;
    server
        .sql(
            "insert into twitch_user select n::text, 'login' || n, 'Login' || n, now(), 'm' from generate_series(1, 1100) n;
            insert into channel (id, anonymous_bits, anonymous_gifts) select n::text, 0, 0 from generate_series(1, 1100) n",
        )
        .await;
    let mut all = Sse::open(&server, "/live/state").await;
    assert_eq!(all.next().await.unwrap().data["channels"].as_array().unwrap().len(), 1_100);
    let mut some = Sse::open(&server, "/live/state?channel=login7,1100,unknown").await;
    let channels = some.next().await.unwrap().data["channels"].clone();
    let ids: Vec<_> = channels.as_array().unwrap().iter().map(|channel| channel["id"].clone()).collect();
    assert_eq!(ids, ["1100", "7"]);
    assert_eq!(channels[1], server.json("/channels/7").await);
    server.stop().await;
}

#[tokio::test]
async fn chat_is_messages_and_their_deletions() {
    let server = Server::start().await;
    let mut sse = Sse::open(&server, "/live/chat").await;
    let mut socket = Socket::open(&server, "/live/chat").await;
    let said = json!({
        "chatter_user_id": "1", "chatter_user_login": "user1", "chatter_user_name": "User1", "message_id": "m1",
        "message": { "text": "hello", "fragments": [{ "type": "text", "text": "hello" }] },
        "color": "", "badges": [], "message_type": "text",
    });
    let target = with_person("target_user_", "1", json!({ "message_id": "m1" }));
    let messages = [
        notification("channel.chat.message", at(0), said),
        follow("1", at(1)),
        notification("channel.chat.message_delete", at(2), target.clone()),
        notification("channel.chat.clear_user_messages", at(3), target),
        notification("channel.chat.clear", at(4), json!({})),
    ];
    for message in messages {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    let told = sse.take(4).await;
    assert_eq!(socket.take(4).await, told);
    let told: Vec<_> = told.iter().map(|told| (&told.event, &told.data)).collect();
    insta::assert_snapshot!(lines(&masked(&told)), @r#"
    [
      [
        "message",
        {
          "badges": [],
          "bits": null,
          "channel": {"display_name":"User90210441","id":"90210441","login":"user90210441"},
          "color": null,
          "fragments": [{"cheermote":null,"emote":null,"mention":null,"text":"hello","type":"text"}],
          "id": 1,
          "is_action": false,
          "is_replay": false,
          "is_test": false,
          "message_id": "m1",
          "message_type": "text",
          "notice": null,
          "occurred_at": "[time]",
          "repeats": null,
          "reply": null,
          "source_channel": null,
          "source_message_id": null,
          "text": "hello",
          "user": {"display_name":"User1","id":"1","login":"user1"}
        }
      ],
      [
        "message_deleted",
        {
          "channel": {"display_name":"User90210441","id":"90210441","login":"user90210441"},
          "id": 3,
          "is_replay": false,
          "is_test": false,
          "message_id": "m1",
          "occurred_at": "[time]",
          "repeats": null,
          "user": {"display_name":"User1","id":"1","login":"user1"}
        }
      ],
      [
        "messages_cleared",
        {
          "channel": {"display_name":"User90210441","id":"90210441","login":"user90210441"},
          "id": 4,
          "is_replay": false,
          "is_test": false,
          "occurred_at": "[time]",
          "repeats": null,
          "user": {"display_name":"User1","id":"1","login":"user1"}
        }
      ],
      [
        "messages_cleared",
        {
          "channel": {"display_name":"User90210441","id":"90210441","login":"user90210441"},
          "id": 5,
          "is_replay": false,
          "is_test": false,
          "occurred_at": "[time]",
          "repeats": null,
          "user": null
        }
      ]
    ]
    "#);
    server.stop().await;
}

/// The body is stored and sent as it came, line breaks included.
#[tokio::test]
async fn payload_of_several_lines_is_one_event() {
    let server = Server::start().await;
    let mut sse = Sse::open(&server, "/live/events").await;
    let mut message = follow("1", at(0));
    let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
    message.body = serde_json::to_vec_pretty(&body).unwrap();
    assert_eq!(server.deliver(&message).await.status, 204);
    assert_eq!(sse.next().await.unwrap().data["payload"], body);
    server.stop().await;
}
