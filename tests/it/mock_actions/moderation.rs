//! Bans, deleted messages, roles and scopes.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::Role;
use time::Duration;

use super::{Fixture, VIEWER};
use crate::support::recorder::{Answer, Request};
use crate::support::twitch::{CHANNEL, CHANNEL_ID, callback, received};
use crate::support::until_some;

#[tokio::test]
async fn banned_user_can_not_write_until_unbanned() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    let message_id = world.say(CHANNEL, VIEWER, "buy followers").unwrap();
    let delete = Fixture::moderated(&format!("/moderation/chat?message_id={message_id}"));
    assert_eq!(fixture.call(Method::DELETE, &delete, Value::Null).await.0, 204);
    assert_eq!(fixture.call(Method::DELETE, &delete, Value::Null).await.0, 404, "it is deleted already");
    assert!(world.room(CHANNEL).unwrap().messages[0].is_deleted);

    let (status, answer) = fixture.ban(&fixture.viewer_id, Some(60)).await;
    assert_eq!(status, 200);
    assert!(answer["data"][0]["end_time"].is_string(), "{answer}");
    let refusal = world.say(CHANNEL, VIEWER, "hello?").unwrap_err();
    let expected = "quietotter can't write in the chat of maplearcade: You are timed out from talking in the room.";
    assert_eq!(refusal.to_string(), expected);
    fixture.twitch.clock.advance(Duration::seconds(61));
    assert!(world.say(CHANNEL, VIEWER, "back").is_ok(), "the timeout has ended");

    assert_eq!(fixture.ban(&fixture.viewer_id, None).await.0, 200);
    let (status, answer) = fixture.ban(&fixture.viewer_id, None).await;
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().unwrap().contains("already banned"), "{answer}");
    let unban = Fixture::moderated(&format!("/moderation/bans?user_id={}", fixture.viewer_id));
    assert_eq!(fixture.call(Method::DELETE, &unban, Value::Null).await.0, 204);
    assert_eq!(fixture.call(Method::DELETE, &unban, Value::Null).await.0, 400);
    assert_eq!(fixture.ban(CHANNEL_ID, None).await.0, 400, "the broadcaster can't be banned");
}

#[tokio::test]
async fn missing_scope_user_token_or_role_is_refused() {
    let fixture = Fixture::start().await;
    let few = fixture.twitch.consent(&["user:read:chat"]).await.access_token;
    let app = fixture.twitch.oauth.app_token().await.unwrap().access_token;
    let bans = Fixture::moderated("/moderation/bans");
    let body = json!({ "data": { "user_id": fixture.viewer_id } });
    let (status, answer) = fixture.call_with(&few, Method::POST, &bans, &body).await;
    assert_eq!((status, &answer["message"]), (401, &json!("Missing scope: moderator:manage:banned_users")));
    let (status, answer) = fixture.call_with(&app, Method::POST, &bans, &body).await;
    assert_eq!((status, &answer["message"]), (401, &json!("Missing User OAUTH Token")));
    let other = format!("/moderation/bans?broadcaster_id={}&moderator_id={CHANNEL_ID}", fixture.viewer_id);
    assert_eq!(fixture.call(Method::POST, &other, json!({ "data": { "user_id": "1" } })).await.0, 403);
    let wrong = format!("/moderation/bans?broadcaster_id={CHANNEL_ID}&moderator_id={}", fixture.viewer_id);
    assert_eq!(fixture.call(Method::POST, &wrong, body).await.0, 401);
    assert_eq!(fixture.call(Method::POST, &bans, json!({ "data": {} })).await.0, 400);
    let refusals: Vec<_> = fixture.twitch.mock.world.actions().into_iter().map(|action| action.status).collect();
    assert_eq!(refusals, [401, 401, 403, 401, 400]);
}

#[tokio::test]
async fn repeated_idempotent_calls_have_one_effect() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    let vip = format!("/channels/vips?broadcaster_id={CHANNEL_ID}&user_id={}", fixture.viewer_id);
    let call = async |method: Method, path: &str, body: Value| fixture.call(method, path, body).await.0;
    assert_eq!([call(Method::POST, &vip, Value::Null).await, call(Method::POST, &vip, Value::Null).await], [204, 422]);
    assert_eq!(
        [call(Method::DELETE, &vip, Value::Null).await, call(Method::DELETE, &vip, Value::Null).await],
        [204, 422]
    );
    let shield = Fixture::moderated("/moderation/shield_mode");
    for _ in 0..2 {
        assert_eq!(call(Method::PUT, &shield, json!({ "is_active": true })).await, 200);
    }
    let settings = Fixture::moderated("/chat/settings");
    for _ in 0..2 {
        let (status, answer) = fixture.call(Method::PATCH, &settings, json!({ "slow_mode": true })).await;
        assert_eq!((status, &answer["data"][0]["slow_mode_wait_time"]), (200, &json!(30)));
    }
    assert_eq!(call(Method::PATCH, &settings, json!({ "slow_mode_wait_time": 2 })).await, 400);
    let id = world.say(CHANNEL, VIEWER, "pin me").unwrap();
    let pin = Fixture::moderated(&format!("/chat/pins?message_id={id}"));
    for _ in 0..2 {
        assert_eq!(call(Method::PUT, &pin, Value::Null).await, 204);
    }
    assert_eq!(world.room(CHANNEL).unwrap().pinned.unwrap().message_id, id);
    let [longer, other] = [id.as_str(), "other"].map(|id| format!("/chat/pins?message_id={id}&duration_seconds=60"));
    let patch = async |path: &str| call(Method::PATCH, &Fixture::moderated(path), Value::Null).await;
    assert_eq!([patch(&longer).await, patch(&other).await], [204, 404]);
    assert_eq!(
        [call(Method::DELETE, &pin, Value::Null).await, call(Method::DELETE, &pin, Value::Null).await],
        [204, 404]
    );
}

