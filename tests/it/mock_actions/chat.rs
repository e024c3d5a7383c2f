//! Messages, announcements and whispers.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::{Faults, Role};
use time::Duration;

use super::{Fixture, VIEWER};
use crate::support::recorder::Answer;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, callback, received};
use crate::support::until_some;

#[tokio::test]
async fn sent_message_is_in_the_chat_and_comes_back_as_an_event() {
    let fixture = Fixture::start().await;
    let callback = callback(|_| Answer::status(204));
    fixture.twitch.consent(&["user:read:chat", "user:bot", "channel:bot"]).await;
    fixture.subscribe(&callback, "channel.chat.message", "user_id").await;

    let (status, answer) = fixture.say("hello <b>there</b>").await;
    assert_eq!((status, &answer["data"][0]["is_sent"]), (200, &json!(true)), "{answer}");
    let message_id = answer["data"][0]["message_id"].as_str().unwrap();
    let body = json!({
        "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": "and again", "reply_parent_message_id": message_id,
    });
    let (status, reply) = fixture.call(Method::POST, "/chat/messages", body).await;
    assert_eq!(status, 200, "{reply}");

    let events = until_some("both messages", async || {
        Some(received(&callback, "notification")).filter(|found| found.len() >= 2)
    });
    let mut events: Vec<_> = events.await.iter().map(|request| request.json()["event"].clone()).collect();
    events.sort_by_key(|event| event["reply"].is_object());
    assert_eq!(events[0]["message_id"], message_id);
    assert_eq!(events[0]["message"]["text"], "hello <b>there</b>");
    assert_eq!(events[0]["chatter_user_id"], CHANNEL_ID);
    assert_eq!(events[0]["badges"][0]["set_id"], "broadcaster");
    assert_eq!(events[1]["reply"]["parent_message_id"], message_id);
    let room = fixture.twitch.mock.world.room(CHANNEL).unwrap();
    assert_eq!(
        room.messages.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(),
        ["hello <b>there</b>", "and again"]
    );
}

#[tokio::test]
async fn message_that_is_not_sent_says_why() {
    let fixture = Fixture::start().await;
    fixture.faults(Faults { drop_next_message: 1, ..Faults::default() });
    let (status, answer) = fixture.say("held").await;
    assert_eq!(status, 200);
    let data = &answer["data"][0];
    assert_eq!(data["is_sent"], false);
    assert_eq!((&data["message_id"], &data["drop_reason"]["code"]), (&json!(""), &json!("msg_rejected")));
    assert!(fixture.twitch.mock.world.room(CHANNEL).unwrap().messages.is_empty());

    let gone = json!({
        "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": "what?", "reply_parent_message_id": "gone",
    });
    let (status, answer) = fixture.call(Method::POST, "/chat/messages", gone).await;
    assert_eq!((status, &answer["message"]), (400, &json!("Message cannot be replied to")));
    assert_eq!(fixture.say(&"x".repeat(501)).await.0, 422);
    assert_eq!(fixture.say(" ").await.0, 400);
}

/// A bot that is neither moderator nor VIP.
#[tokio::test]
async fn bot_sends_with_the_application_token_where_both_have_consented() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    let app = fixture.twitch.oauth.app_token().await.unwrap().access_token;
    let say = async |text: &str| {
        let body = json!({ "broadcaster_id": fixture.viewer_id, "sender_id": CHANNEL_ID, "message": text });
        fixture.call_with(&app, Method::POST, "/chat/messages", &body).await
    };
    let (status, answer) = say("one").await;
    assert_eq!(status, 403, "{answer}");
    world.set_role(VIEWER, CHANNEL, Some(Role::Moderator)).unwrap();
    assert_eq!(say("one").await.0, 200);

    world.set_role(VIEWER, CHANNEL, None).unwrap();
    assert_eq!(say("two").await.0, 403, "no longer a moderator there");
    let (_, users) =
        fixture.call_with(&app, Method::GET, &format!("/authorization/users?user_id={CHANNEL_ID}"), &Value::Null).await;
    assert!(users["data"][0]["scopes"].as_array().unwrap().contains(&json!("user:bot")), "{users}");
}

#[tokio::test]
async fn messages_have_limits_by_role() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    for n in 0..100 {
        assert_eq!(fixture.say(&format!("message {n}")).await.0, 200);
    }
    assert_eq!(fixture.say("one too many").await.0, 429);
    fixture.twitch.clock.advance(Duration::seconds(30));
    assert_eq!(fixture.say("message 101").await.0, 200);
    let violations: Vec<_> = world.violations().iter().map(|action| (action.status, action.violation)).collect();
    assert_eq!(violations, [(429, Some("100 messages in 30 s"))]);

    // In a channel where the sender has no role.
    let elsewhere = async |text: &str| {
        let body = json!({ "broadcaster_id": fixture.viewer_id, "sender_id": CHANNEL_ID, "message": text });
        fixture.call(Method::POST, "/chat/messages", body).await.1["data"][0]["drop_reason"]["code"].clone()
    };
    let body = json!({ "broadcaster_id": fixture.viewer_id, "sender_id": CHANNEL_ID, "message": "hi" });
    for n in 0..19 {
        assert_eq!(fixture.say(&format!("again {n}")).await.0, 200);
    }
    let (status, _) = fixture.call(Method::POST, "/chat/messages", body).await;
    assert_eq!(status, 429, "what a moderator sends elsewhere counts too");
    fixture.twitch.clock.advance(Duration::seconds(30));
    assert_eq!(elsewhere("hi").await, Value::Null);
    assert_eq!(elsewhere("there").await, "msg_ratelimit");
    fixture.twitch.clock.advance(Duration::seconds(2));
    assert_eq!(elsewhere("hi").await, "msg_duplicate");
}

