//! The fake Twitch's chat, moderation and channel: state, scopes, limits, faults, and the ledger.

use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use showtime::mock::{Faults, MockConfig, Notify, Role};
use time::Duration;

use crate::support::recorder::Answer;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, callback, eventually, received};

/// Another user.
const VIEWER: &str = "quietotter";

/// The scopes that the calls require.
const SCOPES: [&str; 15] = [
    "channel:edit:commercial",
    "channel:manage:broadcast",
    "channel:manage:vips",
    "clips:edit",
    "moderator:manage:announcements",
    "moderator:manage:banned_users",
    "moderator:manage:chat_messages",
    "moderator:manage:chat_settings",
    "moderator:manage:shield_mode",
    "moderator:manage:shoutouts",
    "moderator:manage:warnings",
    "moderator:read:chatters",
    "user:manage:whispers",
    "user:write:chat",
    "user:bot",
];

struct Fixture {
    twitch: Twitch,
    /// Of the channel's broadcaster, with all scopes.
    token: SecretString,
    viewer_id: String,
}

impl Fixture {
    async fn start() -> Self {
        let twitch = Twitch::start().await;
        let token = twitch.consent(&SCOPES).await.access_token;
        let viewer_id = twitch.mock.world.add_channel(VIEWER).unwrap().id;
        Self { twitch, token, viewer_id }
    }

    async fn call_with(&self, token: &SecretString, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.twitch.mock.api_url());
        let request = self.twitch.browser.request(method, url).bearer_auth(token.expose_secret());
        let request = request.header("Client-Id", MockConfig::default().client_id).json(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Makes a call as the broadcaster.
    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.call_with(&self.token, method, path, &body).await
    }

    async fn say(&self, text: &str) -> (u16, Value) {
        let body = json!({ "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": text });
        self.call(Method::POST, "/chat/messages", body).await
    }

    /// A path with the channel as broadcaster and moderator.
    fn moderated(path: &str) -> String {
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{path}{sign}broadcaster_id={CHANNEL_ID}&moderator_id={CHANNEL_ID}")
    }

    async fn ban(&self, user_id: &str, duration: Option<u32>) -> (u16, Value) {
        let body = json!({ "data": { "user_id": user_id, "duration": duration, "reason": "spam" } });
        self.call(Method::POST, &Self::moderated("/moderation/bans"), body).await
    }

    fn faults(&self, faults: Faults) {
        self.twitch.mock.world.set_faults(faults).unwrap();
    }
}

#[tokio::test]
async fn sent_message_is_in_the_chat_and_comes_back_as_an_event() {
    let fixture = Fixture::start().await;
    let callback = callback(|_| Answer::status(204));
    fixture.twitch.consent(&["user:read:chat", "user:bot", "channel:bot"]).await;
    let condition = [("broadcaster_user_id", CHANNEL_ID), ("user_id", CHANNEL_ID)];
    let condition = condition.map(|(field, id)| (field.to_owned(), id.to_owned())).into();
    let url = callback.url("/callback");
    let id = fixture.twitch.subscribe_to("channel.chat.message", "1", &condition, &url).await.unwrap().id;
    fixture.twitch.until_status(&id, "enabled").await;

    let (status, answer) = fixture.say("hello <b>there</b>").await;
    assert_eq!((status, &answer["data"][0]["is_sent"]), (200, &json!(true)), "{answer}");
    let message_id = answer["data"][0]["message_id"].as_str().unwrap();
    let body = json!({
        "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": "and again", "reply_parent_message_id": message_id,
    });
    let (status, reply) = fixture.call(Method::POST, "/chat/messages", body).await;
    assert_eq!(status, 200, "{reply}");

    let events =
        eventually("both messages", || Some(received(&callback, "notification")).filter(|found| found.len() >= 2));
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
    assert_eq!(world.actions().iter().filter(|action| action.status == 429).count(), 1);

    // In a channel where the sender has no role.
    let elsewhere = async |text: &str| {
        let body = json!({ "broadcaster_id": fixture.viewer_id, "sender_id": CHANNEL_ID, "message": text });
        fixture.call(Method::POST, "/chat/messages", body).await.1["data"][0]["drop_reason"]["code"].clone()
    };
    fixture.twitch.clock.advance(Duration::seconds(30));
    assert_eq!(elsewhere("hi").await, Value::Null);
    assert_eq!(elsewhere("there").await, "msg_ratelimit");
    fixture.twitch.clock.advance(Duration::seconds(2));
    assert_eq!(elsewhere("hi").await, "msg_duplicate");
}

