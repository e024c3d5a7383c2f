//! What is written in a chat enters the log, once.

use std::time::Duration;

use serde_json::json;
use showtime::twitch::catalogue;

use super::{Place, VIEWER, set, until_events};
use crate::support::messages::{at, notification, offline, online, with_person};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID};
use crate::support::until;

const CHAT: &str = "channel.chat.message";

#[tokio::test]
async fn line_enters_the_log_as_eventsub_would_tell_it() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    place.until_joined(1).await;
    let id = place.twitch.mock.world.say(CHANNEL, VIEWER, "hello; :there").unwrap();
    let event = until_events(&server, CHAT, 1).await.remove(0);
    assert_eq!((&event["message_id"], &event["message_type"]), (&json!(format!("irc:{id}")), &json!("irc")));
    assert_eq!((&event["channel_id"], &event["subscription_id"]), (&json!(CHANNEL_ID), &json!(null)));
    assert!(event["text"].as_str().unwrap().ends_with(": hello; :there"), "{event}");
    let payload = &event["payload"];
    assert_eq!(payload["irc"], json!({ "type": CHAT, "version": "1", "channel_id": CHANNEL_ID }));
    let told = &payload["event"];
    assert_eq!((&told["message_id"], &told["message"]["text"]), (&json!(id), &json!("hello; :there")));
    assert_eq!((&told["broadcaster_user_login"], &told["chatter_user_login"]), (&json!(CHANNEL), &json!(VIEWER)));
    assert_eq!((&told["reply"], &told["cheer"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn line_over_two_connections_is_told_once() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    place.until_joined(1).await;
    let mut said = 0;
    for _ in 0..3 {
        let old = place.connections().await[0]["number"].clone();
        place.control("reconnect", &json!({})).await;
        for _ in 0..20 {
            // The broadcaster may write so fast.
            place.twitch.mock.world.say(CHANNEL, CHANNEL, &format!("line {said}")).unwrap();
            said += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let is_replaced = async || {
            let connections = place.connections().await;
            connections.len() == 1 && connections[0]["number"] != old && connections[0]["channels"] != json!([])
        };
        until("the connection is replaced", is_replaced).await;
    }
    let events = until_events(&server, CHAT, said).await;
    assert!(events.iter().all(|event| event["is_echo"] == false));
}

#[tokio::test]
async fn line_that_eventsub_tells_as_well_is_an_echo() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    place.until_joined(1).await;
    let world = &place.twitch.mock.world;
    let first = world.say(CHANNEL, VIEWER, "over IRC first").unwrap();
    until_events(&server, CHAT, 1).await;
    deliver(&server, &first).await;
    let events = until_events(&server, CHAT, 2).await;
    let shown: Vec<_> = events.iter().map(|event| (&event["message_type"], &event["is_echo"])).collect();
    assert_eq!(shown, [(&json!("irc"), &json!(false)), (&json!("notification"), &json!(true))]);
    assert_eq!(events[1]["repeats"], events[0]["id"]);
    deliver(&server, "another-id").await;
    assert_eq!(until_events(&server, CHAT, 3).await[2]["is_echo"], false, "another message");
}

/// EventSub tells of a message with this id.
async fn deliver(server: &Server, message_id: &str) {
    let message = json!({ "text": "over IRC first", "fragments": [] });
    let event = with_person("chatter_user_", "7", json!({ "message_id": message_id, "message": message }));
    assert_eq!(server.deliver(&notification(CHAT, at(300), event)).await.status, 204);
}

#[tokio::test]
async fn chat_that_eventsub_delivers_is_not_read_over_irc() {
    let place = Place::new().await;
    place.consent(CHANNEL, &["user:read:chat"]).await;
    let server = place.serve_as(|config| config.twitch.extra_types = vec![catalogue::find(CHAT, None).unwrap()]).await;
    let settings = format!("/channels/{CHANNEL}/chat");
    until("EventSub delivers the chat", async || server.json(&settings).await["source"] == "eventsub").await;
    set(&server, "always", true).await;
    place.until_joined(1).await;
    place.twitch.mock.world.say(CHANNEL, VIEWER, "hello").unwrap();
    // The author is there, so the line was read.
    until_events(&server, "showtime.chat.presence", 1).await;
    assert_eq!(until_events(&server, CHAT, 1).await[0]["message_type"], "notification");
    set(&server, "always", false).await;
    place.until_joined(0).await;
}

#[tokio::test]
async fn chat_is_read_while_the_channel_is_live_and_a_while_longer() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "live", false).await;
    assert_eq!(server.check("chat").await, ("pass".to_owned(), "no chat is read over IRC".to_owned()));
    assert_eq!(server.deliver(&online("40952110345", at(0))).await.status, 204);
    place.until_joined(1).await;
    assert_eq!(server.deliver(&offline(Some("40952110345"), at(60))).await.status, 204);
    until("the stream has ended", async || server.json("/channels?live=true").await["data"] == json!([])).await;
    place.twitch.clock.advance(time::Duration::minutes(10));
    assert_eq!(place.connections().await.len(), 1, "it may go on");
    place.twitch.clock.advance(time::Duration::minutes(10));
    until("the chat is left", async || place.connections().await.is_empty()).await;
}
