//! Settings of the bot, of a Discord channel and of a track.

use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use super::super::{LOGIN, Stage};

impl Stage {
    fn first_channel(&self) -> String {
        format!("/v2/channels/{}", self.webhook().channel_id)
    }

    async fn set_at(&self, method: Method, path: &str, settings: Value) -> Value {
        let token = self.new_token().await;
        let set = self.server.send_json_as(&token, method, path, &settings).await;
        assert_eq!(set.status, 200, "{set:?}");
        set.json()
    }
}

#[tokio::test]
async fn closest_level_that_has_a_setting_counts() {
    let stage = Stage::tracking().await;
    let (channel, track) = (stage.first_channel(), format!("{}/tracks/{LOGIN}", stage.first_channel()));
    let (channel_settings, put) = (format!("{channel}/settings"), Method::PUT);
    let defaults = json!({ "message": "bot", "color": "#000001", "button": "Watch", "silent": true });
    let set = stage.set_at(put.clone(), "/v2/settings", json!({ "defaults": defaults })).await;
    assert_eq!(set, json!({ "on_webhook_gone": "keep", "keep_gone_days": 30, "defaults": defaults }));
    let own = json!({ "message": "channel {{ stream.title }}", "color": "#000002" });
    let shown = stage.set_at(put.clone(), &channel_settings, own.clone()).await;
    assert_eq!((&shown["settings"], &shown["tracks"][0]["settings"]), (&own, &json!({})));
    stage.set_at(put.clone(), &track, json!({ "color": "#000003" })).await;
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    assert_eq!((message.content.as_str(), &message.embeds[0]["color"]), ("channel First run", &json!(3)));
    assert!(message.components.len() == 1 && !super::is_notifying(&message));

    // A change shows with the next edit.
    stage.set_at(Method::PATCH, &track, json!({ "color": null })).await;
    let shown = stage.set_at(Method::PATCH, &channel_settings, json!({ "message": null, "button": "Look" })).await;
    assert_eq!(shown["settings"], json!({ "color": "#000002", "button": "Look" }));
    stage.set_at(put.clone(), "/v2/settings", json!({ "defaults": { "message": "new {{ stream.title }}" } })).await;
    stage.settled().await;
    assert_eq!(stage.message().content, "channel First run");
    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    let message = stage.message();
    assert_eq!((message.content.as_str(), &message.embeds[0]["color"]), ("new Second run", &json!(2)));
    assert_eq!(message.components[0]["components"][0]["label"], "Look");
    stage.end().await;
}

#[tokio::test]
async fn settings_of_each_level_are_checked() {
    let stage = Stage::tracking().await;
    let (channel, wrong) = (format!("{}/settings", stage.first_channel()), json!({ "message": "{{ nothing }}" }));
    let problem = stage.put("/v2/settings", &json!({ "defaults": wrong })).await.problem(400, "invalid-field");
    assert_eq!(problem["field"], "defaults.message", "{problem}");
    assert_eq!(stage.put(&channel, &wrong).await.problem(400, "invalid-field")["field"], "message");
    let patch = stage.server.send_json_as(&stage.token, Method::PATCH, &channel, &json!({ "picture": "big" })).await;
    assert_eq!(patch.problem(400, "invalid-field")["field"], "picture");
    let unknown = "/v2/channels/146404426746167299/settings";
    stage.put(unknown, &json!({})).await.problem(404, "not-found");
    let other = crate::support::bots::token(&stage.server, "other").await;
    stage.server.send_json_as(&other, Method::PUT, &channel, &json!({})).await.problem(404, "not-found");
    stage.end().await;
}

#[tokio::test]
async fn batch_takes_settings() {
    let stage = Stage::tracking().await;
    let (webhook, second) = (stage.webhook(), stage.new_webhook("second"));
    let item = |webhook: &showtime::mock::discord::Webhook, settings: Value| {
        let given = json!({ "id": webhook.id, "token": webhook.token });
        json!({ "channel_id": webhook.channel_id, "webhook": given, "name": LOGIN, "settings": settings })
    };
    let tracks = [
        item(&webhook, json!({ "message": "known" })),
        item(&second, json!({ "message": "new" })),
        item(&second, json!({ "message": "{{" })),
    ];
    let results = stage.post("/v2/tracks/batch", &json!({ "tracks": tracks })).await.json()["results"].clone();
    let outcomes: Vec<_> = results.as_array().unwrap().iter().map(|it| it["result"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["unchanged", "created", "refused"], "{results}");
    assert_eq!(results[2]["problem"]["field"], "message");
    let without = json!({ "channel_id": webhook.channel_id, "name": LOGIN,
        "webhook": { "id": webhook.id, "token": webhook.token } });
    stage.post("/v2/tracks/batch", &json!({ "tracks": [without] })).await;
    stage.online("5001").await;
    stage.settled().await;
    let mut texts: Vec<_> = stage.messages().into_iter().map(|message| message.content).collect();
    texts.sort();
    assert_eq!(texts, ["known", "new"]);
    stage.end().await;
}