#[tokio::test]
async fn banned_user_can_not_write_until_unbanned() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    let message_id = world.say(CHANNEL, VIEWER, "buy followers").unwrap().unwrap();
    let delete = Fixture::moderated(&format!("/moderation/chat?message_id={message_id}"));
    assert_eq!(fixture.call(Method::DELETE, &delete, Value::Null).await.0, 204);
    assert_eq!(fixture.call(Method::DELETE, &delete, Value::Null).await.0, 404, "it is deleted already");
    assert!(world.room(CHANNEL).unwrap().messages[0].is_deleted);

    let (status, answer) = fixture.ban(&fixture.viewer_id, Some(60)).await;
    assert_eq!(status, 200);
    assert!(answer["data"][0]["end_time"].is_string(), "{answer}");
    assert_eq!(world.say(CHANNEL, VIEWER, "hello?").unwrap(), None);
    fixture.twitch.clock.advance(Duration::seconds(61));
    assert!(world.say(CHANNEL, VIEWER, "back").unwrap().is_some(), "the timeout has ended");

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
async fn channel_keeps_title_category_and_tags() {
    let fixture = Fixture::start().await;
    let path = format!("/channels?broadcaster_id={CHANNEL_ID}");
    let change = json!({ "title": "Second run", "game_id": "509658", "tags": ["Speedrun", "English"] });
    assert_eq!(fixture.call(Method::PATCH, &path, change).await.0, 204);
    let (_, channel) = fixture.call(Method::GET, &path, Value::Null).await;
    let channel = &channel["data"][0];
    assert_eq!((&channel["title"], &channel["game_name"]), (&json!("Second run"), &json!("Just Chatting")));
    assert_eq!(channel["tags"], json!(["Speedrun", "English"]));
    for wrong in [json!({}), json!({ "title": "" }), json!({ "game_id": "1" }), json!({ "tags": ["two words"] })] {
        assert_eq!(fixture.call(Method::PATCH, &path, wrong.clone()).await.0, 400, "{wrong}");
    }
    let (_, games) = fixture.call(Method::GET, "/games?name=Just%20Chatting", Value::Null).await;
    assert_eq!(games["data"][0]["id"], "509658");
    let (_, found) = fixture.call(Method::GET, "/search/categories?query=chat", Value::Null).await;
    assert_eq!(found["data"][0]["name"], "Just Chatting");
}

#[tokio::test]
async fn live_channel_has_clips_markers_commercials_and_shoutouts() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    let clip = format!("/clips?broadcaster_id={CHANNEL_ID}");
    let shoutout = format!(
        "/chat/shoutouts?from_broadcaster_id={CHANNEL_ID}&to_broadcaster_id={}&moderator_id={CHANNEL_ID}",
        fixture.viewer_id
    );
    let marker = json!({ "user_id": CHANNEL_ID, "description": "boss" });
    let ad = json!({ "broadcaster_id": CHANNEL_ID, "length": 60 });
    assert_eq!(fixture.call(Method::POST, &clip, Value::Null).await.0, 404);
    assert_eq!(fixture.call(Method::POST, "/streams/markers", marker.clone()).await.0, 404);
    assert_eq!(fixture.call(Method::POST, "/channels/commercial", ad.clone()).await.0, 400);
    assert_eq!(fixture.call(Method::POST, &shoutout, Value::Null).await.0, 400);

    world.go_live(CHANNEL, Notify::No).unwrap();
    let (status, answer) = fixture.call(Method::POST, &clip, Value::Null).await;
    assert_eq!(status, 202);
    let id = answer["data"][0]["id"].as_str().unwrap().to_owned();
    let shown = format!("/clips?id={id}");
    assert_eq!(fixture.call(Method::GET, &shown, Value::Null).await.1["data"], json!([]), "it is being made");
    fixture.twitch.clock.advance(Duration::seconds(3));
    let (_, clips) = fixture.call(Method::GET, &shown, Value::Null).await;
    assert_eq!(clips["data"][0]["url"], format!("https://clips.twitch.tv/{id}"));
    assert_eq!(fixture.call(Method::POST, "/streams/markers", marker).await.0, 200);
    assert_eq!(fixture.call(Method::POST, "/channels/commercial", ad.clone()).await.0, 200);
    assert_eq!(fixture.call(Method::POST, "/channels/commercial", ad).await.0, 400, "cooldown");
    assert_eq!(fixture.call(Method::POST, &shoutout, Value::Null).await.0, 204);
    fixture.twitch.clock.advance(Duration::seconds(121));
    assert_eq!(fixture.call(Method::POST, &shoutout, Value::Null).await.0, 429, "the same target");
    assert_eq!(world.room(CHANNEL).unwrap().markers, ["boss"]);
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
    let id = world.say(CHANNEL, VIEWER, "pin me").unwrap().unwrap();
    let pin = Fixture::moderated(&format!("/chat/pins?message_id={id}"));
    for _ in 0..2 {
        assert_eq!(call(Method::PUT, &pin, Value::Null).await, 204);
    }
    assert_eq!(world.room(CHANNEL).unwrap().pinned, Some(id));
    assert_eq!(
        [call(Method::DELETE, &pin, Value::Null).await, call(Method::DELETE, &pin, Value::Null).await],
        [204, 404]
    );
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
    let url = format!("{}/chat/messages", fixture.twitch.mock.api_url());
    let body = json!({ "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": "three" });
    let request = fixture.twitch.browser.post(url).bearer_auth(fixture.token.expose_secret());
    let request = request.header("Client-Id", MockConfig::default().client_id).json(&body);
    let answer = match request.send().await {
        Ok(response) => response.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(answer.is_err(), "there is no answer");
    assert_eq!(texts(), ["two", "three"]);
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
