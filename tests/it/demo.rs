//! The demo show: real for the state and the feeds, and for no other output.

use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::outputs::follow::{Batch, Follower, Start};
use showtime::simulate::demo::{CHANNEL_ID, LOGIN};
use showtime::store::LogId;
use showtime::store::signals::Signals;
use sqlx::PgConnection;
use time::Duration;
use tokio_util::task::AbortOnDropHandle;

use crate::support::feeds::Sse;
use crate::support::messages::{at, follow};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::until;
use crate::webhooks::add;
use crate::webhooks::receiver::{Receiver, Reply};

impl Server {
    async fn start_demo(&self) -> Value {
        let answer = self.send(Method::POST, "/demo").await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()
    }

    async fn until_demo_is_over(&self) -> Value {
        until("the demo's stream ends", async || !self.demo().await["is_live"].as_bool().unwrap()).await;
        self.json(&format!("/channels/{LOGIN}/broadcasts")).await["data"].clone()
    }

    async fn demo(&self) -> Value {
        self.json(&format!("/channels/{LOGIN}")).await
    }

    /// The last ten alerts that viewers caused.
    async fn demo_alerts(&self) -> Vec<Value> {
        let mut feed = Sse::open(self, "/live/alerts?type=follow,cheer,subscribe,raid,gift&last=10").await;
        let mut alerts = Vec::new();
        for _ in 0..10 {
            alerts.push(feed.next().await.unwrap().data);
        }
        alerts
    }