#[tokio::test]
async fn announcements_whispers_and_warnings_are_kept_and_limited() {
    let fixture = Fixture::start().await;
    let announce = Fixture::moderated("/chat/announcements");
    let announcement = json!({ "message": "soon", "color": "purple" });
    let statuses = [
        fixture.call(Method::POST, &announce, announcement.clone()).await.0,
        fixture.call(Method::POST, &announce, announcement).await.0,
    ];
    assert_eq!(statuses, [204, 429]);
    let whisper = format!("/whispers?from_user_id={CHANNEL_ID}&to_user_id={}", fixture.viewer_id);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(fixture.call(Method::POST, &whisper, json!({ "message": "x".repeat(600) })).await.0);
    }
    assert_eq!(statuses, [204, 204, 204, 429]);
    let warn = Fixture::moderated("/moderation/warnings");
    let warning = json!({ "data": { "user_id": fixture.viewer_id, "reason": "careful" } });
    assert_eq!(fixture.call(Method::POST, &warn, warning).await.0, 200);

    let actions = fixture.twitch.mock.world.actions();
    let lengths: Vec<_> = actions
        .iter()
        .filter(|action| action.action == "whisper" && action.status == 204)
        .map(|action| action.effect["text"].as_str().unwrap().len())
        .collect();
    assert_eq!(lengths, [500, 600, 600], "the first to a user is cut");
    assert_eq!(actions.last().unwrap().effect["reason"], "careful");
}

/// The bot is neither moderator nor VIP.
#[tokio::test]
async fn modes_of_a_chat_say_why_a_message_is_not_sent() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    let bot = fixture.consent_as("showbot", &["user:write:chat"]).await;
    let say = async |text: &str| {
        let body = json!({ "broadcaster_id": CHANNEL_ID, "sender_id": bot.id, "message": text });
        let (status, answer) = fixture.call_with(&bot.token, Method::POST, "/chat/messages", &body).await;
        assert_eq!(status, 200, "{answer}");
        fixture.twitch.clock.advance(Duration::seconds(2));
        answer["data"][0]["drop_reason"]["code"].clone()
    };
    let set = async |settings: Value| {
        let path = Fixture::moderated("/chat/settings");
        assert_eq!(fixture.call(Method::PATCH, &path, settings).await.0, 200);
    };
    set(json!({ "follower_mode": true, "follower_mode_duration": 10 })).await;
    assert_eq!(say("one").await, "msg_followersonly");
    world.follow(CHANNEL, "showbot").unwrap();
    assert_eq!(say("one").await, "msg_followersonly", "for less than ten minutes");
    fixture.twitch.clock.advance(Duration::minutes(10));
    assert_eq!(say("one").await, Value::Null);
    set(json!({ "follower_mode": false, "slow_mode_wait_time": 10 })).await;
    assert_eq!(say("two").await, "msg_slowmode");
    set(json!({ "slow_mode": false, "emote_mode": true })).await;
    assert_eq!([say("Kappa LUL").await, say("three").await], [Value::Null, json!("msg_emoteonly")]);
    set(json!({ "emote_mode": false, "subscriber_mode": true })).await;
    assert_eq!(say("four").await, "msg_subsonly");
    set(json!({ "subscriber_mode": false, "unique_chat_mode": true })).await;
    fixture.twitch.clock.advance(Duration::seconds(30));
    assert_eq!(say("one").await, "msg_r9k");
    world.set_role(CHANNEL, "showbot", Some(Role::Vip)).unwrap();
    assert_eq!(say("one").await, Value::Null, "a VIP is exempt");

    fixture.ban(&bot.id, Some(60)).await;
    assert_eq!(say("five").await, "user_timed_out");
    fixture.ban(&bot.id, None).await;
    assert_eq!(say("five").await, "user_banned");
}

#[tokio::test]
async fn chat_messages_have_a_rate_limit_of_their_own() {
    let fixture = Fixture::start().await;
    let body = json!({ "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": "hi" });
    let response = fixture.request(&fixture.token, Method::POST, "/chat/messages", &body).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().parse::<i64>().unwrap();
    assert_eq!([header("ratelimit-limit"), header("ratelimit-remaining")], [100, 99]);
    let reset = fixture.twitch.clock.now().unix_timestamp() + 30;
    assert!((reset - 1..=reset).contains(&header("ratelimit-reset")));
}

#[tokio::test]
async fn announcement_of_a_bot_with_the_application_token_needs_its_consent() {
    let fixture = Fixture::start().await;
    let app = fixture.twitch.oauth.app_token().await.unwrap().access_token;
    let bot = fixture.consent_as("showbot", &["moderator:manage:announcements", "user:bot"]).await;
    let path = format!("/chat/announcements?broadcaster_id={CHANNEL_ID}&moderator_id={}", bot.id);
    let body = json!({ "message": "soon", "for_source_only": true });
    assert_eq!(fixture.call_with(&app, Method::POST, &path, &body).await.0, 403, "it is no moderator");
    fixture.twitch.mock.world.set_role(CHANNEL, "showbot", Some(Role::Moderator)).unwrap();
    assert_eq!(fixture.call_with(&bot.token, Method::POST, &path, &body).await.0, 400, "only of the application");
    assert_eq!(fixture.call_with(&app, Method::POST, &path, &body).await.0, 204);
}
