//! The settings of a chat, over the API and as commands.

use serde_json::json;

use super::{Place, set};
use crate::support::twitch::CHANNEL;

#[tokio::test]
async fn settings_are_changed_one_by_one() {
    let place = Place::new().await;
    let server = place.serve().await;
    let path = format!("/channels/{CHANNEL}/chat");
    assert_eq!(
        server.json(&path).await,
        json!({ "chat": "off", "is_default": true, "membership": false, "source": "irc" })
    );
    let answer = server.patch_json(&path, &json!({ "membership": true })).await;
    assert_eq!(answer.json(), json!({ "chat": "off", "is_default": true, "membership": true, "source": "irc" }));
    let answer = server.patch_json(&path, &json!({ "chat": "live" })).await;
    assert_eq!(answer.json(), json!({ "chat": "live", "is_default": false, "membership": true, "source": "irc" }));
    assert_eq!(server.json(&path).await, answer.json());
}

#[tokio::test]
async fn wrong_settings_and_channels_are_named() {
    let place = Place::new().await;
    let server = place.serve().await;
    let path = format!("/channels/{CHANNEL}/chat");
    let wrong = server.patch_json(&path, &json!({ "chat": "sometimes" })).await.problem(400, "invalid-field");
    assert!(wrong["detail"].as_str().unwrap().contains("chat"), "{wrong}");
    server.patch_json(&path, &json!({ "mode": "live" })).await.problem(400, "invalid-field");
    server.patch_json("/channels/missing/chat", &json!({ "chat": "live" })).await.problem(404, "not-found");
    server.get("/channels/missing/chat").await.problem(404, "not-found");
    set(&server, "off", false).await;
}
