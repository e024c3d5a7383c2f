//! Streams that go on after a longer pause.

use serde_json::{Value, json};
use showtime::mock::discord::ChangeKind;
use time::Duration;

use super::super::Stage;

const LIVE: &str = "@everyone User90210441 is live";

impl Stage {
    /// Ten seconds after the end of a stream of an hour, with a grace of an hour.
    async fn paused(mut settings: Value) -> Self {
        settings["offline_grace"] = json!(60);
        Self::ended(settings).await
    }
}

#[tokio::test]
async fn end_is_told_after_the_grace() {
    let stage = Stage::paused(json!({})).await;
    assert_eq!(stage.texts(), [LIVE]);
    stage.after(Duration::minutes(59)).await;
    assert_eq!(stage.texts(), [LIVE]);
    stage.after(Duration::minutes(1)).await;
    assert_eq!(stage.texts(), ["@everyone User90210441 was live for 1 h"]);
    // A later one has a message of its own.
    stage.clock.advance(Duration::minutes(1));
    stage.online("5002").await;
    stage.settled().await;
    assert_eq!(stage.texts(), ["@everyone User90210441 was live for 1 h", LIVE]);
    assert_eq!(stage.states().await, ["posted", "posted"]);
    stage.end().await;

    for (on_end, count) in [("delete", 0), ("post", 2)] {
        let stage = Stage::paused(json!({ "on_end": on_end })).await;
        stage.after(Duration::minutes(59)).await;
        assert_eq!(stage.texts(), [LIVE], "{on_end}");
        stage.after(Duration::minutes(1)).await;
        stage.after(Duration::SECOND).await;
        assert_eq!(stage.messages().len(), count, "{on_end}");
        stage.end().await;
    }
}

#[tokio::test]
async fn stream_that_goes_on_within_the_grace_is_the_same_message() {
    for on_end in ["edit", "delete", "post"] {
        let stage = Stage::paused(json!({ "on_end": on_end })).await;
        let settings = json!({
            "on_end": on_end, "offline_grace": 60, "mentions": { "everyone": true },
            "cooldown": 600, "delay": 600, "filter": { "categories": ["Go"] },
        });
        stage.set(&settings).await;
        stage.after(Duration::minutes(40)).await;
        stage.online("5002").await;
        stage.settled().await;
        stage.update("Second run", "Go").await;
        stage.after(Duration::minutes(6)).await;
        let message = stage.message();
        assert_eq!((message.content.as_str(), &message.embeds[0]["title"]), (LIVE, &json!("Second run")), "{on_end}");
        assert_eq!(stage.states().await, ["skipped", "posted"]);

        // The end of the first one is not told any more; that of the second one is, with the time of both.
        stage.after(Duration::minutes(74)).await;
        assert_eq!(stage.texts(), [LIVE], "{on_end}");
        stage.offline("5002").await;
        stage.after(Duration::minutes(61)).await;
        stage.after(Duration::SECOND).await;
        let over = "User90210441 was live for 3 h";
        let all = match on_end {
            "edit" => vec![format!("@everyone {over}")],
            "delete" => vec![],
            _ => vec![format!("@everyone {over}"), over.to_owned()],
        };
        assert_eq!(stage.texts(), all);
        let changes = stage.discord.world.changes();
        let created = changes.iter().filter(|change| change.kind == ChangeKind::Created).count();
        assert_eq!(created, 1 + usize::from(on_end == "post"), "{on_end}");
        stage.end().await;
    }
}

#[tokio::test]
async fn stream_goes_on_more_than_once_in_the_same_message() {
    let stage = Stage::paused(json!({})).await;
    for stream in ["5002", "5003"] {
        stage.after(Duration::minutes(30)).await;
        stage.online(stream).await;
        stage.after(Duration::minutes(30)).await;
        stage.offline(stream).await;
        stage.after(Duration::seconds(11)).await;
    }
    assert_eq!(stage.texts(), [LIVE]);
    stage.after(Duration::minutes(60)).await;
    assert_eq!(stage.texts(), ["@everyone User90210441 was live for 3 h"]);
    assert_eq!(stage.states().await, ["skipped", "skipped", "posted"]);
    stage.end().await;
}

#[tokio::test]
async fn message_that_is_gone_does_not_go_on() {
    let stage = Stage::paused(json!({ "on_end": "delete" })).await;
    stage.after(Duration::minutes(61)).await;
    assert!(stage.messages().is_empty());
    stage.set(&json!({ "offline_grace": 120 })).await;
    stage.online("5002").await;
    stage.settled().await;
    assert_eq!(stage.texts(), ["User90210441 is live"]);
    assert_eq!(stage.states().await, ["dismissed", "posted"]);
    stage.end().await;

    // Without the setting nothing goes on.
    let stage = Stage::paused(json!({})).await;
    stage.set(&json!({})).await;
    stage.after(Duration::minutes(30)).await;
    stage.online("5002").await;
    stage.settled().await;
    assert_eq!(stage.messages().len(), 2);
    stage.end().await;
}
