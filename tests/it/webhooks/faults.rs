//! Receivers that are away, slow, rude, or want no more.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::receiver::{Receiver, Reply};
use super::{add, deliveries, logged_ids, until_problem, until_state};
use crate::support::messages::{at, cheer, follow};
use crate::support::server::Server;
use crate::support::until;

#[tokio::test]
async fn receiver_that_wants_no_more_switches_the_sink_off() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(410)).await);
    add(&server, &receiver, json!({})).await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    until_state(&server, "hook", "off").await;
    until_problem(&server, "hook", "answered 410").await;
    receiver.reply(|_| Reply::Status(200));
    assert_eq!(server.post_json("/sinks/hook/resume", &json!({})).await.status, 204);
    until("it has arrived", async || receiver.received().len() == 2).await;
    until("the sink is well", async || server.json("/sinks/hook").await["problem"].is_null()).await;
    // Paused on request, nothing is wrong.
    assert_eq!(server.post_json("/sinks/hook/pause", &json!({})).await.status, 204);
    assert_eq!(until_state(&server, "hook", "off").await["problem"], json!(null));
}

#[tokio::test]
async fn five_days_without_success_switch_the_sink_off() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(500)).await);
    add(&server, &receiver, json!({ "ordered": true })).await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    until_state(&server, "hook", "waiting").await;
    server.sql("update sink set failing_since = now() - interval '4 days 23 hours'").await;
    let tried = receiver.received().len();
    until("it is tried again", async || receiver.received().len() > tried).await;
    assert_eq!(server.json("/sinks/hook").await["state"], "waiting");
    server.sql("update sink set failing_since = now() - interval '5 days 1 hour'").await;
    until_state(&server, "hook", "off").await;
    until_problem(&server, "hook", "no event has arrived for 5 days").await;
}

#[tokio::test]
async fn receiver_that_asks_to_slow_down_is_waited_for() {
    let server = Server::start().await;
    let receiver = Receiver::start(|_| Reply::With(429, "retry-after", "3")).await;
    add(&server, &receiver, json!({})).await;
    let began = Instant::now();
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    until_state(&server, "hook", "blocked").await;
    receiver.reply(|_| Reply::Status(200));
    until("it has arrived", async || receiver.received().len() == 2).await;
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(deliveries(&server).await.is_empty());
    until_state(&server, "hook", "ok").await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(200)).await);
    let elsewhere = Receiver::start(|_| Reply::Status(200)).await;
    let location: &str = elsewhere.url().leak();
    receiver.reply(move |_| Reply::With(307, "location", location));
    add(&server, &receiver, json!({ "ordered": true })).await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    until_problem(&server, "hook", "answered 307: redirects are not followed").await;
    assert_eq!(elsewhere.connects(), 0);
}

#[tokio::test]
async fn huge_and_missing_answers_hold_up_one_event_alone() {
    let server = Server::start().await;
    let receiver = Receiver::start(|request| match request.kind().as_str() {
        "channel.cheer" => Reply::Hang,
        _ => Reply::Huge,
    })
    .await;
    add(&server, &receiver, json!({})).await;
    for message in [follow("1", at(0)), cheer("2", 100, at(1)), follow("3", at(2))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    until("the sink went on", async || server.json("/sinks/hook").await["cursor"] == 3).await;
    let rows = deliveries(&server).await;
    assert_eq!((rows.len(), &rows[0]["event_id"], &rows[0]["last_status"]), (1, &json!(2), &json!(null)));
    assert!(rows[0]["problem"].as_str().unwrap().contains("did not answer within 15 s"), "{rows:?}");
}

#[tokio::test]
async fn connection_cut_before_or_after_the_effect_repeats_the_same_id() {
    let server = Server::start().await;
    let mut attempt = 0;
    let receiver = Receiver::start(move |_| {
        attempt += 1;
        [Reply::CutBefore, Reply::CutAfter, Reply::Status(200)][(attempt - 1) % 3]
    })
    .await;
    add(&server, &receiver, json!({ "ordered": true })).await;
    for user in 1..=3 {
        assert_eq!(server.deliver(&follow(&user.to_string(), at(user))).await.status, 204);
    }
    until("all were delivered", async || server.json("/sinks/hook").await["cursor"] == 3).await;
    assert_eq!(receiver.ids(), logged_ids(&server).await);
    assert_eq!(receiver.received().len(), 6, "each had its effect twice, under the same id");
}

#[tokio::test]
async fn receiver_that_is_away_is_named_without_its_url() {
    let server = Server::start().await;
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let addr = receiver.addr;
    add(&server, &receiver, json!({ "ordered": true })).await;
    drop(receiver);
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    until_problem(&server, "hook", &format!("{addr} can't be reached: Connection refused")).await;
}

#[tokio::test]
async fn wrong_webhook_is_refused_by_field() {
    let server = Server::start().await;
    let url = "https://hooks.example.org/hunter2";
    for (field, url, settings) in [
        ("url", json!(null), json!({})),
        ("url", json!("http://hooks.example.org/hunter2"), json!({})),
        ("url", json!("ftp://hooks.example.org/hunter2"), json!({})),
        ("url", json!("https://127.0.0.1/hunter2"), json!({})),
        ("url", json!("http://10.0.0.1/hunter2"), json!({ "allow": ["192.168.0.0/16"] })),
        ("settings.allow", json!(url), json!({ "allow": ["home"] })),
        ("settings.body", json!(url), json!({ "body": "{{" })),
        ("settings.content_type", json!(url), json!({ "content_type": "json\n" })),
        ("settings.exchange", json!(url), json!({ "exchange": "showtime" })),
    ] {
        let sink = json!({ "name": "a", "kind": "webhook", "url": url, "settings": settings });
        let answer = server.post_json("/sinks", &sink).await;
        assert_eq!(answer.problem(400, "invalid-field")["field"], field, "{answer:?}");
        assert!(!answer.text.contains("hunter2"), "{answer:?}");
    }
    server.post_json("/sinks/a/rotate", &json!({})).await.problem(404, "not-found");
    server.get("/sinks/a/deliveries").await.problem(404, "not-found");
}
