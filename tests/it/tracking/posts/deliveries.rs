//! Settings of tracks, and what became of posts, as bots see and change them.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::{DiscordFault, DiscordFaults};
use time::Duration;

use super::super::{LOGIN, Stage};
use crate::support::bots;

impl Stage {
    fn track_path(&self) -> String {
        format!("/v2/channels/{}/tracks/{LOGIN}", self.webhook().channel_id)
    }

    async fn patch(&self, path: &str, body: &Value) -> crate::support::server::Answer {
        self.server.send_json_as(&self.token, Method::PATCH, path, body).await
    }

    async fn deliveries(&self, query: &str) -> Vec<Value> {
        let answer = self.send(Method::GET, &format!("/v2/deliveries{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["data"].as_array().unwrap().clone()
    }

    /// A post of which it is not known whether it arrived; Discord has it.
    async fn uncertain(fault: DiscordFault) -> (Self, Value) {
        let stage = Self::tracking().await;
        stage.put(&stage.track_path(), &json!({ "on_uncertain": "skip" })).await;
        stage.next(fault, 1);
        stage.online("5001").await;
        stage.after(Duration::seconds(2)).await;
        let delivery = stage.deliveries("?state=uncertain").await.remove(0);
        (stage, delivery)
    }
}

#[tokio::test]
async fn settings_of_a_track_are_put_changed_and_shown() {
    let stage = Stage::tracking().await;
    let path = stage.track_path();
    let settings = async || {
        let channel = format!("/v2/channels/{}", stage.webhook().channel_id);
        stage.send(Method::GET, &channel).await.json()["tracks"][0]["settings"].clone()
    };
    assert_eq!(settings().await, json!({}));
    let put = stage.put(&path, &json!({ "message": "{{ streamer.name }}!", "silent": true })).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(settings().await, json!({ "message": "{{ streamer.name }}!", "silent": true }));
    let changed = stage.patch(&path, &json!({ "silent": null, "on_end": "leave" })).await;
    assert_eq!(changed.json()["settings"], json!({ "message": "{{ streamer.name }}!", "on_end": "leave" }));
    assert_eq!(settings().await, changed.json()["settings"]);
    // What an older client tracks again keeps its settings.
    assert_eq!(stage.track(&stage.webhook(), LOGIN).await.status, 200);
    assert_eq!(settings().await, changed.json()["settings"]);
    for (wrong, field) in [
        (json!({ "colour": 1 }), "colour"),
        (json!({ "on_end": "burn" }), "on_end"),
        (json!({ "mentions": { "roles": ["5"] } }), "mentions.roles[0]"),
        (json!({ "message": "{{ name }}" }), "message"),
    ] {
        for answer in [stage.put(&path, &wrong).await, stage.patch(&path, &wrong).await] {
            assert_eq!(answer.problem(400, "invalid-field")["field"], field, "{wrong}");
        }
    }
    assert_eq!(settings().await, changed.json()["settings"], "what is refused changes nothing");
    stage.patch(&path.replace(LOGIN, "nostreamer"), &json!({})).await.problem(404, "not-found");
    assert_eq!(stage.put(&path, &json!({})).await.json()["settings"], json!({}));
    stage.end().await;
}

#[tokio::test]
async fn changes_that_are_made_at_once_are_all_kept() {
    let stage = Stage::tracking().await;
    let channel = format!("/v2/channels/{}", stage.webhook().channel_id);
    let changes = [
        json!({ "silent": true }),
        json!({ "delay": 5 }),
        json!({ "cooldown": 10 }),
        json!({ "color": "#00ff00" }),
        json!({ "button": "Watch" }),
        json!({ "avatar": true }),
        json!({ "on_update": "ignore" }),
        json!({ "on_end": "leave" }),
    ];
    let all: Value =
        changes.iter().flat_map(|it| it.as_object().unwrap().clone()).collect::<serde_json::Map<_, _>>().into();
    for path in [format!("{channel}/tracks/{LOGIN}"), format!("{channel}/settings")] {
        let answers = futures_util::future::join_all(changes.iter().map(|change| stage.patch(&path, change))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let last = stage.patch(&path, &json!({})).await.json();
        assert_eq!(last["settings"], all, "{path}");
    }
    stage.end().await;
}

#[tokio::test]
async fn deliveries_are_listed_by_state_and_channel() {
    let stage = Stage::tracking().await;
    stage.online("5001").await;
    stage.settled().await;
    let webhook = stage.webhook();
    let all = stage.deliveries("").await;
    assert_eq!(all.len(), 1, "{all:?}");
    let delivery = &all[0];
    assert_eq!((&delivery["state"], &delivery["login"]), (&json!("posted"), &json!(LOGIN)));
    assert_eq!(delivery["channel_id"], json!(webhook.channel_id));
    assert_eq!(delivery["message_id"], json!(stage.message().id));
    assert_eq!(stage.deliveries(&format!("?state=posted&channel={}", webhook.channel_id)).await, all);
    assert_eq!(stage.deliveries("?state=failed").await, Vec::<Value>::new());
    assert_eq!(stage.deliveries("?channel=146404426746167296").await, Vec::<Value>::new());
    assert_eq!(stage.deliveries(&format!("?after={}", delivery["id"])).await, Vec::<Value>::new());
    for (wrong, parameter) in [("state=lost", "state"), ("channel=5", "channel"), ("after=-1", "after")] {
        let problem = stage.send(Method::GET, &format!("/v2/deliveries?{wrong}")).await;
        assert_eq!(problem.problem(400, "invalid-parameter")["parameters"], json!([parameter]));
    }
    let other = bots::token(&stage.server, "other").await;
    assert_eq!(stage.server.send_as(&other, Method::GET, "/v2/deliveries").await.json()["data"], json!([]));
    let resolve = format!("/v2/deliveries/{}/resolve", delivery["id"]);
    let body = json!({ "message_id": null });
    stage.server.send_json_as(&other, Method::POST, &resolve, &body).await.problem(404, "not-found");
    stage.post(&resolve, &body).await.problem(409, "wrong-state");
    stage.post(&resolve, &json!({})).await.problem(400, "invalid-field");
    stage.post(&resolve, &json!({ "message_id": "5" })).await.problem(400, "invalid-field");
    stage.post("/v2/deliveries/x/resolve", &body).await.problem(400, "invalid-path");
    stage.post("/v2/deliveries/999999/resolve", &body).await.problem(404, "not-found");
    stage.end().await;
}

#[tokio::test]
async fn message_that_the_bot_has_found_is_edited_from_then_on() {
    let (stage, delivery) = Stage::uncertain(DiscordFault::ErrorAfter).await;
    let found = stage.message().id;
    let resolve = format!("/v2/deliveries/{}/resolve", delivery["id"]);
    for _ in 0..2 {
        assert_eq!(stage.post(&resolve, &json!({ "message_id": found })).await.status, 204);
    }
    stage.settled().await;
    let resolved = stage.deliveries("").await.remove(0);
    assert_eq!((&resolved["state"], &resolved["message_id"]), (&json!("posted"), &json!(found)), "{resolved}");
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.message().content.contains("was live"), "the same message says that it is over");
    stage.end().await;
}

#[tokio::test]
async fn message_that_the_bot_has_not_found_is_posted() {
    let (stage, delivery) = Stage::uncertain(DiscordFault::ErrorBefore).await;
    assert!(stage.messages().is_empty());
    let resolve = format!("/v2/deliveries/{}/resolve", delivery["id"]);
    assert_eq!(stage.post(&resolve, &json!({ "message_id": null })).await.status, 204);
    stage.settled().await;
    assert_eq!(stage.messages().len(), 1);
    assert_eq!(stage.deliveries("").await[0]["state"], "posted");
    stage.end().await;
}

impl Stage {
    /// Lets the bot name a message of its only delivery.
    async fn resolve(&self, message: impl std::fmt::Display) -> crate::support::server::Answer {
        let delivery = self.deliveries("").await.remove(0);
        let path = format!("/v2/deliveries/{}/resolve", delivery["id"]);
        self.post(&path, &json!({ "message_id": message.to_string() })).await
    }

    /// A live stream whose first message got no answer and is to be posted again a second later.
    async fn unanswered() -> Self {
        let stage = Self::tracking().await;
        stage.next(DiscordFault::ErrorAfter, 1);
        stage.online("5001").await;
        let lost = "select lost_answers = 1 and state = 'pending' from post";
        let is_lost = async || sqlx::query_scalar(lost).fetch_optional(&stage.server.pool).await.unwrap() == Some(true);
        crate::support::until("the answer is lost", is_lost).await;
        stage
    }

    /// A live stream whose first message got no answer and was posted again.
    async fn reposted() -> Self {
        let stage = Self::tracking().await;
        stage.set(&json!({ "mentions": { "everyone": true } })).await;
        stage.next(DiscordFault::ErrorAfter, 1);
        stage.online("5001").await;
        stage.after(Duration::seconds(2)).await;
        assert_eq!(stage.messages().len(), 2);
        stage
    }
}

#[tokio::test]
async fn message_that_was_posted_again_is_deleted_when_the_bot_finds_the_first_one() {
    let stage = Stage::reposted().await;
    let [first, second] = &stage.messages()[..] else { panic!("two messages") };
    assert!(first.is_notifying() && !second.is_notifying());
    for _ in 0..2 {
        assert_eq!(stage.resolve(first.id).await.status, 204);
    }
    stage.settled().await;
    assert_eq!(stage.message().id, first.id, "the repost is deleted");
    assert_eq!(stage.count("edit_message 200"), 1, "and the first one was edited before");
    let delivery = stage.deliveries("").await.remove(0);
    assert_eq!((&delivery["state"], &delivery["message_id"]), (&json!("posted"), &json!(first.id)), "{delivery}");
    assert_eq!(stage.resolve(second.id).await.status, 409);
    stage.clock.advance(Duration::minutes(5));
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.message().content, "@everyone User90210441 was live for 5 min");
    stage.end().await;

    // The deletion is repeated until it is known to have happened.
    let stage = Stage::reposted().await;
    let first = stage.messages().remove(0);
    let chances = [(DiscordFault::ErrorAfter, 0.6)].into();
    stage.discord.world.set_faults(DiscordFaults { chances, ..DiscordFaults::default() }).unwrap();
    assert_eq!(stage.resolve(first.id).await.status, 204);
    for _ in 0..4 {
        stage.after(Duration::seconds(70)).await;
    }
    stage.discord.world.set_faults(DiscordFaults::default()).unwrap();
    stage.after(Duration::seconds(70)).await;
    stage.after(Duration::seconds(70)).await;
    assert_eq!(stage.message().id, first.id);
    stage.end().await;
}

#[tokio::test]
async fn message_that_was_posted_again_is_kept_if_the_bot_names_one_that_is_not_there() {
    let stage = Stage::reposted().await;
    let [first, second] = &stage.messages()[..] else { panic!("two messages") };
    stage.discord.world.delete_message(&first.id.to_string()).unwrap();
    assert_eq!(stage.resolve(first.id).await.status, 204);
    stage.settled().await;
    let delivery = stage.deliveries("").await.remove(0);
    assert_eq!((&delivery["state"], &delivery["message_id"]), (&json!("posted"), &json!(second.id)), "{delivery}");
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.message().content.contains("was live"));
    stage.end().await;
}

