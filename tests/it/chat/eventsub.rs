//! Chats that EventSub delivers, since their broadcasters have consented.

use serde_json::{Value, json};

use super::{Place, set};
use crate::support::messages::{at, offline, online};
use crate::support::server::Server;
use crate::support::twitch::CHANNEL;
use crate::support::until;

/// The types about chats that Twitch delivers.
fn chat_types(place: &Place) -> Vec<String> {
    let held = place.twitch.mock.world.subscriptions();
    let mut types: Vec<_> = held.into_iter().filter(|it| it.status.is_alive()).map(|it| it.kind).collect();
    types.retain(|kind| kind.starts_with("channel.chat."));
    types.sort_unstable();
    types
}

async fn source(server: &Server) -> Value {
    server.json(&format!("/channels/{CHANNEL}/chat")).await["source"].clone()
}

#[tokio::test]
async fn subscription_to_a_chat_follows_its_setting() {
    let place = Place::new().await;
    place.consent(CHANNEL, &["user:read:chat"]).await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    until("EventSub delivers the chat", async || source(&server).await == "eventsub").await;
    assert_eq!(chat_types(&place), ["channel.chat.message"]);
    place.until_joined(0).await;
    set(&server, "off", false).await;
    until("the subscription is gone", async || chat_types(&place).is_empty()).await;
    until("it is not desired", async || source(&server).await == "irc").await;
}

#[tokio::test]
async fn subscription_to_a_chat_ends_a_while_after_the_broadcast() {
    let place = Place::new().await;
    place.consent(CHANNEL, &["user:read:chat"]).await;
    let server = place.serve().await;
    let rule = json!({ "name": "hi", "command": "!hi", "do": [{ "say": "hi" }] });
    assert_eq!(server.post_json("/rules", &rule).await.status, 201);
    assert_eq!(server.deliver(&online("40952110345", at(0))).await.status, 204);
    until("EventSub delivers the chat", async || source(&server).await == "eventsub").await;
    assert_eq!(server.deliver(&offline(Some("40952110345"), at(60))).await.status, 204);
    until("the stream has ended", async || server.json("/channels?live=true").await["data"] == json!([])).await;
    assert_eq!(chat_types(&place), ["channel.chat.message"], "it may go on");
    place.twitch.clock.advance(time::Duration::minutes(20));
    until("the subscription is gone", async || chat_types(&place).is_empty()).await;
    place.until_joined(0).await;
}

#[tokio::test]
async fn types_that_rules_wait_for_are_subscribed_to() {
    let place = Place::new().await;
    place.consent(CHANNEL, &["user:read:chat", "channel:read:polls"]).await;
    let server = place.serve().await;
    for (name, on) in [("poll", "channel.poll.begin"), ("gift", "channel.chat.notification")] {
        let rule = json!({ "name": name, "on": on, "do": [{ "say": "hi" }] });
        assert_eq!(server.post_json("/rules", &rule).await.status, 201);
    }
    let held = |kind: &str| place.twitch.mock.world.subscriptions().iter().any(|it| it.kind == kind);
    until("polls are subscribed to", async || held("channel.poll.begin")).await;
    assert!(chat_types(&place).is_empty(), "the channel is not live");
    assert_eq!(server.deliver(&online("40952110345", at(0))).await.status, 204);
    let all = ["channel.chat.message", "channel.chat.notification"];
    until("the chat is subscribed to", async || chat_types(&place) == all).await;
}
