//! What a receiver gets, and what becomes of events that it does not take.

use itertools::Itertools as _;
use serde_json::json;

use super::receiver::{Received, Receiver, Reply};
use super::{add, deliveries, logged_ids, until_problem, until_state};
use crate::support::feeds::Socket;
use crate::support::messages::{at, cheer, follow, online};
use crate::support::server::Server;
use crate::support::until;

const CHEER: &str = "channel.cheer";

/// Takes all but cheers.
fn but_cheers(request: &Received) -> Reply {
    Reply::Status(if request.kind() == CHEER { 500 } else { 204 })
}

#[tokio::test]
async fn events_arrive_signed_as_the_feed_shows_them() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(200)).await);
    let key = add(&server, &receiver, json!({})).await;
    let mut feed = Socket::open(&server, "/live/events").await;
    let messages = [follow("1", at(0)), cheer("2", 100, at(1)), online("77", at(2)), follow("1", at(3))];
    for message in &messages {
        assert_eq!(server.deliver(message).await.status, 204);
    }
    // Neither test events nor what repeats an earlier event.
    server
        .sql(
            "insert into event (message_id, message_type, type, occurred_at, received_at, is_test, payload)
        values ('test', 'notification', 'channel.cheer', now(), now(), true, '{}')",
        )
        .await;
    assert_eq!(server.deliver(&follow("9", at(4))).await.status, 204);
    until("all have arrived", async || receiver.received().len() == 4).await;
    for (request, message) in receiver.received().iter().zip(&messages[..3]) {
        let shown = feed.message().await.unwrap().into_text().unwrap();
        assert!(shown.ends_with(&format!(r#""data":{}}}"#, String::from_utf8_lossy(&request.body))), "{shown}");
        assert_eq!(request.id(), message.stamp.message_id);
        assert_eq!(request.header("content-type"), "application/json");
        assert!(request.is_signed_with(&key));
        assert!(!request.headers.contains_key("showtime-test"));
    }
    until("the cursor is at the end", async || server.json("/sinks/hook").await["events_behind"] == 0).await;
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains(r#"showtime_sink_deliveries_total{sink="hook",outcome="delivered"} 4"#), "{metrics}");
    // Neither the key nor the URL is shown again, and the row keeps them encrypted.
    let row: String = sqlx::query_scalar("select sink::text || encode(secret_sealed, 'escape') from sink")
        .fetch_one(&server.pool)
        .await
        .unwrap();
    for text in [server.get("/sinks").await.text, server.get("/sinks/hook").await.text, metrics, row] {
        assert!(!text.contains("whsec_") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn test_events_have_a_header_if_they_are_wanted() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(200)).await);
    let key = add(&server, &receiver, json!({ "tests": true })).await;
    server
        .sql(
            "insert into event (message_id, message_type, type, occurred_at, received_at, is_test, payload)
        values ('a.b', 'notification', 'channel.cheer', now(), now(), true, '{}')",
        )
        .await;
    until("it has arrived", async || receiver.received().len() == 1).await;
    let tested = server.post_json("/sinks/hook/test", &json!({})).await;
    assert_eq!((tested.status.as_u16(), tested.json()), (200, json!({ "is_routed": true })));
    let received = receiver.received();
    assert_eq!(received[0].id(), "a_b");
    assert!(received.iter().all(|it| it.header("showtime-test") == "1" && it.is_signed_with(&key)));
    receiver.reply(|_| Reply::Status(403));
    let problem = server.post_json("/sinks/hook/test", &json!({})).await.problem(502, "sink-failed");
    assert!(problem["detail"].as_str().unwrap().contains("answered 403"), "{problem}");
}

#[tokio::test]
async fn one_bad_event_does_not_stop_the_rest() {
    let (server, receiver) = (Server::start().await, Receiver::start(but_cheers).await);
    add(&server, &receiver, json!({})).await;
    for message in [cheer("2", 100, at(0)), follow("1", at(1)), follow("3", at(2))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    until("the rest has arrived", async || {
        receiver.kinds().iter().filter(|kind| *kind == "channel.follow").count() == 2
    })
    .await;
    until_problem(&server, "hook", "events that failed and are tried again: 1").await;
    assert_eq!(server.json("/sinks/hook").await["state"], "ok");
    let rows = deliveries(&server).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["event_id"], &rows[0]["type"], &rows[0]["last_status"]),
        (&json!(1), &json!(CHEER), &json!(500))
    );
    assert!((1..=2).contains(&rows[0]["attempts"].as_i64().unwrap()), "{rows:?}");
    // Out of attempts, it stays until it is sent again on request.
    server.sql("update delivery set attempts = 9, next_at = now()").await;
    until_problem(&server, "hook", "events out of attempts: 1").await;
    assert_eq!(deliveries(&server).await[0]["next_at"], json!(null));
    receiver.reply(|_| Reply::Status(200));
    assert_eq!(server.post_json("/sinks/hook/resend", &json!({ "event_id": 0 })).await.status, 400);
    let resent = server.post_json("/sinks/hook/resend", &json!({})).await;
    assert_eq!((resent.status.as_u16(), resent.json()), (200, json!({ "events": 1 })));
    until("it was delivered", async || deliveries(&server).await.is_empty()).await;
    let cheers: Vec<_> = receiver.received().into_iter().filter(|it| it.kind() == CHEER).collect();
    assert!(cheers.len() >= 3);
    assert!(cheers.iter().all(|it| it.id() == cheers[0].id()));
    until("the sink is well", async || server.json("/sinks/hook").await["problem"].is_null()).await;
}

/// Only what is out of attempts is given up, one event or all.
#[tokio::test]
async fn events_out_of_attempts_are_given_up_on_request() {
    let (server, receiver) = (Server::start().await, Receiver::start(but_cheers).await);
    add(&server, &receiver, json!({})).await;
    for message in [cheer("1", 100, at(0)), cheer("2", 100, at(1)), cheer("3", 100, at(2))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    until("all are set aside", async || deliveries(&server).await.len() == 3).await;
    server.sql("update delivery set attempts = 10, next_at = null where event_id <> 3").await;
    server.sql("update delivery set next_at = now() + interval '1 day' where event_id = 3").await;
    until_problem(&server, "hook", "events out of attempts: 2").await;
    let dismiss = async |body| {
        let dismissed = server.post_json("/sinks/hook/dismiss", &body).await;
        assert_eq!(dismissed.status, 200, "{dismissed:?}");
        dismissed.json()["events"].as_u64().unwrap()
    };
    assert_eq!(dismiss(json!({ "event_id": 3 })).await, 0, "it is still tried again");
    assert_eq!(dismiss(json!({ "event_id": 1 })).await, 1);
    assert_eq!(dismiss(json!({})).await, 1);
    let rows = deliveries(&server).await;
    assert_eq!((rows.len(), &rows[0]["event_id"]), (1, &json!(3)));
    until("the sink says so", async || {
        server.json("/sinks/hook").await["problem"] == "events that failed and are tried again: 1"
    })
    .await;
    server.post_json("/sinks/none/dismiss", &json!({})).await.problem(404, "not-found");
}

#[tokio::test]
async fn ordered_sink_waits_at_a_bad_event() {
    let (server, receiver) = (Server::start().await, Receiver::start(but_cheers).await);
    add(&server, &receiver, json!({ "ordered": true })).await;
    for message in [follow("1", at(0)), cheer("2", 100, at(1)), follow("3", at(2))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    until_state(&server, "hook", "waiting").await;
    until("it is tried again", async || receiver.received().len() >= 3).await;
    assert_eq!(receiver.ids().len(), 2, "{:?}", receiver.kinds());
    assert!(deliveries(&server).await.is_empty());
    receiver.reply(|_| Reply::Status(200));
    until("all have arrived", async || receiver.ids() == logged_ids(&server).await).await;
    until_state(&server, "hook", "ok").await;
}

#[tokio::test]
async fn five_failures_in_a_row_stop_the_sink_at_its_place() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(502)).await);
    add(&server, &receiver, json!({})).await;
    for user in 1..=8 {
        assert_eq!(server.deliver(&follow(&user.to_string(), at(user))).await.status, 204);
    }
    until_problem(&server, "hook", "answered 502").await;
    let sink = until_state(&server, "hook", "waiting").await;
    assert_eq!(sink["cursor"], 4);
    assert_eq!(deliveries(&server).await.len(), 4);
    until("they are tried again", async || receiver.received().len() >= 8).await;
    // Which is not their fault.
    assert!(deliveries(&server).await.iter().all(|row| row["attempts"] == 1));
    receiver.reply(|_| Reply::Status(200));
    let log = logged_ids(&server).await;
    server.sql("update delivery set next_at = now()").await;
    until("all were delivered", async || {
        deliveries(&server).await.is_empty() && server.json("/sinks/hook").await["cursor"] == 8
    })
    .await;
    let sorted = |ids: Vec<String>| ids.into_iter().sorted().collect::<Vec<_>>();
    assert_eq!(sorted(receiver.ids()), sorted(log));
}

#[tokio::test]
async fn rewound_sink_sends_everything_again_with_the_same_ids() {
    let (server, receiver) = (Server::start().await, Receiver::start(but_cheers).await);
    add(&server, &receiver, json!({})).await;
    for message in [follow("1", at(0)), cheer("2", 100, at(1))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    until("one is set aside", async || deliveries(&server).await.len() == 1).await;
    receiver.reply(|_| Reply::Status(200));
    assert_eq!(server.post_json("/sinks/hook/rewind", &json!({ "after": 0 })).await.status, 204);
    until("both came again", async || receiver.received().len() == 4).await;
    assert!(deliveries(&server).await.is_empty());
    let ids: Vec<_> = receiver.received().iter().map(Received::id).collect();
    assert_eq!(ids[..2], ids[2..]);
}

#[tokio::test]
async fn deliveries_hold_events_until_they_are_given_up_or_forgotten() {
    let (server, receiver) = (Server::start().await, Receiver::start(but_cheers).await);
    add(&server, &receiver, json!({})).await;
    for message in [cheer("5552", 100, at(0)), cheer("3", 100, at(1)), follow("1", at(2)), follow("4", at(3))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    until("two are set aside", async || deliveries(&server).await.len() == 2).await;
    until("the rest has arrived", async || server.json("/sinks/hook").await["cursor"] == 4).await;
    server.until_followed(4).await;
    let mut connection = server.pool.acquire().await.unwrap();
    let before = server.clock.now() + time::Duration::days(1);
    let rule = showtime::store::prune::Rule { kind: None, except: Vec::new(), before };
    let pruned = showtime::store::prune::prune(&mut connection, &rule).await.unwrap();
    assert_eq!((pruned.events, pruned.held_back_by.as_deref()), (0, Some("sink:hook")));
    showtime::store::forget::forget(&mut connection, &"5552".parse().unwrap()).await.unwrap();
    assert_eq!(deliveries(&server).await.len(), 1, "what is left of an event of a forgotten user is not sent");
    server.sql("update delivery set next_at = null").await;
    let pruned = showtime::store::prune::prune(&mut connection, &rule).await.unwrap();
    assert_eq!(pruned.events, 3);
    assert!(deliveries(&server).await.is_empty());
}
