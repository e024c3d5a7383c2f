//! What bots are told, as pages and as a stream.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::Webhook;
use showtime::tracking::bots;
use time::Duration;

use super::{LOGIN, Stage};
use crate::support::bots as tokens;
use crate::support::feeds::Sse;
use crate::support::until;

impl Stage {
    /// A channel with a track.
    async fn tracked(&self, name: &str) -> Webhook {
        let webhook = self.new_webhook(name);
        assert_eq!(self.track(&webhook, LOGIN).await.status, 201);
        webhook
    }

    /// Lets the bot say that a webhook was deleted.
    async fn lose(&self, webhook: &Webhook) {
        let path = format!("/v2/channels/{}/webhook", webhook.channel_id);
        assert_eq!(self.send(Method::DELETE, &path).await.status, 204);
    }

    async fn follow(&self, token: &str, query: &str, last_id: Option<i64>) -> Sse {
        let mut headers =
            vec![("accept", "text/event-stream".to_owned()), ("authorization", format!("Bearer {token}"))];
        headers.extend(last_id.map(|id| ("last-event-id", id.to_string())));
        Sse::open_with(&self.server, &format!("/v2/events{query}"), &headers).await
    }

    async fn events(&self, query: &str) -> Vec<Value> {
        self.send(Method::GET, &format!("/v2/events{query}")).await.json()["data"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn lost_webhooks_are_told_with_what_was_tracked() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let mut stream = stage.follow(&stage.token, "", None).await;
    let (gone, moved) = (stage.tracked("gone").await, stage.tracked("moved").await);
    stage.discord.world.delete_webhook(&gone.id.to_string()).unwrap();
    let other = stage.new_channel("other");
    stage.discord.world.move_webhook(&moved.id.to_string(), &other.name).unwrap();
    for webhook in [&gone, &moved, &gone, &moved] {
        stage.send(Method::POST, &format!("/v2/channels/{}/webhook/check", webhook.channel_id)).await;
    }
    let told = stream.take(2).await;
    assert_eq!(told.iter().map(|it| it.event.as_str()).collect::<Vec<_>>(), ["event", "event"]);
    assert_eq!((&told[0].data["type"], &told[1].data["type"]), (&json!("webhook_gone"), &json!("webhook_moved")));
    assert_eq!(told[0].data["guild_id"], json!(gone.guild_id));
    assert_eq!(
        told[0].data["data"],
        json!({
            "channel_id": gone.channel_id, "webhook_id": gone.id, "logins": [LOGIN], "is_dropped": false,
            "reason": "Discord says that the webhook does not exist",
        })
    );
    assert_eq!(
        told[1].data["data"],
        json!({ "channel_id": moved.channel_id, "webhook_id": moved.id, "moved_to": other.id })
    );
    let listed = stage.events("").await;
    assert_eq!(listed, told.iter().map(|it| it.data.clone()).collect::<Vec<_>>(), "each once, as in the stream");
    stage.stop().await;
}

#[tokio::test]
async fn webhook_that_is_moved_again_is_told_again() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.tracked("moved").await;
    let path = format!("/v2/channels/{}", webhook.channel_id);
    let places = [stage.new_channel("first"), stage.new_channel("second")];
    for place in &places {
        stage.discord.world.move_webhook(&webhook.id.to_string(), &place.name).unwrap();
        for _ in 0..2 {
            let checked = stage.send(Method::POST, &format!("{path}/webhook/check")).await.json();
            assert_eq!(checked, json!({ "state": "moved", "moved_to": place.id }));
        }
        assert_eq!(stage.send(Method::GET, &path).await.json()["moved_to"], json!(place.id));
    }
    let told: Vec<_> = stage.events("").await.iter().map(|event| event["data"]["moved_to"].clone()).collect();
    assert_eq!(told, [json!(places[0].id), json!(places[1].id)], "each place once");
    stage.stop().await;
}

#[tokio::test]
async fn stream_resumes_without_loss_and_ends_with_the_server() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhooks = [stage.tracked("one").await, stage.tracked("two").await, stage.tracked("three").await];
    let mut first = stage.follow(&stage.token, "", None).await;
    stage.lose(&webhooks[0]).await;
    let id = first.next().await.unwrap().id.unwrap();
    drop(first);
    stage.lose(&webhooks[1]).await;
    stage.lose(&webhooks[2]).await;
    let expected: Vec<_> = stage.events("").await.iter().map(|event| event["id"].as_i64().unwrap()).collect();
    assert_eq!((expected.len(), expected[0]), (3, id));
    let mut again = stage.follow(&stage.token, "", Some(id)).await;
    assert_eq!(again.ids(2).await, expected[1..]);
    let mut from_start = stage.follow(&stage.token, "?after=0", None).await;
    assert_eq!(from_start.ids(3).await, expected);
    // Pages, one by one.
    let page = stage.send(Method::GET, "/v2/events?limit=1").await.json();
    assert_eq!(page["next"], expected[0]);
    let page = stage.send(Method::GET, &format!("/v2/events?limit=2&after={}", expected[0])).await.json();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["next"]), (2, &Value::Null));
    stage.stop().await;
    assert_eq!(again.next().await, None);
    assert!(again.comments.iter().any(|comment| comment.contains("the server stops")), "{:?}", again.comments);
}

