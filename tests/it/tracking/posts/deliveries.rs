//! Settings of tracks, and what became of posts, as bots see and change them.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::DiscordFault;
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
