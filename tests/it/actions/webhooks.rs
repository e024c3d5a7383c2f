//! What is sent to a webhook: signed, again with the same id until it has arrived, and never to one that is not meant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

use super::{Place, done, get, post, request, say, settled, until_state};
use crate::support::server::Server;
use crate::support::twitch::CHANNEL;
use crate::support::until;
use crate::webhooks::receiver::{Receiver, Reply};

/// A receiver that answers with this status.
async fn receiver(status: &Arc<AtomicU16>) -> Receiver {
    let status = status.clone();
    Receiver::start(move |_| Reply::Status(status.load(Ordering::SeqCst))).await
}

/// Adds a webhook that gets no events, and returns its key.
async fn add(server: &Server, name: &str, receiver: &Receiver) -> String {
    let settings = json!({ "allow": ["127.0.0.0/8"], "body": "{{ event.type }}", "content_type": "text/plain" });
    let sink = json!({ "name": name, "kind": "webhook", "url": receiver.url(), "types": [], "settings": settings });
    let added = server.post_json("/sinks", &sink).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(server.json(&format!("/sinks/{name}")).await["types"], json!([]));
    added.json()["key"].as_str().unwrap().to_owned()
}

fn to(sink: &str, body: Value) -> Value {
    json!({ "webhook": { "sink": sink, "body": body } })
}

#[tokio::test]
async fn body_arrives_signed_at_a_sink_that_gets_no_events() {
    let place = Place::new().await;
    let server = place.serve().await;
    let receiver = receiver(&Arc::new(AtomicU16::new(200))).await;
    let key = add(&server, "chat-bridge", &receiver).await;
    let sent = server.post_json(&format!("/channels/{CHANNEL}/test"), &json!({ "type": "stream.online" })).await;
    assert!(sent.status.is_success(), "{sent:?}");
    let body = json!({ "text": "maplearcade is live: \"Speedrun\" \u{1F389}", "list": [1, null] });
    let action = done(&server, to("chat-bridge", body.clone())).await;
    assert_eq!((&action["class"], &action["attempts"]), (&json!("stable_id"), &json!(1)));
    let received = receiver.received();
    assert_eq!(received.len(), 1, "no event");
    assert_eq!(received[0].json(), body);
    assert!(received[0].is_signed_with(&key));
    assert_eq!(received[0].header("content-type"), "application/json");
    assert_eq!(action["result"]["webhook_id"], received[0].id());
    server.stop().await;
}

#[tokio::test]
async fn body_is_sent_again_with_the_same_id_and_holds_up_no_other() {
    let place = Place::new().await;
    let server = place.serve().await;
    let status = Arc::new(AtomicU16::new(500));
    let (broken, healthy) = (receiver(&status).await, receiver(&Arc::new(AtomicU16::new(204))).await);
    let key = add(&server, "broken", &broken).await;
    add(&server, "healthy", &healthy).await;
    let refused = request(&server, &to("broken", json!(1))).await;
    until("it was refused", async || get(&server, refused).await["problem"].is_string()).await;
    let second = request(&server, &to("broken", json!(2))).await;
    until("the next was tried", async || get(&server, second).await["problem"].is_string()).await;
    done(&server, to("healthy", json!(3))).await;
    done(&server, say("and Twitch, too")).await;
    status.store(200, Ordering::SeqCst);
    for id in [refused, second] {
        assert_eq!(settled(&server, id).await["state"], "done");
    }
    let of_first: Vec<_> = broken.received().into_iter().filter(|it| it.json() == json!(1)).collect();
    assert!(of_first.len() > 1, "{of_first:?}");
    assert!(of_first.iter().all(|it| it.id() == of_first[0].id() && it.is_signed_with(&key)));
    let ids = broken.ids();
    assert_eq!(ids.len(), 2, "another body has another id: {ids:?}");
    server.stop().await;
}

#[tokio::test]
async fn body_is_given_up_after_three_days_or_when_the_receiver_is_gone() {
    let place = Place::new().await;
    let server = place.serve().await;
    let status = Arc::new(AtomicU16::new(410));
    let receiver = receiver(&status).await;
    add(&server, "hook", &receiver).await;
    let gone = request(&server, &to("hook", json!(1))).await;
    assert_eq!(
        until_state(&server, gone, "failed").await["problem"],
        "the receiver answered 410: it wants nothing more"
    );
    status.store(500, Ordering::SeqCst);
    let late = request(&server, &to("hook", json!(2))).await;
    until("it was refused", async || get(&server, late).await["problem"].is_string()).await;
    server.clock.advance(time::Duration::hours(71));
    until("it was tried again, and waits", async || {
        let action = get(&server, late).await;
        action["attempts"].as_i64() > Some(1) && action["state"] == "pending"
    })
    .await;
    server.clock.advance(time::Duration::hours(2));
    let state = settled(&server, late).await["state"].clone();
    assert!(["failed", "stale"].contains(&state.as_str().unwrap()), "{state}");
    server.stop().await;
}

#[tokio::test]
async fn sink_must_be_a_webhook_that_is_there() {
    let place = Place::new().await;
    let server = place.serve().await;
    let receiver = receiver(&Arc::new(AtomicU16::new(200))).await;
    add(&server, "hook", &receiver).await;
    let amqp = json!({ "name": "audit", "url": "amqp://127.0.0.1:1/%2f" });
    assert_eq!(server.post_json("/sinks", &amqp).await.status, 201);
    for (sink, reason) in [("none", "there is no sink `none`"), ("audit", "is for RabbitMQ: name a webhook")] {
        let refused = post(&server, &to(sink, json!({}))).await;
        let problem = refused.problem(400, "invalid-field");
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
    }
    assert_eq!(server.send(reqwest::Method::POST, "/sinks/hook/pause").await.status, 204);
    let waits = request(&server, &to("hook", json!({}))).await;
    until("it waits", async || get(&server, waits).await["problem"] == "the sink `hook` is paused").await;
    assert_eq!(server.send(reqwest::Method::POST, "/sinks/hook/resume").await.status, 204);
    assert_eq!(settled(&server, waits).await["state"], "done");
    assert_eq!(server.send(reqwest::Method::POST, "/sinks/hook/pause").await.status, 204);
    let lost = request(&server, &to("hook", json!({}))).await;
    until("it waits", async || get(&server, lost).await["problem"].is_string()).await;
    assert_eq!(server.send(reqwest::Method::DELETE, "/sinks/hook").await.status, 204);
    let lost = settled(&server, lost).await;
    assert_eq!((&lost["state"], &lost["problem"]), (&json!("failed"), &json!("there is no sink `hook`")));
    server.stop().await;
}