#[tokio::test]
async fn stream_has_the_events_of_its_shard_and_of_its_bot_alone() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.tracked("one").await;
    let guild: u64 = webhook.guild_id.to_string().parse().unwrap();
    let (ours, others) = ((guild >> 22) % 2, 1 - (guild >> 22) % 2);
    let other = tokens::token(&stage.server, "other").await;
    let mut mine = stage.follow(&stage.token, &format!("?shard={ours}&shard_count=2"), None).await;
    let mut not_mine = stage.follow(&stage.token, &format!("?shard={others}&shard_count=2"), None).await;
    let mut another = stage.follow(&other, "", None).await;
    stage.lose(&webhook).await;
    let id = mine.next().await.unwrap().id;
    for stream in [&mut not_mine, &mut another] {
        stage.server.clock.advance(Duration::seconds(5));
        stream.comment("heartbeat").await;
        assert_eq!(stream.last_id, id, "its place moves on, but nothing is sent");
    }
    assert_eq!(stage.events(&format!("?shard={others}&shard_count=2")).await, Vec::<Value>::new());
    assert_eq!(stage.server.send_as(&other, Method::GET, "/v2/events").await.json()["data"], json!([]));
    stage.stop().await;
}

#[tokio::test]
async fn stream_ends_when_the_secret_is_rotated() {
    let stage = Stage::start().await;
    let mut stream = stage.follow(&stage.token, "", None).await;
    let mut connection = stage.server.pool.acquire().await.unwrap();
    bots::rotate(&mut connection, "tatsu").await.unwrap();
    stage.server.clock.advance(Duration::seconds(5));
    assert_eq!(stream.next().await, None);
    assert_eq!(stream.comments.last().unwrap(), "the token is no longer valid");
    let headers = [("accept", "text/event-stream".to_owned()), ("authorization", format!("Bearer {}", stage.token))];
    let refused = stage.server.open("/v2/events", &headers).await;
    assert_eq!(refused.status(), 401);
    stage.stop().await;
}

#[tokio::test]
async fn renamed_channel_is_told_once() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.tracked("one").await;
    stage.server.sql("update twitch_user set login = 'newname'").await;
    for _ in 0..2 {
        assert_eq!(stage.track(&webhook, "newname").await.status, 200);
    }
    let told = stage.events("").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["type"], "channel_renamed");
    assert_eq!(told[0]["data"], json!({ "twitch_id": "90210441", "old_login": LOGIN, "login": "newname" }));
    stage.stop().await;
}

#[tokio::test]
async fn events_are_kept_for_seven_days() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.tracked("one").await;
    stage.lose(&webhook).await;
    assert_eq!(stage.events("").await.len(), 1);
    stage.server.clock.advance(Duration::days(7) + Duration::hours(2));
    let token = stage.new_token().await;
    // Old ones are deleted when the next one comes, or after some seconds.
    stage.server.sql("select pg_notify('showtime_bot_event', '')").await;
    until("it is deleted", async || {
        stage.server.send_as(&token, Method::GET, "/v2/events").await.json()["data"] == json!([])
    })
    .await;
    stage.stop().await;
}
