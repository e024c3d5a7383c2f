//! What becomes of messages when the stream has ended.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::DiscordFault;
use time::Duration;

use super::super::Stage;
use super::{about, is_notifying};
use crate::support::messages::{CHANNEL, text};

impl Stage {
    async fn told(&self) -> Vec<Value> {
        // The first token may have expired.
        let token = self.new_token().await;
        let events = self.server.send_as(&token, Method::GET, "/v2/events?after=0").await.json();
        events["data"].as_array().unwrap().clone()
    }
}

const OVER: &str = "User90210441 was live for 1 h";

#[tokio::test]
async fn end_is_a_message_of_its_own_without_a_sound() {
    let stage = Stage::ended(json!({ "on_end": "post" })).await;
    assert_eq!(stage.texts(), [format!("@everyone {OVER}")], "the first message says it at once");
    assert_eq!(stage.states().await, ["posted", "pending"]);
    stage.after(Duration::minutes(14)).await;
    stage.message();
    stage.after(Duration::minutes(1)).await;
    assert_eq!(stage.texts(), [&format!("@everyone {OVER}"), OVER]);
    let end = stage.messages().remove(1);
    assert!(!is_notifying(&end) && end.pings.is_empty(), "{end:?}");
    assert_eq!(end.embeds[0]["description"], "was live for 1 h");
    stage.after(Duration::hours(25)).await;
    assert_eq!(stage.messages().len(), 2);

    let told: Vec<_> = stage.told().await.iter().map(|it| (it["type"].clone(), it["data"]["kind"].clone())).collect();
    let expected = [("post_created", "start"), ("post_ended", "start"), ("post_created", "end")];
    assert_eq!(told, expected.map(|(kind, of)| (json!(kind), json!(of))));
    let token = stage.new_token().await;
    let deliveries = stage.server.send_as(&token, Method::GET, "/v2/deliveries").await.json();
    assert_eq!(deliveries["data"][1]["kind"], "end", "{deliveries}");
    assert_eq!(deliveries["data"][1]["message_id"], json!(end.id), "{deliveries}");
    stage.end().await;
}

#[tokio::test]
async fn end_is_told_once_when_the_stream_goes_on_in_between() {
    let stage = Stage::ended(json!({ "on_end": "post" })).await;
    stage.clock.advance(Duration::minutes(10));
    stage.online("5002").await;
    stage.after(Duration::minutes(20)).await;
    assert_eq!(stage.texts(), ["@everyone User90210441 is live"]);
    stage.offline("5002").await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(15)).await;
    let over = "User90210441 was live for 1 h 30 min";
    assert_eq!(stage.texts(), [&format!("@everyone {over}"), over]);
    stage.end().await;
}

#[tokio::test]
async fn end_that_was_none_is_taken_back_and_told_when_it_comes() {
    let stage = Stage::ended(json!({ "on_end": "post" })).await;
    stage.clock.advance(Duration::minutes(8));
    let went_on = text(stage.clock.now());
    stage.after(Duration::minutes(8)).await;
    assert_eq!(stage.messages().len(), 2);
    // Twitch says late that it went on.
    let event = json!({ "id": "5002", "type": "live", "started_at": went_on });
    stage.deliver(about(CHANNEL, "stream.online", stage.clock.now(), event)).await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(1)).await;
    assert_eq!(stage.texts(), ["@everyone User90210441 is live"]);
    assert_eq!(stage.states().await, ["posted", "expired"]);
    stage.clock.advance(Duration::minutes(30));
    stage.offline("5002").await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(16)).await;
    assert_eq!(stage.messages().len(), 2);
    assert!(stage.texts()[1].starts_with("User90210441 was live for 1 h 4"), "{:?}", stage.texts());
    assert_eq!(stage.states().await, ["posted", "posted"]);
    stage.end().await;
}

#[tokio::test]
async fn end_is_told_of_what_was_posted_and_in_time() {
    // What was deleted by a person is not told of again.
    let stage = Stage::tracking().await;
    stage.set(&json!({ "on_end": "post" })).await;
    stage.online("5001").await;
    stage.settled().await;
    stage.discord.world.delete_message(&stage.message().id.to_string()).unwrap();
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(16)).await;
    assert_eq!(stage.states().await, ["dismissed"]);
    stage.end().await;

    // The track has changed its mind.
    let stage = Stage::ended(json!({ "on_end": "post" })).await;
    stage.set(&json!({})).await;
    stage.after(Duration::minutes(16)).await;
    assert_eq!(stage.states().await, ["posted", "skipped"]);
    stage.end().await;

    // After an outage it is too late.
    let stage = Stage::ended(json!({ "on_end": "post" })).await;
    let chances = [(DiscordFault::RateLimited, 1.0)].into();
    let faults = showtime::mock::discord::DiscordFaults { chances, retry_after_ms: 60_000, ..Default::default() };
    stage.discord.world.set_faults(faults).unwrap();
    for _ in 0..5 {
        stage.after(Duration::minutes(16)).await;
    }
    stage.discord.world.set_faults(Default::default()).unwrap();
    stage.after(Duration::minutes(2)).await;
    assert_eq!(stage.states().await, ["posted", "expired"]);
    stage.end().await;
}

#[tokio::test]
async fn messages_are_deleted_when_the_track_says() {
    let stage = Stage::ended(json!({ "on_end": "post", "delete_after": 60 })).await;
    stage.after(Duration::minutes(15)).await;
    assert_eq!(stage.messages().len(), 2);
    stage.after(Duration::minutes(59)).await;
    assert_eq!(stage.messages().len(), 2);
    stage.after(Duration::minutes(1)).await;
    assert_eq!(stage.texts(), [format!("@everyone {OVER}")], "the first message stays");
    assert_eq!(stage.states().await, ["posted", "dismissed"]);
    stage.end().await;

    for (minutes, before, left) in [(60, 59, 1), (1, 14, 1)] {
        let stage = Stage::ended(json!({ "on_end": "delete", "delete_after": minutes })).await;
        stage.after(Duration::minutes(before)).await;
        assert_eq!(stage.messages().len(), left, "{minutes}");
        stage.after(Duration::minutes(1)).await;
        assert_eq!(stage.messages().len(), 0, "{minutes}");
        stage.end().await;
    }
}

#[tokio::test]
async fn lost_answer_about_the_end_is_treated_as_the_track_says() {
    for (on_uncertain, count, state) in
        [("silent_repost", 3, "posted"), ("repost", 3, "posted"), ("skip", 2, "uncertain")]
    {
        let stage = Stage::ended(json!({ "on_end": "post", "on_uncertain": on_uncertain })).await;
        stage.next(DiscordFault::ErrorAfter, 1);
        stage.after(Duration::minutes(15)).await;
        stage.after(Duration::seconds(2)).await;
        let notifying: Vec<_> = stage.messages().iter().map(is_notifying).collect();
        assert_eq!(notifying.len(), count, "{on_uncertain}");
        assert!(!notifying[1..].contains(&true), "{on_uncertain}: an end never notifies");
        assert_eq!(stage.states().await, ["posted", state]);
        stage.end().await;
    }
}
