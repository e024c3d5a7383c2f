//! Many tracks at once, and the list of a bot's channels.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{LOGIN, Stage};
use crate::support::postgres::dump;

/// A track of a batch in the channel with this number; each is in a server of its own.
fn item(number: u64, name: &str) -> Value {
    let id = |base: u64| (base + number).to_string();
    json!({
        "channel_id": id(200_000_000_000_000_000),
        "guild_id": ((300_000_000_000_000_000_u64 >> 22 << 22) + (number << 22)).to_string(),
        "webhook": { "id": id(400_000_000_000_000_000), "token": format!("token-{number}") },
        "name": name,
    })
}

impl Stage {
    async fn batch(&self, items: &[Value]) -> Vec<Value> {
        let answer = self.post("/v2/tracks/batch", &json!({ "tracks": items })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["results"].as_array().unwrap().clone()
    }

    async fn channels(&self, query: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.send(Method::GET, &format!("/v2/channels?{query}{after}")).await.json();
            found.extend(page["data"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { return found };
            after = format!("&after={next}");
        }
    }
}

#[tokio::test]
async fn each_track_of_a_batch_has_its_result() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
    let calls = stage.discord.world.calls().len();
    let with = |mut item: Value, field: &str, value: Value| {
        item[field] = value;
        item
    };
    let known = json!({
        "channel_id": webhook.channel_id, "webhook": { "id": webhook.id, "token": webhook.token }, "name": LOGIN,
    });
    let items = [
        item(1, LOGIN),
        item(1, LOGIN),
        item(2, "nostreamer"),
        with(item(3, LOGIN), "webhook", item(1, LOGIN)["webhook"].clone()),
        with(item(1, LOGIN), "webhook", item(4, LOGIN)["webhook"].clone()),
        known.clone(),
        with(known, "webhook", json!({ "id": webhook.id, "token": "another" })),
    ];
    let results = stage.batch(&items).await;
    let outcomes: Vec<_> = results.iter().map(|it| it["result"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        ["created", "created", "refused", "refused", "refused", "unchanged", "refused"],
        "{results:?}"
    );
    let problem = |place: usize| results[place]["problem"]["type"].as_str().unwrap().rsplit(':').next().unwrap();
    assert_eq!(
        [problem(2), problem(3), problem(4), problem(6)],
        ["twitch-not-configured", "webhook-in-use", "webhook-mismatch", "webhook-gone"]
    );
    assert_eq!((&results[2]["name"], &results[0]["problem"]), (&json!("nostreamer"), &Value::Null));
    assert_eq!(stage.batch(&items[..1]).await[0]["result"], "unchanged");
    assert_eq!(stage.discord.world.calls().len(), calls, "Discord was not asked");
    assert!(!dump(&stage.database).await.contains("token-1"), "the token is in the database");

    let shown = stage.send(Method::GET, "/v2/channels/200000000000000001").await.json();
    assert_eq!((&shown["state"], &shown["verified_at"]), (&json!("ok"), &Value::Null), "{shown}");
    stage.send(Method::GET, "/v2/channels/200000000000000002").await.problem(404, "not-found");
    // Now it is asked about, and does not exist.
    let checked = stage.send(Method::POST, "/v2/channels/200000000000000001/webhook/check").await.json();
    assert_eq!(checked["state"], "gone");
    assert_eq!(stage.batch(&items[..1]).await[0]["result"], "refused", "its webhook must be replaced");
    stage.stop().await;
}

#[tokio::test]
async fn malformed_batch_is_refused_as_a_whole() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let refused = async |items: Vec<Value>, field: &str| {
        let problem = stage.post("/v2/tracks/batch", &json!({ "tracks": items })).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{problem}");
    };
    refused(vec![item(1, LOGIN), item(2, "no-login")], "tracks[1].name").await;
    refused(vec![json!({ "channel_id": "5" })], "tracks[0].channel_id").await;
    refused((0..1_001).map(|number| item(number, LOGIN)).collect(), "tracks").await;
    assert_eq!(stage.batch(&[]).await, Vec::<Value>::new());
    assert_eq!(stage.channels("").await, Vec::<Value>::new(), "nothing of them is kept");
    stage.stop().await;
}

#[tokio::test]
async fn channels_are_listed_by_pages_and_shards() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let items: Vec<_> = (0..1_000).map(|number| item(number, LOGIN)).collect();
    let results = stage.batch(&items).await;
    assert!(results.iter().all(|it| it["result"] == "created"), "{results:?}");
    let ids = |channels: &[Value]| -> Vec<String> {
        channels.iter().map(|channel| channel["channel_id"].as_str().unwrap().to_owned()).collect()
    };
    let all = stage.channels("limit=100").await;
    assert_eq!(all.len(), 1_000);
    assert!(ids(&all).is_sorted() && all.iter().all(|channel| channel["tracks"][0]["login"] == LOGIN));
    let mut seen = BTreeSet::new();
    for shard in 0..3 {
        let found = stage.channels(&format!("shard={shard}&shard_count=3")).await;
        assert!((333..=334).contains(&found.len()), "{}", found.len());
        for channel in &found {
            let guild: u64 = channel["guild_id"].as_str().unwrap().parse().unwrap();
            assert_eq!((guild >> 22) % 3, shard);
        }
        seen.extend(ids(&found));
    }
    assert_eq!(seen.len(), 1_000, "each is in one shard");
    stage.stop().await;
}

#[tokio::test]
async fn channel_of_discord_takes_two_hundred_tracks() {
    let stage = Stage::start().await;
    let known = "insert into channel (id, anonymous_bits, anonymous_gifts)
        select (500000 + n)::text, 0, 0 from generate_series(0, 204) n";
    stage.server.sql(known).await;
    let items: Vec<_> = (0..203).map(|number| item(1, &format!("{}", 500_000 + number))).collect();
    let results = stage.batch(&items).await;
    let created = results.iter().filter(|it| it["result"] == "created").count();
    assert_eq!(created, 200);
    assert_eq!(results[202]["problem"]["type"], "urn:showtime:problem:too-many-tracks");
    let put = stage.put("/v2/channels/200000000000000001/tracks/500204", &json!({})).await;
    put.problem(409, "too-many-tracks");
    assert_eq!(stage.batch(&items[..1]).await[0]["result"], "unchanged");
    stage.stop().await;
}