#[tokio::test]
async fn message_that_the_bot_finds_in_time_is_not_posted_again() {
    // Before it is posted again.
    let stage = Stage::unanswered().await;
    assert_eq!(stage.resolve(stage.message().id).await.status, 204);
    stage.after(Duration::minutes(2)).await;
    stage.message();
    assert_eq!(stage.states().await, ["posted"]);
    stage.end().await;

    // While it is posted again.
    let stage = Stage::unanswered().await;
    let faults = DiscordFaults { delay_ms: 1_500, ..DiscordFaults::next(DiscordFault::Delay, 1) };
    stage.discord.world.set_faults(faults).unwrap();
    stage.clock.advance(Duration::seconds(2));
    let sending = "select exists (select from post where state = 'sending')";
    crate::support::until("it is sent", async || {
        sqlx::query_scalar(sending).fetch_one(&stage.server.pool).await.unwrap()
    })
    .await;
    let first = stage.messages().remove(0);
    assert_eq!(stage.resolve(first.id).await.status, 204);
    stage.settled().await;
    assert_eq!(stage.message().id, first.id);
    assert_eq!(stage.count("delete_message 204"), 1);
    stage.end().await;

    // After the end, when it was not posted again.
    let stage = Stage::unanswered().await;
    let clear = "update post set next_at = next_at + interval '1 hour'";
    sqlx::query(clear).execute(&stage.server.pool).await.unwrap();
    sqlx::query("update destination set next_at = null").execute(&stage.server.pool).await.unwrap();
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.states().await, ["expired"]);
    assert_eq!(stage.resolve(stage.message().id).await.status, 204);
    stage.settled().await;
    assert!(stage.message().content.contains("was live"));
    stage.end().await;
}
