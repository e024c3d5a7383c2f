//! What a reader of the broker gets.

use reqwest::Method;
use serde_json::{Value, json};

use super::rabbit::{Rabbit, Reader, cursor};
use super::{append, server, until_problem, until_state};
use crate::support::feeds::Socket;
use crate::support::messages::{CHANNEL, at, cheer, follow, online};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::twitch::Twitch;
use crate::support::until;

#[tokio::test]
async fn events_arrive_in_order_as_the_feed_shows_them() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let server = server(fresh_database().await, &rabbit.url()).await;
    until_state(&server, "amqp", "ok").await;
    let mut all = Reader::open(&rabbit, "all", Some(("showtime", "#"))).await;
    let mut cheers = Reader::open(&rabbit, "cheers", Some(("showtime", "twitch.*.channel.cheer"))).await;
    let mut feed = Socket::open(&server, "/live/events").await;
    let messages = [follow("1", at(0)), cheer("2", 100, at(1)), online("77", at(2)), follow("1", at(3))];
    for message in &messages {
        assert_eq!(server.deliver(message).await.status, 204);
    }
    // The second follow repeats the first: no news.
    for (message, kind) in messages.iter().zip(["channel.follow", "channel.cheer", "stream.online"]) {
        let delivery = all.next().await;
        let shown = feed.message().await.unwrap().into_text().unwrap();
        assert!(shown.ends_with(&format!(r#""data":{}}}"#, String::from_utf8_lossy(&delivery.data))), "{shown}");
        assert_eq!(delivery.routing_key.as_str(), format!("twitch.{CHANNEL}.{kind}"));
        let properties = &delivery.properties;
        assert_eq!(properties.message_id().as_ref().unwrap().as_str(), message.stamp.message_id);
        assert_eq!(properties.kind().as_ref().unwrap().as_str(), kind);
        assert_eq!(properties.delivery_mode(), &Some(2));
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
        let event: Value = serde_json::from_slice(&delivery.data).unwrap();
        assert_eq!(json!(cursor(&delivery)), event["id"]);
        let headers = properties.headers().as_ref().unwrap().inner();
        let header = |name: &str| headers[name].as_long_string().unwrap().to_string();
        assert_eq!(header("cloudEvents_id"), message.stamp.message_id);
        assert_eq!(header("cloudEvents_type"), kind);
        assert_eq!(header("cloudEvents_subject"), CHANNEL);
        assert!(!headers.contains_key("showtime-test"));
    }
    assert_eq!(cheers.next().await.routing_key.as_str(), format!("twitch.{CHANNEL}.channel.cheer"));
    until("the cursor is that of the last event", async || server.json("/sinks/amqp").await["events_behind"] == 0)
        .await;
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains(r#"showtime_sink_deliveries_total{sink="amqp",outcome="delivered"} 3"#), "{metrics}");
    assert!(metrics.contains(r#"showtime_sink_lag_events{sink="amqp"} 0"#), "{metrics}");
}

/// A template that makes what consumers of another program read.
#[tokio::test]
async fn sink_has_templates_types_a_queue_and_a_place_in_the_log() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let server = server(fresh_database().await, &rabbit.url()).await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    assert_eq!(server.deliver(&cheer("2", 100, at(1))).await.status, 204);
    let sink = json!({
        "name": "servitor",
        "url": rabbit.url(),
        "types": ["channel.follow"],
        "after": 0,
        "settings": {
            "exchange": "topic_twitch_servitor",
            "routing_key": "topic.twitch.{{ {'channel.follow': 'follows'}[event.type] }}",
            "body": r#"{"type": "FOLLOW", "username": {{ event.payload.event.user_name }}, "message": {{ text }}}"#,
            "queue": "servitor",
        },
    });
    let added = server.post_json("/sinks", &sink).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert!(!added.text.contains("guest"), "{added:?}");
    server.post_json("/sinks", &sink).await.problem(409, "sink-exists");
    server.post_json("/sinks/servitor/rotate", &json!({})).await.problem(409, "sink-without-key");
    for places in [json!({}), json!({ "after": null }), json!({ "after": 0, "at": "2026-07-01T18:00:00Z" })] {
        assert_eq!(server.post_json("/sinks/servitor/rewind", &places).await.status, 400, "{places}");
    }
    until_state(&server, "servitor", "ok").await;
    let mut reader = Reader::open(&rabbit, "servitor", None).await;
    for _ in 0..2 {
        let delivery = reader.next().await;
        assert_eq!(delivery.routing_key.as_str(), "topic.twitch.follows");
        let body: Value = serde_json::from_slice(&delivery.data).unwrap();
        assert_eq!(body, json!({ "type": "FOLLOW", "username": "User1", "message": "User1 followed" }));
        // Once more, with the same id.
        let rewound = server.post_json("/sinks/servitor/rewind", &json!({ "after": 0 })).await;
        assert_eq!(rewound.status, 204, "{rewound:?}");
    }
    let tested = server.post_json("/sinks/servitor/test", &json!({})).await;
    assert_eq!((tested.status.as_u16(), tested.json()), (200, json!({ "is_routed": true })));
}

/// The server does not notice it at once, and goes on with the first one meanwhile.
#[tokio::test]
async fn sink_that_is_added_again_gets_everything() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let server = Server::start().await;
    let sink = json!({ "name": "again", "url": rabbit.url(), "after": 0, "settings": { "queue": "again" } });
    assert_eq!(server.post_json("/sinks", &sink).await.status, 201);
    append(&server.pool, 100).await;
    until("all were published", async || server.json("/sinks/again").await["cursor"] == 100).await;
    assert_eq!(server.send(Method::DELETE, "/sinks/again").await.status, 204);
    assert_eq!(server.post_json("/sinks", &sink).await.status, 201);
    append(&server.pool, 100).await;
    let (mut reader, mut arrived) = (Reader::open(&rabbit, "again", None).await, Vec::new());
    while arrived.iter().filter(|id| **id == 200).count() < 1 || arrived.iter().filter(|id| **id == 100).count() < 2 {
        arrived.push(cursor(&reader.next().await));
    }
    let again: Vec<_> = arrived.split_off(100).into_iter().filter(|id| *id <= 100).collect();
    assert_eq!(again, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn messages_without_a_queue_are_counted_and_shown() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let server = server(fresh_database().await, &rabbit.url()).await;
    append(&server.pool, 3).await;
    until_problem(&server, "amqp", "no queue is bound: 3 messages were dropped").await;
    assert_eq!(server.json("/sinks/amqp").await["dropped"], 3);
    let mut reader = Reader::open(&rabbit, "late", Some(("showtime", "#"))).await;
    append(&server.pool, 1).await;
    assert_eq!(cursor(&reader.next().await), 4);
    until("the sink is well", async || server.json("/sinks/amqp").await["problem"].is_null()).await;
    // Paused, it keeps its place.
    assert_eq!(server.post_json("/sinks/amqp/pause", &json!({})).await.status, 204);
    until_state(&server, "amqp", "off").await;
    append(&server.pool, 1).await;
    assert_eq!(server.post_json("/sinks/amqp/resume", &json!({})).await.status, 204);
    assert_eq!(cursor(&reader.next().await), 5);
}

/// Nothing waits for an image: the first event of a user goes without it.
#[tokio::test]
async fn template_shows_the_profile_image_of_a_user_once_it_is_known() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let twitch = Twitch::start().await;
    let server = Server::with(fresh_database().await, |config| twitch.configure(config)).await;
    let settings = json!({ "queue": "images", "body": "[{{ user.name }}, {{ user.profile_image_url }}]" });
    let sink = json!({ "name": "images", "url": rabbit.url(), "settings": settings });
    assert_eq!(server.post_json("/sinks", &sink).await.status, 201);
    until_state(&server, "images", "ok").await;
    let mut reader = Reader::open(&rabbit, "images", None).await;
    let mut bodies: Vec<Value> = Vec::new();
    until("the image is known", async || {
        assert_eq!(server.deliver(&cheer(CHANNEL, 100, at(0))).await.status, 204);
        bodies.push(serde_json::from_slice(&reader.next().await.data).unwrap());
        bodies.last().unwrap()[1] != ""
    })
    .await;
    assert_eq!(bodies[0], json!([format!("User{CHANNEL}"), ""]));
    let image = format!("https://static-cdn.jtvnw.net/jtv_user_pictures/{CHANNEL}-profile_image-300x300.png");
    assert_eq!(bodies.last().unwrap()[1], image);
}
