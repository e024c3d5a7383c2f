//! Every step does at Twitch what it says.

use serde_json::{Value, json};

use super::{Place, VIEWER, done, request, say, settled};
use crate::support::server::Server;
use crate::support::twitch::CHANNEL;

/// Does a step, and returns what the mock's ledger has of it, and the action's result.
async fn effect(place: &Place, server: &Server, call: &str, step: Value) -> (Value, Value) {
    let before = place.performed(call).len();
    let action = done(server, step.clone()).await;
    let calls = place.performed(call);
    assert_eq!(calls.len(), before + 1, "{step}");
    (calls.last().unwrap().effect.clone(), action["result"].clone())
}

#[tokio::test]
async fn messages_are_written_answered_deleted_and_pinned() {
    let place = Place::new().await;
    let server = place.serve().await;
    let (said, result) = effect(&place, &server, "say", say("hello\nthere")).await;
    assert_eq!((&said["text"], &said["message_id"]), (&json!("hello there"), &result["message_id"]));
    let message_id = result["message_id"].clone();

    let reply = json!({ "reply": { "message_id": message_id, "text": "and again" } });
    assert_eq!(effect(&place, &server, "say", reply).await.0["reply_to"], message_id);
    let gone = json!({ "reply": { "message_id": "gone", "text": "to a message that is gone" } });
    assert_eq!(effect(&place, &server, "say", gone).await.0["reply_to"], Value::Null);

    let pin = json!({ "pin": { "message_id": message_id, "seconds": 60 } });
    effect(&place, &server, "pin", pin).await;
    assert!(place.twitch.mock.world.room(CHANNEL).unwrap().pinned.is_some());
    effect(&place, &server, "unpin", json!({ "unpin": { "message_id": message_id } })).await;
    let written = place.twitch.mock.world.say(CHANNEL, VIEWER, "buy followers now").unwrap();
    assert_eq!(done(&server, json!({ "delete": { "message_id": written } })).await["result"]["was_so"], false);
    let again = request(&server, &json!({ "delete": { "message_id": "gone" } })).await;
    assert_eq!(settled(&server, again).await["result"]["was_so"], true);
    done(&server, json!({ "clear": {} })).await;
    assert!(place.twitch.mock.world.room(CHANNEL).unwrap().messages.iter().all(|message| message.is_deleted));

    let (announced, _) =
        effect(&place, &server, "announce", json!({ "announce": { "text": "news", "color": "purple" } })).await;
    assert_eq!((&announced["text"], &announced["color"]), (&json!("news"), &json!("purple")));
    let whisper = json!({ "whisper": { "user": VIEWER, "text": "psst" } });
    effect(&place, &server, "whisper", whisper).await;
    server.stop().await;
}

#[tokio::test]
async fn users_are_banned_warned_and_made_vips() {
    let place = Place::new().await;
    let server = place.serve().await;
    let id = place.viewer_id.as_str();
    let timeout = json!({ "timeout": { "user": VIEWER, "seconds": 60, "reason": "links" } });
    let (timed_out, _) = effect(&place, &server, "ban", timeout).await;
    assert_eq!((&timed_out["user_id"], &timed_out["duration"]), (&json!(id), &json!(60)));
    let ban = json!({ "ban": { "user": id, "reason": "spam" } });
    let (banned, _) = effect(&place, &server, "ban", ban.clone()).await;
    assert_eq!((&banned["user_id"], &banned["duration"]), (&json!(id), &Value::Null));
    assert_eq!(done(&server, ban).await["result"]["was_so"], true, "Twitch refuses to ban twice, and so it is done");
    effect(&place, &server, "unban", json!({ "unban": { "user": VIEWER } })).await;
    assert_eq!(done(&server, json!({ "unban": { "user": VIEWER } })).await["result"]["was_so"], true);
    effect(&place, &server, "warn", json!({ "warn": { "user": VIEWER, "reason": "be kind" } })).await;
    let vip = json!({ "vip": { "user": VIEWER } });
    assert_eq!(done(&server, vip.clone()).await["result"]["was_so"], false);
    assert_eq!(done(&server, vip).await["result"]["was_so"], true);
    assert_eq!(done(&server, json!({ "unvip": { "user": VIEWER } })).await["result"]["was_so"], false);
    assert_eq!(done(&server, json!({ "unvip": { "user": VIEWER } })).await["result"]["was_so"], true);
    done(&server, json!({ "shoutout": VIEWER })).await;
    server.stop().await;
}

#[tokio::test]
async fn channel_and_chat_are_changed() {
    let place = Place::new().await;
    let server = place.serve().await;
    done(&server, json!({ "title": "Speedrun" })).await;
    let game = done(&server, json!({ "game": "just chatting" })).await;
    assert_eq!(game["result"], json!({ "game_id": "509658", "game_name": "Just Chatting" }));
    done(&server, json!({ "tags": ["English", "Retro"] })).await;
    let information = &place.twitch.helix.channels(&[crate::support::twitch::CHANNEL_ID]).await.unwrap()[0];
    assert_eq!(information.title.as_deref(), Some("Speedrun"));
    assert_eq!(information.game_name.as_deref(), Some("Just Chatting"));

    let unknown = request(&server, &json!({ "game": "just chat" })).await;
    let unknown = settled(&server, unknown).await;
    assert_eq!(unknown["state"], "failed");
    assert_eq!(unknown["problem"], "Twitch knows no category `just chat`; there is `Just Chatting`");

    done(&server, json!({ "settings": { "slow_mode": true, "slow_mode_wait_time": 10 } })).await;
    done(&server, json!({ "shield": true })).await;
    let marker = done(&server, json!({ "marker": { "description": "the jump" } })).await;
    assert!(marker["result"]["id"].is_string(), "{marker}");
    let ad = done(&server, json!({ "ad": { "seconds": 60 } })).await;
    assert_eq!(ad["result"]["seconds"], 60);
    server.stop().await;
}

#[tokio::test]
async fn clip_is_done_when_it_can_be_seen() {
    let place = Place::new().await;
    let server = place.serve().await;
    let clip = done(&server, json!({ "clip": { "title": null, "seconds": null } })).await;
    let id = clip["result"]["id"].as_str().unwrap();
    assert_eq!(clip["result"]["url"], format!("https://clips.twitch.tv/{id}"));
    assert_eq!(place.performed("clip").len(), 1, "it is looked up several times, and made once");
    server.stop().await;
}

#[tokio::test]
async fn refusals_of_twitch_are_told() {
    let place = Place::new().await;
    let server = place.serve().await;
    let refused = request(&server, &json!({ "ban": { "user": CHANNEL, "reason": null } })).await;
    let refused = settled(&server, refused).await;
    assert_eq!(refused["state"], "failed");
    let problem = refused["problem"].as_str().unwrap();
    assert_eq!(
        problem,
        "Twitch refused to ban the user: The user specified in the user_id field may not be banned. (400)"
    );
    let (verdict, message) = server.check("actions").await;
    assert_eq!(verdict, "warn");
    assert!(message.contains(problem), "{message}");
    server.stop().await;
}
