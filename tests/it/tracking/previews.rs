//! What a message looks like, before it is posted and as a test.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::DiscordFault;
use time::Duration;

use super::{LOGIN, Stage};
use crate::support::bots;

const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;

impl Stage {
    async fn render(&self, body: Value) -> Value {
        let answer = self.post("/v2/render", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The path of the test of the channel that is tracked over the first webhook.
    fn test_path(&self) -> String {
        format!("/v2/channels/{}/tracks/{LOGIN}/test", self.webhook().channel_id)
    }

    /// The settings of that track.
    async fn set_track(&self, settings: Value) {
        let path = format!("/v2/channels/{}/tracks/{LOGIN}", self.webhook().channel_id);
        let put = self.put(&path, &settings).await;
        assert_eq!(put.status, 200, "{put:?}");
    }

    async fn with_track() -> Self {
        let stage = Self::start().await;
        stage.know_streamer().await;
        assert_eq!(stage.track(&stage.webhook(), LOGIN).await.status, 201);
        stage
    }
}

#[tokio::test]
async fn message_is_rendered_with_what_is_wrong_with_it() {
    let stage = Stage::start().await;
    let shown = stage.render(json!({})).await;
    assert_eq!(
        (&shown["payload"]["content"], &shown["errors"]),
        (&json!("MapleArcade is live"), &json!([])),
        "{shown}"
    );
    let shown = stage.render(json!({
        "settings": {
            "message": "{{ streamer.name }} plays {{ stream.category }} for {{ stream.viewers }}",
            "fields": ["viewers"], "mentions": { "everyone": true }, "button": "Watch",
        },
        "sample": { "name": "Kit", "category": "Go_", "viewers": 7 },
    }));
    let payload = shown.await["payload"].clone();
    assert_eq!(payload["content"], r"@everyone Kit plays Go\_ for 7");
    assert_eq!(payload["embeds"][0]["fields"], json!([{ "name": "Viewers", "value": "7", "inline": true }]));
    assert_eq!(payload["components"][0]["components"][0]["label"], "Watch");
    let settings = json!({ "silent": true, "forum": { "title": "{{ streamer.name }} {{ mentions }}" }, "mentions": { "here": true } });
    let shown = stage.render(json!({ "settings": settings })).await["payload"].clone();
    assert_eq!((&shown["flags"], &shown["thread_name"]), (&json!(SUPPRESS_NOTIFICATIONS), &json!("MapleArcade")));
    let ended =
        stage.render(json!({ "settings": { "end_message": "{{ duration }}" }, "sample": { "is_ended": true } }));
    assert_eq!(ended.await["payload"]["content"], "2 h");

    let wrong =
        json!({ "message": "a\n{{ stream.titel }}", "end_message": "{% if %}", "button": "", "color": "#00ff00" });
    let shown = stage.render(json!({ "settings": wrong })).await;
    let errors = shown["errors"].as_array().unwrap();
    let places: Vec<_> = errors.iter().map(|it| (it["field"].as_str().unwrap(), it["line"].as_u64())).collect();
    assert_eq!(places, [("message", Some(2)), ("end_message", Some(1)), ("button", None)], "{shown}");
    assert_eq!((&errors[0]["column"], &shown["payload"]["content"]), (&json!(4), &json!("MapleArcade is live")));
    stage.post("/v2/render", &json!({ "settings": { "colour": 1 } })).await.problem(400, "invalid-field");
    stage.post("/v2/render", &json!({ "channel_id": "146404426746167299" })).await.problem(404, "not-found");
    stage.stop().await;
}

#[tokio::test]
async fn test_is_what_would_be_posted_without_mentions_and_sound() {
    let stage = Stage::with_track().await;
    let role = stage.discord.world.add_role("fans", true).unwrap().id;
    let text = "<@&{{ stream.title | truncate(0) }}> {{ streamer.name }}: {{ stream.title }} ({{ stream.category }})";
    stage
        .set_track(json!({ "message": text, "mentions": { "roles": [role], "everyone": true }, "button": "Watch" }))
        .await;
    let dry = stage.post(&format!("{}?dry_run=true", stage.test_path()), &json!({})).await;
    assert_eq!((dry.status.as_u16(), &dry.json()["message_id"]), (200, &Value::Null), "{dry:?}");
    assert!(stage.discord.world.messages().is_empty());

    let tested = stage.send(Method::POST, &stage.test_path()).await;
    assert_eq!(tested.status, 200, "{tested:?}");
    let messages = stage.discord.world.messages();
    assert_eq!((messages.len(), &json!(messages[0].id)), (1, &tested.json()["message_id"]));
    assert!(messages[0].content.ends_with("User90210441: First run (Chess)"), "{:?}", messages[0]);
    assert_eq!(json!(messages[0].content), dry.json()["payload"]["content"]);
    assert!(messages[0].pings.is_empty() && messages[0].flags & SUPPRESS_NOTIFICATIONS != 0);
    assert_eq!(messages[0].components.len(), 1);

    let again = stage.send(Method::POST, &stage.test_path()).await;
    again.problem(429, "too-many-tests");
    let wait: u64 = again.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    stage.clock.advance(Duration::seconds(6));
    assert_eq!(stage.send(Method::POST, &stage.test_path()).await.status, 200);

    let other = bots::token(&stage.server, "other").await;
    stage.server.send_as(&other, Method::POST, &stage.test_path()).await.problem(404, "not-found");
    let unknown = stage.test_path().replace(LOGIN, "nostreamer");
    stage.send(Method::POST, &unknown).await.problem(404, "not-found");
    stage.send(Method::POST, &format!("{}?dry=1", stage.test_path())).await.problem(400, "unknown-parameter");
    stage.stop().await;
}

#[tokio::test]
async fn test_keeps_the_limits_of_posts() {
    let stage = Stage::with_track().await;
    stage.discord.world.set_faults(showtime::mock::discord::DiscordFaults::next(DiscordFault::RateLimited, 1)).unwrap();
    stage.send(Method::POST, &stage.test_path()).await.problem(503, "discord-unavailable");
    let waits = "select not_before is not null and leased_until is null from destination";
    assert!(sqlx::query_scalar::<_, bool>(waits).fetch_one(&stage.server.pool).await.unwrap());
    let invalid = "select invalid_count from egress";
    assert_eq!(sqlx::query_scalar::<_, i32>(invalid).fetch_one(&stage.server.pool).await.unwrap(), 1);

    // Discord wants no request of this address.
    stage.clock.advance(Duration::minutes(5));
    let stop = "update egress set not_before = $1";
    sqlx::query(stop).bind(stage.clock.now() + Duration::HOUR).execute(&stage.server.pool).await.unwrap();
    let calls = stage.discord.world.calls().len();
    let answer = stage.send(Method::POST, &stage.test_path()).await;
    answer.problem(503, "discord-unavailable");
    assert_eq!(stage.discord.world.calls().len(), calls);
    stage.stop().await;
}

#[tokio::test]
async fn test_that_discord_refuses_says_which_setting_is_to_blame() {
    let stage = Stage::with_track().await;
    for (settings, reason) in [
        (json!({ "thread_id": "146404426746167299" }), "the thread does not exist in this channel: Discord refuses it"),
        (json!({ "forum": {} }), "the channel is not a forum, so `forum` can't be set: Discord refuses it"),
    ] {
        stage.set_track(settings).await;
        let problem = stage.send(Method::POST, &stage.test_path()).await.problem(422, "discord-refuses");
        assert!(problem["detail"].as_str().unwrap().starts_with(reason), "{problem}");
        stage.clock.advance(Duration::seconds(6));
    }
    stage.stop().await;
}

#[tokio::test]
async fn test_is_posted_under_the_name_of_the_webhook_if_discord_refuses_the_other_one() {
    let stage = Stage::with_track().await;
    stage.set_track(json!({ "poster": "streamer" })).await;
    stage.discord.world.set_faults(showtime::mock::discord::DiscordFaults::next(DiscordFault::NameRefused, 1)).unwrap();
    let tested = stage.send(Method::POST, &stage.test_path()).await;
    assert_eq!((tested.status.as_u16(), &tested.json()["payload"]["username"]), (200, &Value::Null), "{tested:?}");
    assert_eq!(stage.discord.world.messages()[0].name, stage.webhook().name);
    stage.stop().await;
}

#[tokio::test]
async fn test_finds_a_webhook_that_was_moved_or_deleted() {
    let stage = Stage::with_track().await;
    let webhook = stage.webhook();
    let (id, path, other) = (webhook.id.to_string(), stage.test_path(), stage.new_channel("other"));
    let state = async || {
        let shown = stage.send(Method::GET, &format!("/v2/channels/{}", webhook.channel_id)).await.json();
        shown["state"].as_str().unwrap().to_owned()
    };
    stage.discord.world.move_webhook(&id, &other.name).unwrap();
    stage.send(Method::POST, &path).await.problem(422, "webhook-elsewhere");
    assert_eq!(state().await, "moved");
    stage.send(Method::POST, &path).await.problem(422, "webhook-elsewhere");
    let home = stage.discord.world.channel(&webhook.channel_id.to_string()).unwrap();
    stage.discord.world.move_webhook(&id, &home.name).unwrap();
    let check = format!("/v2/channels/{}/webhook/check", webhook.channel_id);
    assert_eq!(stage.send(Method::POST, &check).await.json()["state"], "ok");

    stage.discord.world.delete_webhook(&id).unwrap();
    stage.clock.advance(Duration::seconds(6));
    stage.send(Method::POST, &path).await.problem(422, "webhook-gone");
    assert_eq!(state().await, "gone");
    let calls = stage.discord.world.calls().len();
    stage.send(Method::POST, &path).await.problem(422, "webhook-gone");
    assert_eq!(stage.discord.world.calls().len(), calls, "a deleted webhook is not called again");
    stage.stop().await;
}
