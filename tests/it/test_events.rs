//! Test events, which change no state, and replays.

use std::time::Duration;

use serde_json::{Value, json};
use showtime::simulate::test_mark::test_notification;
use showtime::store::signals::Channel;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use sqlx::Connection as _;
use sqlx::postgres::PgListener;

use crate::support::messages::{CHANNEL, at, cheer, follow, online, subscription, text, with_person, with_user};
use crate::support::server::Server;

const TEST: &str = "/channels/90210441/test";

/// All answers of the API about the state.
async fn state(server: &Server) -> Vec<Value> {
    let mut answers = Vec::new();
    for path in ["/channels", "/channels/90210441/viewers", "/channels/90210441/broadcasts"] {
        let mut answer = server.json(path).await;
        if let Some(running) = answer.pointer_mut("/data/0/duration_seconds") {
            running.take();
        }
        answers.push(answer);
    }
    let status = server.json("/status").await;
    answers.extend([status["last_event"].clone(), status["subscriptions"].clone()]);
    answers
}

async fn rebuild(server: &Server) {
    let mut connection = server.pool.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    showtime::store::state::rebuild(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn test_event_is_logged_like_a_real_one_and_changes_no_state() {
    let server = Server::start().await;
    for message in [online("1", at(0)), follow("5", at(1)), cheer("5", 10, at(2))] {
        server.deliver(&message).await;
    }
    let before = state(&server).await;
    let tests = [
        json!({ "type": "channel.follow" }),
        json!({ "type": "channel.cheer", "event": { "bits": 500, "user_name": "NewFriend" } }),
        json!({ "type": "channel.update", "event": { "title": "a test" } }),
        json!({ "type": "stream.online" }),
        json!({ "type": "stream.offline", "event": { "id": "1" } }),
        json!({ "type": "channel.chat.message" }),
    ];
    for test in &tests {
        let answer = server.post_json(TEST, test).await;
        assert_eq!(answer.status, 202, "{test}: {answer:?}");
        let log = server.json("/events?after=3&limit=100").await["data"].clone();
        let event = log.as_array().unwrap().last().unwrap();
        let sent = answer.json();
        assert_eq!((&event["id"], &event["message_id"]), (&sent["id"], &sent["message_id"]));
        assert_eq!((&event["type"], &event["is_test"]), (&test["type"], &json!(true)));
        assert_eq!((&event["channel_id"], &event["payload"]["is_test"]), (&json!(CHANNEL), &json!(true)));
        let callback = format!("http://{}/callback", server.addr);
        assert_eq!(event["payload"]["subscription"]["transport"]["callback"], callback);
        for (field, value) in test["event"].as_object().into_iter().flatten() {
            assert_eq!(event["payload"]["event"][field], *value);
        }
    }
    assert_eq!(state(&server).await, before);
    rebuild(&server).await;
    assert_eq!(state(&server).await, before, "rebuilt");
    assert_eq!(server.json("/events/1").await["is_test"], false);
    assert_eq!(server.count_events().await, 3 + tests.len() as i64);
}

#[tokio::test]
async fn channel_with_only_test_events_is_unknown() {
    let server = Server::start().await;
    let event = with_user("5", with_person("broadcaster_user_", CHANNEL, json!({ "followed_at": text(at(0)) })));
    let message = test_notification(Stamp::new(text(at(0))), &subscription("channel.follow", &event), &event);
    assert_eq!(server.deliver(&message).await.status, 204);
    assert_eq!(server.json("/channels").await["data"], json!([]));
    let status = server.json("/status").await;
    assert_eq!((&status["last_event"], &status["subscriptions"]), (&Value::Null, &json!([])), "{status}");
}

#[tokio::test]
async fn only_the_boolean_true_marks_a_test() {
    let server = Server::start().await;
    for (n, mark) in ["false", "null", "\"true\"", "1", "[true]"].iter().enumerate() {
        let message = follow(&n.to_string(), at(0));
        let body =
            String::from_utf8(message.body.clone()).unwrap().replacen('{', &format!(r#"{{"is_test":{mark},"#), 1);
        let message = Outgoing { body: body.into_bytes(), ..message };
        assert_eq!(server.deliver(&message).await.status, 204, "{mark}");
    }
    assert_eq!(server.json("/channels/90210441/viewers").await["data"].as_array().unwrap().len(), 5);
}

/// A test revocation does not wake the reconciler.
#[tokio::test]
async fn test_revocation_does_not_wake_the_reconciler() {
    let server = Server::start().await;
    let mut listener = PgListener::connect_with(&server.pool).await.unwrap();
    listener.listen(Channel::Reconcile.name()).await.unwrap();
    let event = with_person("broadcaster_user_", CHANNEL, json!({}));
    let revoked = subscription("stream.online", &event).with_status("user_removed");
    let genuine = Outgoing::revocation(Stamp::new(text(at(0))), &revoked);
    let body = String::from_utf8(genuine.body.clone()).unwrap().replacen('{', r#"{"is_test":true,"#, 1);
    let test = Outgoing { body: body.into_bytes(), stamp: Stamp::new(text(at(0))), ..genuine.clone() };
    for message in [&test, &genuine] {
        assert_eq!(server.deliver(message).await.status, 204);
    }
    let next = async |listener: &mut PgListener| tokio::time::timeout(Duration::from_secs(30), listener.recv()).await;
    next(&mut listener).await.unwrap().unwrap();
    // Notifications keep their order: had the test sent one, this would come second.
    sqlx::query("select pg_notify($1, 'the end')").bind(Channel::Reconcile.name()).execute(&server.pool).await.unwrap();
    assert_eq!(next(&mut listener).await.unwrap().unwrap().payload(), "the end");
}

#[tokio::test]
async fn invalid_test_event_is_a_problem() {
    let server = Server::start().await;
    server.post_json(TEST, &json!({ "type": "channel.follow" })).await.problem(404, "not-found");
    server.deliver(&follow("5", at(0))).await;
    for (body, field, said) in [
        (json!({}), "type", "missing field `type`"),
        (json!({ "type": "channel.fellow" }), "type", "did you mean channel.follow?"),
        (json!({ "type": "xyz" }), "type", "stream.online"),
        (json!({ "type": "user.update" }), "type", "names no broadcaster"),
        (json!({ "type": "channel.cheer", "event": { "bit": 5 } }), "event.bit", "bits"),
        (json!({ "type": "channel.cheer", "event": [] }), "event", "expected a map"),
        (
            json!({ "type": "channel.cheer", "event": { "bits": "lots" } }),
            "event.bits",
            "`bits` can't be \"lots\": it must be a whole number",
        ),
        (
            json!({ "type": "channel.chat.message", "event": { "message": { "text": 5 } } }),
            "event.message.text",
            "must be a text",
        ),
        (
            json!({ "type": "channel.cheer", "event": { "broadcaster_user_id": "1" } }),
            "event.broadcaster_user_id",
            "another channel",
        ),
        (json!({ "type": "channel.cheer", "bits": 5 }), "bits", "unknown field `bits`"),
    ] {
        let problem = server.post_json(TEST, &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem}");
    }
    assert_eq!(server.count_events().await, 1);
}

#[tokio::test]
async fn test_event_that_is_not_stored_is_a_problem() {
    let server = Server::start().await;
    server.deliver(&follow("5", at(0))).await;
    server.sql("alter table event rename column is_test to was_test").await;
    let problem = server.post_json(TEST, &json!({ "type": "channel.follow" })).await.problem(503, "undelivered");
    assert!(problem["detail"].as_str().unwrap().contains("its status is 503"), "{problem}");
}

#[tokio::test]
async fn replay_notifies_every_server() {
    let server = Server::start().await;
    server.deliver(&follow("5", at(0))).await;
    let mut listener = PgListener::connect_with(&server.pool).await.unwrap();
    listener.listen(Channel::Replay.name()).await.unwrap();
    let answer = server.send(reqwest::Method::POST, "/events/1/replay").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    let notification = tokio::time::timeout(Duration::from_secs(30), listener.recv()).await.unwrap().unwrap();
    assert_eq!((notification.channel(), notification.payload()), (Channel::Replay.name(), "1"));
    assert_eq!(server.count_events().await, 1, "nothing is stored again");
    server.send(reqwest::Method::POST, "/events/2/replay").await.problem(404, "not-found");
    server.send(reqwest::Method::POST, "/events/x/replay").await.problem(400, "invalid-path");
}
