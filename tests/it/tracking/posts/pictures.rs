//! The picture of what is live.

use serde_json::{Value, json};
use time::Duration;

use super::super::Stage;
use super::settings::with;

impl Stage {
    fn picture(&self) -> Value {
        self.message().embeds[0]["image"]["url"].clone()
    }
}

#[tokio::test]
async fn picture_is_shown_anew_once_three_minutes_after_the_begin() {
    let stage = with(&json!({ "picture": "preview" })).await;
    stage.online("5001").await;
    stage.settled().await;
    let first = stage.picture();
    stage.after(Duration::seconds(170)).await;
    assert_eq!((stage.picture(), stage.count("edit_message 200")), (first.clone(), 0));
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.count("edit_message 200"), 1);
    assert_ne!(stage.picture(), first, "Discord shows what it knows of an address");
    stage.after(Duration::minutes(30)).await;
    assert_eq!(stage.count("edit_message 200"), 1);

    // Without a video and a picture of the channel there is nothing to show after the end.
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(4)).await;
    assert_eq!((stage.picture(), stage.count("edit_message 200")), (Value::Null, 2));
    stage.end().await;
}

#[tokio::test]
async fn picture_is_shown_anew_with_other_changes() {
    let stage = with(&json!({ "picture": "preview" })).await;
    stage.online("5001").await;
    stage.after(Duration::seconds(30)).await;
    stage.update("Second run", "Chess").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.count("edit_message 200"), 1);
    stage.after(Duration::seconds(134)).await;
    stage.update("Third run", "Chess").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Third run");
    stage.after(Duration::minutes(10)).await;
    assert_eq!(stage.count("edit_message 200"), 2);
    stage.end().await;
}

#[tokio::test]
async fn message_without_the_picture_is_not_edited_for_it() {
    for settings in [
        json!({}),
        json!({ "picture": "boxart" }),
        json!({ "picture": "preview", "embed": false }),
        json!({ "picture": "preview", "on_update": "ignore" }),
    ] {
        let stage = with(&settings).await;
        stage.online("5001").await;
        stage.after(Duration::minutes(4)).await;
        assert_eq!(stage.count("edit_message 200"), 0, "{settings}");
        stage.end().await;
    }
}