    /// The events of the demo of this type.
    async fn demo_events(&self, kind: &str) -> Vec<Value> {
        let path = format!("/events?channel={CHANNEL_ID}&type={kind}&limit=100");
        self.json(&path).await["data"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn demo_show_is_real_for_state_and_feeds() {
    let server = Server::start().await;
    let show = server.start_demo().await;
    assert_eq!((&show["channel_id"], &show["login"]), (&json!(CHANNEL_ID), &json!(LOGIN)));
    let channel = server.demo().await;
    assert_eq!((&channel["is_demo"], &channel["is_live"]), (&json!(true), &json!(true)));
    assert_eq!(channel["stream"]["started_at"], show["started_at"]);
    assert_eq!(server.start_demo().await, show, "one show at a time");

    server.clock.advance(Duration::seconds(61));
    let broadcasts = server.until_demo_is_over().await;
    let [broadcast] = &broadcasts.as_array().unwrap()[..] else { panic!("{broadcasts}") };
    assert_eq!((&broadcast["duration_seconds"], &broadcast["ended_at"]), (&json!(60), &show["ends_at"]));
    let totals = &broadcast["totals"];
    let expected = json!({
        "followers": 10, "subscriptions": 2, "resubscriptions": 2, "gifts": 5, "bits": 1_650, "raids": 1,
        "raid_viewers": 128, "redemptions": 1, "messages": 19,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(totals[name], *value, "{name}: {totals}");
    }
    assert_eq!(totals["viewers_peak"], 204);
    let follows = server.demo_events("channel.follow").await;
    assert!(follows.iter().all(|event| event["message_type"] == "demo" && event["is_test"] == false));
    assert!(follows.iter().all(|event| event["repeats"].is_null()), "each is an alert");
    for alert in server.demo_alerts().await {
        assert_eq!((&alert["channel"]["login"], &alert["is_test"]), (&json!(LOGIN), &json!(false)), "{alert}");
    }
    let status = server.json("/status").await;
    assert_eq!(status["subscriptions"], json!([]), "no subscription is made up");
}

#[tokio::test]
async fn next_show_replaces_the_one_before() {
    let server = Server::start().await;
    let first = server.start_demo().await;
    server.clock.advance(Duration::seconds(61));
    server.until_demo_is_over().await;
    let second = server.start_demo().await;
    assert_ne!(first["started_at"], second["started_at"]);
    server.clock.advance(Duration::seconds(61));
    let broadcasts = server.until_demo_is_over().await;
    let [broadcast] = &broadcasts.as_array().unwrap()[..] else { panic!("{broadcasts}") };
    assert_eq!((&broadcast["started_at"], &broadcast["totals"]["followers"]), (&second["started_at"], &json!(10)));
    let follows = server.demo_events("channel.follow").await;
    assert!(follows.len() == 10 && follows.iter().all(|event| event["repeats"].is_null()), "news again");
}

#[tokio::test]
async fn removed_demo_is_gone_and_plays_on_nowhere() {
    let server = Server::start().await;
    server.deliver(&follow("5", at(0))).await;
    assert_eq!(server.send(Method::DELETE, "/demo").await.status, 204, "there is none yet");
    server.start_demo().await;
    server.clock.advance(Duration::seconds(20));
    until("some of the show is played", async || server.demo_events("channel.poll.begin").await.len() == 1).await;
    let removed = server.send(Method::DELETE, "/demo").await;
    assert_eq!(removed.status, 204, "{removed:?}");
    let count = server.count_events().await;
    server.clock.advance(Duration::seconds(61));
    server.get(&format!("/channels/{LOGIN}")).await.problem(404, "not-found");
    let channels = server.json("/channels").await;
    assert_eq!(channels["data"].as_array().unwrap().len(), 1, "only the real one: {channels}");
    let events = server.json("/events?limit=100").await["data"].clone();
    for event in events.as_array().unwrap() {
        let is_demo = event["message_type"] == "demo";
        assert_eq!(is_demo, event["payload"] == json!({}), "only the demo is emptied: {event}");
    }
    server.deliver(&follow("6", at(1))).await;
    assert_eq!(server.count_events().await, count + 1, "nothing was played meanwhile");
    server.start_demo().await;
    assert_eq!(server.demo().await["is_live"], true, "it can be started again");
}

#[tokio::test]
async fn feeds_have_forgotten_the_demo_when_its_removal_is_answered() {
    let server = Server::start().await;
    server.start_demo().await;
    server.clock.advance(Duration::seconds(20));
    until("some of the show is played", async || server.demo_events("channel.poll.begin").await.len() == 1).await;
    // With a reader, the events are in memory.
    let mut reader = Sse::open(&server, "/live/events?channel=showtime-demo&last=1").await;
    assert_ne!(reader.next().await.unwrap().data["payload"], json!({}));
    assert_eq!(server.send(Method::DELETE, "/demo").await.status, 204);
    let mut feed = Sse::open(&server, "/live/events?last=10").await;
    for _ in 0..10 {
        assert_eq!(feed.next().await.unwrap().data["payload"], json!({}));
    }
}

#[tokio::test]
async fn show_that_a_stop_interrupted_is_ended_once_by_those_who_start() {
    let (clock, database) = (Clock::default(), fresh_database().await);
    let server = Server::at(clock.clone(), database.clone(), |_| {}).await;
    let show = server.start_demo().await;
    clock.advance(Duration::seconds(10));
    until("a goal begins", async || server.demo_events("channel.goal.begin").await.len() == 1).await;
    server.stop().await;

    let [one, other] =
        [Server::at(clock.clone(), database.clone(), |_| {}).await, Server::at(clock.clone(), database, |_| {}).await];
    assert_eq!(one.demo().await["is_live"], true, "the minute is not over");
    clock.advance(Duration::seconds(61));
    let broadcasts = one.until_demo_is_over().await;
    assert_eq!(broadcasts[0]["ended_at"], show["ends_at"]);
    other.until_demo_is_over().await;
    assert_eq!(one.demo_events("stream.offline").await.len(), 1);
    assert!(one.demo_events("channel.raid").await.is_empty(), "what was missed is not made up for");
}

#[tokio::test]
async fn sinks_and_followers_pass_the_demo_over() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(204)).await);
    add(&server, &receiver, json!({})).await;
    let (followed, all) = (Arc::new(Mutex::new(Vec::new())), Start::After(LogId::START));
    let (pool, signals) = (server.pool.clone(), Signals::default());
    let follower = Follower { pool, signals, name: "toy", start: all };
    let seen = followed.clone();
    let _task = AbortOnDropHandle::new(tokio::spawn(follower.run(async move |_: &mut PgConnection, batch: &Batch| {
        seen.lock().unwrap().extend(batch.events.iter().map(|event| event.message_type.clone()));
        Ok(())
    })));
    server.start_demo().await;
    server.clock.advance(Duration::seconds(61));
    server.until_demo_is_over().await;
    server.deliver(&follow("5", at(0))).await;
    until("the real event arrives", async || !receiver.received().is_empty()).await;
    assert_eq!(receiver.kinds(), ["channel.follow"], "and nothing else");
    until("the real event is followed", async || !followed.lock().unwrap().is_empty()).await;
    assert_eq!(*followed.lock().unwrap(), ["notification"]);
}
