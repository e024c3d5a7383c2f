//! The channel itself: title, clips, markers, shoutouts.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::Notify;
use time::Duration;

use super::Fixture;
use crate::support::twitch::{CHANNEL, CHANNEL_ID};

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
async fn refused_shoutout_does_not_count_for_its_target() {
    let fixture = Fixture::start().await;
    let world = &fixture.twitch.mock.world;
    let other_id = world.add_channel("copperkite").unwrap().id;
    world.go_live(CHANNEL, Notify::No).unwrap();
    let shoutout = async |to: &str| {
        let path = format!("/chat/shoutouts?from_broadcaster_id={CHANNEL_ID}&moderator_id={CHANNEL_ID}");
        fixture.call(Method::POST, &format!("{path}&to_broadcaster_id={to}"), Value::Null).await.0
    };
    assert_eq!([shoutout(&fixture.viewer_id).await, shoutout(&other_id).await], [204, 429]);
    fixture.twitch.clock.advance(Duration::minutes(2));
    assert_eq!(shoutout(&other_id).await, 204);
}
