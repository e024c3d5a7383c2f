//! When a stream is announced.

use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use super::super::{LOGIN, Stage};

impl Stage {
    async fn with_settings(settings: &Value) -> Self {
        let stage = Self::tracking().await;
        stage.set(settings).await;
        stage
    }
}

#[tokio::test]
async fn delayed_stream_is_announced_if_it_is_live_then() {
    let stage = Stage::with_settings(&json!({ "delay": 60 })).await;
    stage.online("5001").await;
    stage.after(Duration::seconds(58)).await;
    assert_eq!((stage.states().await, stage.messages().len()), (vec!["pending".to_owned()], 0));
    // What is said is what holds then.
    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(3)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Second run");
    let metrics = stage.server.get("/metrics").await.text;
    let within = "showtime_discord_post_delay_seconds_bucket{le=\"10.0\"} 1";
    assert!(metrics.contains(within), "the delay is no lateness: {metrics}");
    stage.offline("5001").await;
    stage.after(Duration::minutes(20)).await;
    stage.online("5002").await;
    stage.after(Duration::seconds(30)).await;
    stage.offline("5002").await;
    stage.after(Duration::minutes(2)).await;
    assert_eq!((stage.states().await.remove(1), stage.messages().len()), ("expired".to_owned(), 1));
    // It goes on, and is judged anew.
    stage.online("5003").await;
    stage.after(Duration::seconds(30)).await;
    assert_eq!(stage.messages().len(), 1);
    stage.after(Duration::seconds(65)).await;
    assert_eq!(stage.messages().len(), 2);
    stage.end().await;
}

#[tokio::test]
async fn stream_within_the_cooldown_of_the_last_one_is_not_announced() {
    let stage = Stage::with_settings(&json!({ "cooldown": 60 })).await;
    stage.online("5001").await;
    stage.settled().await;
    stage.offline("5001").await;
    stage.after(Duration::minutes(20)).await;
    stage.online("5002").await;
    stage.settled().await;
    stage.message();
    let deliveries = stage.send(Method::GET, "/v2/deliveries?state=skipped").await.json();
    let problem = &deliveries["data"][0]["problem"];
    assert_eq!(problem, "the last stream was announced 20 min ago, and the cooldown is 60 min", "{deliveries}");
    let metrics = stage.server.get("/metrics").await.text;
    assert!(metrics.contains("showtime_discord_posts_total{outcome=\"skipped\"} 1"), "{metrics}");
    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    stage.message();
    stage.offline("5002").await;
    stage.after(Duration::minutes(41)).await;
    stage.online("5003").await;
    stage.settled().await;
    assert_eq!(stage.messages().len(), 2, "what was not announced does not count");
    stage.end().await;
}

#[tokio::test]
async fn stream_that_is_live_is_announced_for_all_new_tracks_if_the_bot_wants_it() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    stage.online("5001").await;
    stage.settled().await;
    let set = stage.put("/v2/settings", &json!({ "defaults": { "announce_current": true } })).await;
    assert_eq!(set.status, 200, "{set:?}");
    let webhooks = [stage.new_webhook("one"), stage.new_webhook("two"), stage.new_webhook("three")];
    for _ in 0..2 {
        assert!(stage.track(&webhooks[0], LOGIN).await.status.is_success());
    }
    let item = |webhook: &showtime::mock::discord::Webhook, settings: Value| {
        let given = json!({ "id": webhook.id, "token": webhook.token });
        json!({ "channel_id": webhook.channel_id, "webhook": given, "name": LOGIN, "settings": settings })
    };
    let tracks = [item(&webhooks[1], json!({})), item(&webhooks[2], json!({ "announce_current": false }))];
    for _ in 0..2 {
        assert_eq!(stage.post("/v2/tracks/batch", &json!({ "tracks": tracks })).await.status, 200);
    }
    stage.settled().await;
    let posted: Vec<_> = stage.messages().iter().map(|message| message.webhook_id).collect();
    assert_eq!(posted, [webhooks[0].id, webhooks[1].id]);
    stage.end().await;
}

#[tokio::test]
async fn stream_that_is_live_is_announced_where_the_track_wants_it() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    stage.online("5001").await;
    stage.settled().await;
    // Tracked too late, in two channels, of which one wants the card.
    let (first, second) = (stage.new_webhook("first"), stage.new_webhook("second"));
    for webhook in [&first, &second] {
        assert_eq!(stage.track(webhook, LOGIN).await.status, 201);
    }
    stage.after(Duration::seconds(11)).await;
    assert!(stage.messages().is_empty());
    let put = async |channel: &dyn std::fmt::Display| {
        let path = format!("/v2/channels/{channel}/tracks/{LOGIN}");
        let put = stage.put(&path, &json!({ "announce_current": true })).await;
        assert_eq!(put.status, 200, "{put:?}");
        stage.settled().await;
    };
    for _ in 0..2 {
        put(&first.channel_id).await;
        assert_eq!(stage.message().webhook_id, first.id, "the card is made once, and only there");
    }
    stage.update("Second run", "Go").await;
    stage.after(Duration::minutes(2)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Second run");
    // Where it is announced already.
    put(&second.channel_id).await;
    assert_eq!(stage.messages().len(), 2);
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.messages().iter().all(|message| message.content.contains("was live")));
    // What is not live is not announced.
    let third = stage.track_anew("third").await;
    put(&third.channel_id).await;
    stage.after(Duration::minutes(20)).await;
    assert_eq!(stage.messages().len(), 2);
    stage.end().await;
}