#[tokio::test]
async fn moderation_is_told_to_subscribers() {
    let fixture = Fixture::start().await;
    let callback = callback(|_| Answer::status(204));
    let scopes = ["user:read:chat", "user:bot", "channel:bot", "channel:moderate"];
    fixture.twitch.consent(&scopes).await;
    for (kind, user) in [
        ("channel.ban", ""),
        ("channel.unban", ""),
        ("channel.chat.message_delete", "user_id"),
        ("channel.chat.clear_user_messages", "user_id"),
        ("channel.chat.clear", "user_id"),
    ] {
        fixture.subscribe(&callback, kind, user).await;
    }
    let world = &fixture.twitch.mock.world;
    let [spam, other] = ["buy followers", "really"].map(|text| world.say(CHANNEL, VIEWER, text).unwrap());
    let events = async |kind: &str| {
        until_some(kind, async || {
            let all = received(&callback, "notification");
            let mut found = all.iter().map(Request::json).filter(|message| message["subscription"]["type"] == kind);
            found.next().map(|message| message["event"].clone())
        })
        .await
    };
    let delete = Fixture::moderated(&format!("/moderation/chat?message_id={spam}"));
    fixture.call(Method::DELETE, &delete, Value::Null).await;
    let deleted = events("channel.chat.message_delete").await;
    assert_eq!((&deleted["message_id"], &deleted["target_user_id"]), (&json!(spam), &json!(fixture.viewer_id)));

    fixture.ban(&fixture.viewer_id, None).await;
    let ban = events("channel.ban").await;
    assert_eq!([&ban["user_id"], &ban["moderator_user_id"]], [&json!(fixture.viewer_id), &json!(CHANNEL_ID)]);
    assert_eq!([&ban["reason"], &ban["is_permanent"], &ban["ends_at"]], [&json!("spam"), &json!(true), &Value::Null]);
    assert_eq!(events("channel.chat.clear_user_messages").await["target_user_id"], fixture.viewer_id);
    let room = world.room(CHANNEL).unwrap();
    let other = room.messages.iter().find(|message| message.id == other).unwrap();
    assert!(other.is_deleted, "a ban deletes what the user wrote");

    let unban = Fixture::moderated(&format!("/moderation/bans?user_id={}", fixture.viewer_id));
    fixture.call(Method::DELETE, &unban, Value::Null).await;
    assert_eq!(events("channel.unban").await["user_id"], fixture.viewer_id);
    fixture.call(Method::DELETE, &Fixture::moderated("/moderation/chat"), Value::Null).await;
    events("channel.chat.clear").await;
}

#[tokio::test]
async fn moderator_may_not_touch_broadcaster_or_moderators() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    let scopes = ["moderator:manage:banned_users", "moderator:manage:chat_messages", "user:write:chat"];
    let bot = fixture.consent_as("showbot", &scopes).await;
    for moderator in ["showbot", VIEWER] {
        world.set_role(CHANNEL, moderator, Some(Role::Moderator)).unwrap();
    }
    let [own, other, broadcaster] = ["showbot", VIEWER, CHANNEL].map(|user| world.say(CHANNEL, user, "hello").unwrap());
    let by_bot = |path: &str| format!("{path}broadcaster_id={CHANNEL_ID}&moderator_id={}", bot.id);
    let delete = async |id: &str| {
        let path = by_bot(&format!("/moderation/chat?message_id={id}&"));
        fixture.call_with(&bot.token, Method::DELETE, &path, &Value::Null).await.0
    };
    assert_eq!([delete(&own).await, delete(&other).await, delete(&broadcaster).await], [204, 400, 400]);
    let body = json!({ "data": { "user_id": fixture.viewer_id } });
    assert_eq!(fixture.call_with(&bot.token, Method::POST, &by_bot("/moderation/bans?"), &body).await.0, 400);
    assert_eq!(fixture.ban(&fixture.viewer_id, None).await.0, 200, "but the broadcaster may");
}
