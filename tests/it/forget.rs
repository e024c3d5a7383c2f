//! Forgetting a person or a channel: what they did is gone from the log and the state, and a rebuild finds the same.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use showtime::projection::{Fact, State};
use showtime::store::{forget, state};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::fold::history;
use crate::projection::{Witnesses, dump, spawn_writer, submit};
use crate::support::feeds::Sse;
use crate::support::messages::{CHANNEL, at, cheer, follow, notification, online, with_user};
use crate::support::postgres::{self, fresh_database};
use crate::support::server::Server;
use crate::support::until;

async fn rebuild(connection: &mut PgConnection) {
    let mut transaction = connection.begin().await.unwrap();
    state::rebuild(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Bits and gifts of a channel, those of its viewers included.
async fn sums(connection: &mut PgConnection) -> Vec<(i64, i64)> {
    sqlx::query_as(
        "select (anonymous_bits + (select coalesce(sum(bits), 0) from viewer where channel_id = channel.id))::bigint,
            (anonymous_gifts + (select coalesce(sum(gifts), 0) from viewer where channel_id = channel.id))::bigint
        from channel order by id",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn forgotten_person_is_gone_also_after_a_rebuild_and_the_channels_sums_stay() {
    let witnesses = Witnesses::collect().await;
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    for round in 0..12 {
        let history = history(20..=60).new_tree(&mut runner).unwrap().current();
        let messages: Vec<_> = history.iter().map(|message| witnesses.sign(message)).collect();
        let database = fresh_database().await;
        submit(&[spawn_writer(&database)], &messages, 1 + round * 3).await;

        let mut connection = database.connect().await.unwrap();
        let before = sums(&mut connection).await;
        let emptied = forget::forget(&mut connection, &"u1".parse().unwrap()).await.unwrap();
        let named = history.iter().filter(|message| message.event.to_string().contains("\"u1\"")).count();
        assert_eq!(emptied, named as u64);
        let state = dump(&mut connection).await;
        assert!(!state.iter().any(|row| row.contains("\"u1\"") || row.contains("useru1")), "{state:#?}");
        assert_eq!(sums(&mut connection).await, before);

        // The same as if each message had said nothing about them.
        let facts: Vec<Fact<'_>> = messages.iter().map(|message| Fact::new(0, message)).collect();
        let mut expected = State::from_facts(&facts);
        expected.forget(&"u1".parse().unwrap());
        let viewers = state.iter().filter(|row| row.contains("\"first_followed_at\":")).count();
        assert_eq!(viewers, expected.viewers.len());

        rebuild(&mut connection).await;
        assert_eq!(dump(&mut connection).await, state, "rebuilt");
        let everything = postgres::dump(&database).await;
        let forgotten = everything.split_once("\nforgotten\n").unwrap().1;
        assert_eq!(everything.matches("u1").count(), forgotten.split_once('\n').unwrap().0.matches("u1").count());
    }
}

fn hype_train() -> Value {
    json!({ "id": "h", "total": 300, "top_contributions": [with_user("5", json!({ "type": "bits", "total": 300 }))] })
}

#[tokio::test]
async fn forgotten_events_keep_their_ids_and_are_not_stored_again() {
    let server = Server::start().await;
    let messages = [
        online("1", at(0)),
        cheer("5", 300, at(1)),
        follow("6", at(2)),
        notification("channel.hype_train.end", at(3), hype_train()),
        // The text of another viewer is no id.
        notification("channel.chat.message", at(4), json!({ "chatter_user_id": "6", "message": { "text": "\"5\"" } })),
    ];
    for message in &messages {
        assert_eq!(server.deliver(message).await.status, 204);
    }
    let mut feed = Sse::open(&server, "/live/events?last=5").await;
    feed.take(5).await;
    let mut connection = server.pool.acquire().await.unwrap();
    let known = forget::find(&mut connection, "USER5").await.unwrap().unwrap();
    assert_eq!((known.id.as_str(), known.events, known.is_channel), ("5", 2, false));
    assert_eq!(forget::forget(&mut connection, &known.id).await.unwrap(), 2);
    assert!(forget::find(&mut connection, "5").await.unwrap().is_none());

    for _ in 0..2 {
        let log = server.json("/events").await["data"].clone();
        let log = log.as_array().unwrap();
        let ids: Vec<_> = log.iter().map(|event| event["message_id"].as_str().unwrap()).collect();
        assert_eq!(ids, messages.each_ref().map(|message| message.stamp.message_id.as_str()));
        let emptied: Vec<_> = log.iter().map(|event| event["payload"] == json!({})).collect();
        assert_eq!(emptied, [false, true, false, true, false]);
        for message in &messages {
            assert_eq!(server.deliver(message).await.status, 204, "delivered again");
        }
        let channel = server.json(&format!("/channels/{CHANNEL}")).await;
        assert_eq!((&channel["anonymous_bits"], &channel["is_live"]), (&json!(300), &json!(true)));
        let viewers = server.json(&format!("/channels/{CHANNEL}/viewers")).await;
        assert_eq!(viewers["data"].as_array().unwrap().len(), 1, "{viewers}");
    }
    until("the feeds have forgotten, too", async || {
        let told = Sse::open(&server, "/live/events?last=5").await.take(5).await;
        told.iter().filter(|told| told.data["payload"] == json!({})).count() == 2
    })
    .await;
    // A reader that was there goes on.
    server.deliver(&follow("7", at(5))).await;
    assert_eq!(feed.next().await.unwrap().data["payload"]["event"]["user_id"], "7");
}

#[tokio::test]
async fn chatter_is_found_by_login() {
    let server = Server::start().await;
    let said = json!({ "chatter_user_id": "88", "chatter_user_login": "chatty", "message": { "text": "hi" } });
    server.deliver(&notification("channel.chat.message", at(0), said)).await;
    let mut connection = server.pool.acquire().await.unwrap();
    assert_eq!(forget::find(&mut connection, "Chatty").await.unwrap().unwrap().id.as_str(), "88");
    assert!(forget::find(&mut connection, "hi").await.unwrap().is_none());
}

/// A pooler in transaction mode passes no notification.
#[tokio::test]
async fn feeds_of_a_busy_log_forget_without_a_notification() {
    let server = Server::start().await;
    server.deliver(&cheer("5", 300, at(0))).await;
    let mut reader = Sse::open(&server, "/live/events?type=channel.cheer&last=1").await;
    assert_ne!(reader.next().await.unwrap().data["payload"], json!({}));
    server.sql("update event set payload = '{}'; update log_epoch set revision = revision + 1").await;
    let mut user = 100;
    until("the feeds have forgotten it", async || {
        user += 1;
        assert_eq!(server.deliver(&follow(&user.to_string(), at(1))).await.status, 204);
        let mut feed = Sse::open(&server, "/live/events?type=channel.cheer&last=1").await;
        feed.next().await.unwrap().data["payload"] == json!({})
    })
    .await;
}

#[tokio::test]
async fn forgotten_channel_is_gone_with_its_events() {
    let server = Server::start().await;
    for message in [online("1", at(0)), cheer("5", 300, at(1))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    let mut connection = server.pool.acquire().await.unwrap();
    let known = forget::find(&mut connection, CHANNEL).await.unwrap().unwrap();
    assert!(known.is_channel && !known.is_served);
    assert_eq!(forget::forget(&mut connection, &known.id).await.unwrap(), 2);
    let log = server.json("/events").await;
    assert!(log["data"].as_array().unwrap().iter().all(|event| event["channel_id"].is_null()), "{log}");
    assert_eq!(server.json("/channels").await["data"], json!([]));
    rebuild(&mut connection).await;
    assert_eq!(server.json("/channels").await["data"], json!([]));
    // It can come back.
    server.deliver(&online("2", at(2))).await;
    assert_eq!(server.json("/channels").await["data"][0]["stream"]["id"], "2");
}
