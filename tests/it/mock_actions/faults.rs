//! Faults on request, and what the control API shows.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::{Faults, Notify};
use time::Duration;

use super::{Fixture, VIEWER};
use crate::support::recorder::Answer;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, callback, received};
use crate::support::until;

#[tokio::test]
async fn call_fails_before_and_after_its_effect_on_request() {
    let fixture = Fixture::start().await;
    let texts = || {
        let room = fixture.twitch.mock.world.room(CHANNEL).unwrap();
        room.messages.into_iter().map(|message| message.text).collect::<Vec<_>>()
    };
    fixture.faults(Faults { fail_next_action_before: 1, ..Faults::default() });
    assert_eq!(fixture.say("one").await.0, 503);
    assert!(texts().is_empty());
    fixture.faults(Faults { fail_next_action_after: 1, ..Faults::default() });
    assert_eq!(fixture.say("two").await.0, 500);
    assert_eq!(texts(), ["two"]);

    fixture.faults(Faults { reset_next_action_after: 1, ..Faults::default() });
    let body = json!({ "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": "three" });
    let request = fixture.request(&fixture.token, Method::POST, "/chat/messages", &body);
    let answer = match request.send().await {
        Ok(response) => response.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(answer.is_err(), "there is no answer");
    assert_eq!(texts(), ["two", "three"]);
    let faults: Vec<_> = fixture.twitch.mock.world.actions().into_iter().filter_map(|action| action.fault).collect();
    assert_eq!(faults, ["failed before the effect", "failed after the effect", "connection reset after the effect"]);
}

#[tokio::test]
async fn control_api_shows_the_ledger_and_the_chat() {
    let fixture = Fixture::start().await;
    let base = fixture.twitch.mock.base_url();
    let get = async |path: &str| -> Value {
        fixture.twitch.browser.get(format!("{base}{path}")).send().await.unwrap().json().await.unwrap()
    };
    let said = json!({ "user": VIEWER, "text": "hi" });
    let answer: Value =
        fixture.twitch.browser.post(format!("{base}/mock/say")).json(&said).send().await.unwrap().json().await.unwrap();
    assert!(answer["message_id"].is_string(), "{answer}");
    fixture.ban(&fixture.viewer_id, None).await;
    let room = get(&format!("/mock/channels/{CHANNEL}/chat")).await;
    assert_eq!(
        (&room["messages"][0]["text"], &room["bans"][&fixture.viewer_id]["reason"]),
        (&json!("hi"), &json!("spam"))
    );
    let ledger = get("/mock/actions").await;
    assert_eq!(ledger["data"][0]["action"], "ban");
    assert_eq!(ledger["data"][0]["as_user"], CHANNEL_ID);
    let missing = get("/mock/channels/missing/chat").await;
    assert!(missing["error"].as_str().unwrap().starts_with("there is no channel missing"), "{missing}");
}

#[tokio::test]
async fn faults_have_the_status_and_the_code_that_are_set() {
    let fixture = Fixture::start().await;
    fixture.faults(Faults { fail_next_action_before: 1, action_status_before: Some(429), ..Faults::default() });
    assert_eq!(fixture.say("one").await.0, 429);
    fixture.faults(Faults { fail_next_action_after: 1, action_status_after: Some(503), ..Faults::default() });
    assert_eq!(fixture.say("two").await.0, 503);
    let code = Some("channel_settings".to_owned());
    fixture.faults(Faults { drop_message: 1.0, drop_code: code, ..Faults::default() });
    assert_eq!(fixture.say("three").await.1["data"][0]["drop_reason"]["code"], "channel_settings");

    fixture.faults(Faults { lose_next_parent: 1, ..Faults::default() });
    let parent = fixture.say("four").await.1["data"][0]["message_id"].clone();
    let reply = json!({
        "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": "yes", "reply_parent_message_id": parent,
    });
    let statuses = [
        fixture.call(Method::POST, "/chat/messages", reply.clone()).await.0,
        fixture.call(Method::POST, "/chat/messages", reply).await.0,
    ];
    assert_eq!(statuses, [400, 200]);

    fixture.faults(Faults { end_token_of_next_action: 1, ..Faults::default() });
    assert_eq!([fixture.say("five").await.0, fixture.say("five").await.0], [401, 401], "the token has ended");
}

#[tokio::test]
async fn echo_can_come_before_the_answer() {
    let fixture = Fixture::start().await;
    let callback = callback(|_| Answer::status(204));
    fixture.twitch.consent(&["user:read:chat", "user:bot", "channel:bot"]).await;
    fixture.subscribe(&callback, "channel.chat.message", "user_id").await;
    fixture.faults(Faults { action_late_answer: 1.0, delay_ms: 3_600_000, ..Faults::default() });
    let echo = async {
        until("the echo", async || !received(&callback, "notification").is_empty()).await;
        fixture.twitch.clock.advance(Duration::HOUR);
    };
    let ((status, answer), ()) = tokio::join!(fixture.say("hello"), echo);
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn clip_is_ready_when_it_is_set_to_be() {
    let fixture = Fixture::start().await;
    fixture.twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    fixture.faults(Faults { clip_s: Some(60), ..Faults::default() });
    let (_, answer) = fixture.call(Method::POST, &format!("/clips?broadcaster_id={CHANNEL_ID}"), Value::Null).await;
    let shown = format!("/clips?id={}", answer["data"][0]["id"].as_str().unwrap());
    for (seconds, clips) in [(15, 0), (45, 1)] {
        fixture.twitch.clock.advance(Duration::seconds(seconds));
        let (_, answer) = fixture.call(Method::GET, &shown, Value::Null).await;
        assert_eq!(answer["data"].as_array().unwrap().len(), clips, "{answer}");
    }
}
