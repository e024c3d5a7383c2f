//! What keeps a sink from publishing is shown with what to do, and the server goes on.

use std::collections::HashSet;

use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use super::rabbit::{Rabbit, Reader, cursor};
use super::{append, until_problem, until_state};
use crate::support::messages::{at, cheer, follow};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::{Unused, until};

async fn add(server: &Server, name: &str, url: &str, settings: Value) {
    let answer =
        server.post_json("/sinks", &json!({ "name": name, "url": url, "settings": settings, "after": 0 })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn each_refusal_of_the_broker_names_its_remedy() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let server = Server::start().await;
    let (channel, durable) = (rabbit.channel().await, ExchangeDeclareOptions { durable: true, ..Default::default() });
    channel.exchange_declare("other".into(), ExchangeKind::Fanout, durable, FieldTable::default()).await.unwrap();
    rabbit.control(&["add_user", "reader", "secret"]);
    rabbit.control(&["set_permissions", "reader", "^$", "^$", ".*"]);
    let unused = Unused::new();
    let away = format!("amqp://guest:guest@{}/%2f", unused.addr());
    add(&server, "password", &rabbit.url_of("guest", "wrong"), json!({})).await;
    add(&server, "vhost", &rabbit.url().replace("%2f", "elsewhere"), json!({})).await;
    add(&server, "type", &rabbit.url(), json!({ "exchange": "other" })).await;
    add(&server, "missing", &rabbit.url(), json!({ "exchange": "none", "declare": false })).await;
    add(&server, "permission", &rabbit.url_of("reader", "secret"), json!({})).await;
    add(&server, "away", &away, json!({})).await;
    add(&server, "template", &rabbit.url(), json!({ "routing_key": "{{ event.payload.event.nothing }}" })).await;
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}";
    add(&server, "fuel", &rabbit.url(), json!({ "body": endless })).await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    for (name, text) in [
        ("password", "refuses the user `guest` or its password: correct them in the sink's URL"),
        ("vhost", "refuses the virtual host `elsewhere`"),
        ("type", "the exchange `other` must be a durable topic exchange"),
        ("missing", "the exchange `none` does not exist"),
        ("permission", "allow it with `rabbitmqctl set_permissions -p / reader"),
        ("away", "can't be reached"),
        ("template", "event 1 (channel.follow) can't be published: the template of the routing_key fails"),
        ("fuel", "the template of the body fails: engine ran out of fuel"),
    ] {
        until_problem(&server, name, text).await;
        assert_eq!(server.json(&format!("/sinks/{name}")).await["state"], "waiting", "{name}");
        server.post_json(&format!("/sinks/{name}/test"), &json!({})).await.problem(502, "sink-failed");
    }
    // What was repaired goes on by itself.
    rabbit.control(&["set_permissions", "reader", ".*", ".*", ".*"]);
    until_state(&server, "permission", "ok").await;
    let changed = server.patch_json("/sinks/template", &json!({ "settings": { "routing_key": null } })).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    until("the event was published", async || server.json("/sinks/template").await["cursor"] == 1).await;
    append(&server.pool, 1).await;
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn event_that_cannot_be_published_is_overtaken_by_none() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let server = Server::start().await;
    for message in [cheer("1", 100, at(0)), follow("2", at(1)), cheer("3", 100, at(2))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    add(&server, "bits", &rabbit.url(), json!({ "routing_key": "{{ event.payload.event.bits }}", "queue": "bits" }))
        .await;
    until_problem(&server, "bits", "event 2 (channel.follow) can't be published").await;
    let changed = server.patch_json("/sinks/bits", &json!({ "settings": { "routing_key": null } })).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let mut reader = Reader::open(&rabbit, "bits", None).await;
    for expected in 1..=3 {
        assert_eq!(cursor(&reader.next().await), expected);
    }
}

#[tokio::test]
async fn blocked_broker_is_shown_and_waited_for() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let server = super::server(fresh_database().await, &rabbit.url()).await;
    until_state(&server, "amqp", "ok").await;
    rabbit.control(&["set_vm_memory_high_watermark", "0"]);
    append(&server.pool, 10).await;
    until_state(&server, "amqp", "blocked").await;
    server.post_json("/sinks/amqp/test", &json!({})).await.problem(502, "sink-failed");
    rabbit.control(&["set_vm_memory_high_watermark", "0.6"]);
    until("all were published", async || server.json("/sinks/amqp").await["cursor"] == 10).await;
}

