//! The look of messages.

use serde_json::{Value, json};
use showtime::mock::discord::DiscordFault;
use time::Duration;

use super::settings::with;

#[tokio::test]
async fn message_looks_as_the_track_says_until_its_end() {
    let settings = json!({
        "color": "#00ff00", "fields": ["language", "category"], "picture": "preview", "button": "Watch",
        "poster": "streamer", "poster_avatar_url": "https://example.com/a.png",
    });
    let stage = with(&settings).await;
    stage.online("5001").await;
    stage.settled().await;
    let posted = stage.message();
    let names: Vec<_> = posted.embeds[0]["fields"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!((names, &posted.embeds[0]["color"]), (vec![json!("Language"), json!("Category")], &json!(0xff00)));
    assert_eq!(
        (posted.name.as_str(), posted.avatar_url.as_deref()),
        ("User90210441", Some("https://example.com/a.png"))
    );
    let button = json!({ "type": 2, "style": 5, "label": "Watch", "url": "https://www.twitch.tv/user90210441" });
    assert_eq!(posted.components, [json!({ "type": 1, "components": [button] })]);
    let picture = posted.embeds[0]["image"]["url"].as_str().unwrap();
    assert!(picture.starts_with("https://static-cdn.jtvnw.net/previews-ttv/live_user_user90210441-1280x720.jpg?"));

    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    let edited = stage.message();
    assert_ne!(edited.embeds[0]["image"]["url"], picture, "Discord shows what it knows of an address");
    assert_eq!((edited.components, edited.name), (posted.components, posted.name));

    // What is no longer set is taken away.
    stage.set(&json!({ "picture": "preview" })).await;
    stage.offline("5001").await;
    stage.after(Duration::seconds(61)).await;
    let ended = stage.message();
    assert_eq!((&ended.components, &ended.embeds[0]["image"]), (&Vec::<Value>::new(), &Value::Null));
    stage.end().await;
}

#[tokio::test]
async fn message_without_a_card_has_the_address_of_the_stream() {
    let stage = with(&json!({ "embed": false })).await;
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    assert_eq!(message.content, "User90210441 is live: https://www.twitch.tv/user90210441");
    assert!(message.embeds.is_empty());
    stage.end().await;
}

#[tokio::test]
async fn name_that_discord_refuses_is_no_reason_to_post_nothing() {
    let stage = with(&json!({ "poster": "streamer" })).await;
    stage.next(DiscordFault::NameRefused, 1);
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.message().name, stage.webhook().name);
    assert_eq!((stage.count("execute 400"), stage.count("execute 200")), (1, 1));
    assert_eq!(stage.states().await, ["posted"]);
    stage.stop().await;
}

#[tokio::test]
async fn name_that_discord_would_refuse_is_that_of_the_webhook() {
    let stage = with(&json!({ "poster_name": "Discord News" })).await;
    let webhook = stage.webhook();
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.message().name, webhook.name);
    stage.end().await;
}
