//! Pruning the log: old events are deleted, the state stays, and a rebuild finds the same.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use showtime::config::Retention;
use showtime::store::prune::{Pruned, Rule, prune};
use showtime::store::{forget, state};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use time::{Duration, OffsetDateTime};

use crate::fold::history;
use crate::projection::{Witnesses, dump, spawn_writer, submit};
use crate::support::feeds::Sse;
use crate::support::messages::{at, cheer, follow};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::until;

async fn rebuild(connection: &mut PgConnection) -> u64 {
    let mut transaction = connection.begin().await.unwrap();
    let count = state::rebuild(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    count
}

/// Makes the events up to this id forty days old.
async fn age(connection: &mut PgConnection, id: i64) {
    let statement = "update event set received_at = received_at - interval '40 days' where id <= $1";
    sqlx::query(statement).bind(id).execute(connection).await.unwrap();
}

/// Everything that was received more than thirty days ago.
fn old() -> Rule {
    Rule { kind: None, except: Vec::new(), before: now() - Duration::days(30) }
}

fn now() -> OffsetDateTime {
    showtime::clock::Clock::default().now()
}

#[tokio::test]
async fn state_is_the_same_after_pruning_and_a_rebuild() {
    let witnesses = Witnesses::collect().await;
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    for round in 0..12 {
        let history = history(20..=60).new_tree(&mut runner).unwrap().current();
        let messages: Vec<_> = history.iter().map(|message| witnesses.sign(message)).collect();
        let database = fresh_database().await;
        let writers = [spawn_writer(&database)];
        submit(&writers, &messages, 1 + round * 3).await;
        let mut connection = database.connect().await.unwrap();
        let before = dump(&mut connection).await;

        // In two steps, the second of which finds a baseline; between them only chat and cheers.
        let half = i64::try_from(history.len() / 2).unwrap();
        age(&mut connection, half / 2).await;
        let pruned = prune(&mut connection, &old()).await.unwrap();
        assert_eq!(pruned, Pruned { events: u64::try_from(half / 2).unwrap(), held_back_by: None });
        age(&mut connection, half).await;
        let cheers = Rule { kind: Some("channel.cheer".to_owned()), ..old() };
        prune(&mut connection, &cheers).await.unwrap();
        assert_eq!(dump(&mut connection).await, before);
        rebuild(&mut connection).await;
        assert_eq!(dump(&mut connection).await, before, "rebuilt");
        prune(&mut connection, &Rule { except: vec!["channel.raid".to_owned()], ..old() }).await.unwrap();
        let raids = history[..usize::try_from(half).unwrap()].iter().filter(|message| message.kind == "channel.raid");
        let left = u64::try_from(raids.count()).unwrap().min(rebuild(&mut connection).await);
        assert!(left <= history.len() as u64);
        assert_eq!(dump(&mut connection).await, before, "rebuilt without all but the raids");

        // What the baseline knows can be forgotten.
        forget::forget(&mut connection, &"u1".parse().unwrap()).await.unwrap();
        let state = dump(&mut connection).await;
        assert!(!state.iter().any(|row| row.contains("\"u1\"")), "{state:#?}");
        rebuild(&mut connection).await;
        assert_eq!(dump(&mut connection).await, state, "rebuilt without the forgotten one");
    }
}

#[tokio::test]
async fn bits_stay_and_readers_behind_the_pruned_events_start_over() {
    let server = Server::start().await;
    for second in 0..4 {
        assert_eq!(server.deliver(&cheer("5", 100, at(second))).await.status, 204);
    }
    let mut live = Sse::open(&server, "/live/events").await;
    server.until_followed(4).await;
    let mut connection = server.pool.acquire().await.unwrap();
    age(&mut connection, 3).await;
    assert_eq!(prune(&mut connection, &old()).await.unwrap().events, 3);
    assert_eq!(rebuild(&mut connection).await, 1);
    let viewers = server.json("/channels/90210441/viewers").await;
    assert_eq!(viewers["data"][0]["bits"]["total"], 400, "{viewers}");

    for cursor in [1, 2] {
        until("the cursor is refused", async || {
            let told = Sse::resume(&server, "/live/events", Some(cursor)).await.next().await.unwrap();
            told.event == "resync" && told.data["oldest"] == 4
        })
        .await;
    }
    for cursor in [0, 3] {
        let told = Sse::open(&server, &format!("/live/events?after={cursor}")).await.next().await.unwrap();
        assert_eq!((told.event.as_str(), told.id), ("event", Some(4)), "{cursor}");
    }
    // A reader that was there goes on.
    server.deliver(&follow("7", at(5))).await;
    assert_eq!(live.next().await.unwrap().id, Some(5));
}

#[tokio::test]
async fn follower_holds_pruning_back() {
    let server = Server::start().await;
    for second in 0..4 {
        server.deliver(&cheer("5", 100, at(second))).await;
    }
    let mut connection = server.pool.acquire().await.unwrap();
    server.until_followed(4).await;
    age(&mut connection, 4).await;
    server
        .sql("insert into follower (name, cursor, received_at) select 'toy', id, received_at from event where id = 3")
        .await;
    let pruned = prune(&mut connection, &old()).await.unwrap();
    assert_eq!(pruned, Pruned { events: 2, held_back_by: Some("toy".to_owned()) });
    let is_reachable: bool = sqlx::query_scalar("select is_reachable from follower_state where name = 'toy'")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert!(is_reachable);
}

#[tokio::test]
async fn retention_deletes_by_type() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    for message in [cheer("5", 100, at(0)), follow("5", at(1)), cheer("5", 100, at(2)), follow("6", at(3))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    server.until_followed(4).await;
    age(&mut server.pool.acquire().await.unwrap(), 3).await;
    server.stop().await;
    let server = Server::with(database, |config| {
        config.retention = Retention { types: vec![("channel.cheer".to_owned(), 60)], others: Some(30) };
    })
    .await;
    until("the follow is deleted", async || server.count_events().await == 3).await;
    let left: Vec<i64> = sqlx::query_scalar("select id from event order by id").fetch_all(&server.pool).await.unwrap();
    assert_eq!(left, [1, 3, 4]);
    let (verdict, message) = server.check("retention").await;
    assert_eq!(verdict, "pass", "{message}");
}