/// A queue that has one message and refuses more, so that the broker sends `basic.nack`.
#[tokio::test]
async fn message_that_the_broker_refuses_is_published_again() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let server = super::server(fresh_database().await, &rabbit.url()).await;
    until_state(&server, "amqp", "ok").await;
    let (channel, durable) = (rabbit.channel().await, QueueDeclareOptions { durable: true, ..Default::default() });
    let mut limits = FieldTable::default();
    limits.insert("x-max-length".into(), AMQPValue::LongInt(1));
    limits.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    channel.queue_declare("full".into(), durable, limits).await.unwrap();
    let (all, options) = ("#".into(), QueueBindOptions::default());
    channel.queue_bind("full".into(), "showtime".into(), all, options, FieldTable::default()).await.unwrap();
    append(&server.pool, 1).await;
    until("the queue is full", async || server.json("/sinks/amqp").await["cursor"] == 1).await;
    append(&server.pool, 2).await;
    until_problem(&server, "amqp", "could not store a message (basic.nack)").await;
    let sink = server.json("/sinks/amqp").await;
    assert_eq!((&sink["state"], &sink["cursor"]), (&json!("waiting"), &json!(1)));
    let refused = server.post_json("/sinks/amqp/test", &json!({})).await.problem(502, "sink-failed");
    assert!(refused["detail"].as_str().unwrap().contains("basic.nack"), "{refused}");
    let mut reader = Reader::open(&rabbit, "full", None).await;
    assert_eq!(cursor(&reader.next().await), 1);
    let mut arrived = HashSet::new();
    while arrived.len() < 2 {
        arrived.insert(cursor(&reader.next().await));
    }
    assert_eq!(arrived, HashSet::from([2, 3]));
    until("the sink is well", async || server.json("/sinks/amqp").await["problem"].is_null()).await;
    let metrics = server.get("/metrics").await.text;
    assert!(!metrics.contains(r#"{sink="amqp",outcome="failed"} 0"#), "{metrics}");
}

#[tokio::test]
async fn wrong_sink_is_refused_by_field() {
    let server = Server::start().await;
    let url = "amqp://me:hunter2@127.0.0.1:1/%2f";
    for (field, sink) in [
        ("url", json!({ "name": "a" })),
        ("url", json!({ "name": "a", "url": "http://me:hunter2@127.0.0.1" })),
        ("name", json!({ "name": "a/b", "url": url })),
        ("types", json!({ "name": "a", "url": url, "types": ["No"] })),
        ("types", json!({ "name": "a", "url": url, "types": ["channel.cheers"] })),
        ("channels", json!({ "name": "a", "url": url, "channels": ["1", "nowhere"] })),
        ("channels", json!({ "name": "a", "url": url, "channels": ["a\u{0}"] })),
        ("settings.body", json!({ "name": "a", "url": url, "settings": { "body": "\u{0}" } })),
        ("url", json!({ "name": "a", "url": url, "settings": { "url_env": "BROKER_URL" } })),
        ("settings.exchange", json!({ "name": "a", "url": url, "settings": { "exchange": "" } })),
        ("settings.body", json!({ "name": "a", "url": url, "settings": { "body": "{{" } })),
        ("settings.color", json!({ "name": "a", "url": url, "settings": { "color": 1 } })),
        ("after", json!({ "name": "a", "url": url, "after": -1 })),
        ("after", json!({ "name": "a", "url": url, "after": 1 })),
    ] {
        let answer = server.post_json("/sinks", &sink).await;
        assert_eq!(answer.problem(400, "invalid-field")["field"], field, "{answer:?}");
        assert!(!answer.text.contains("hunter2"), "{answer:?}");
    }
    server.get("/sinks/a").await.problem(404, "not-found");
    assert_eq!(server.json("/sinks").await, json!({ "data": [], "next": null }));
    let added = server.post_json("/sinks", &json!({ "name": "a", "url": url })).await;
    assert_eq!((added.status.as_u16(), &added.headers["location"]), (201, &"/sinks/a".parse().unwrap()));
    let answer = server.send(reqwest::Method::DELETE, "/sinks/a").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    // Rules and announcements follow the log on every server.
    let statement = "select count(*) from follower where name not in ('announcements', 'reactions')";
    let followers: i64 = sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap();
    assert_eq!(followers, 0, "its place in the log is removed with it");
}
