//! Epochs of the log: after a restore, no old id leads to other events.

use std::process::Command;

use showtime::store::epoch;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use crate::support::feeds::Sse;
use crate::support::messages::{at, follow};
use crate::support::postgres::{fresh_database, url};
use crate::support::server::Server;

async fn deliver(server: &Server, seconds: std::ops::Range<i64>) {
    for second in seconds {
        assert_eq!(server.deliver(&follow(&second.to_string(), at(second))).await.status, 204);
    }
}

async fn newest(server: &Server) -> i64 {
    sqlx::query_scalar("select max(id) from event").fetch_one(&server.pool).await.unwrap()
}

/// Puts the database back to what it was after three events, as a restore from a backup does. The sequence goes back, too.
async fn restore(connection: &mut PgConnection) {
    sqlx::raw_sql("delete from event where id > 3; select setval(pg_get_serial_sequence('event', 'id'), 3)")
        .execute(connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn id_that_a_restore_lost_gets_resync_however_much_is_appended() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    deliver(&server, 0..6).await;
    server.stop().await;
    let mut connection = database.connect().await.unwrap();
    restore(&mut connection).await;
    let first = epoch::begin(&mut connection).await.unwrap();
    assert!(first.0 > 1 << 50, "far above");

    let server = Server::on(database.clone()).await;
    deliver(&server, 10..20).await;
    assert_eq!(newest(&server).await, first.0 + 9);
    for lost in [4, 5, 6, first.0 - 1] {
        let told = Sse::resume(&server, "/live/events", Some(lost)).await.next().await.unwrap();
        assert_eq!((told.event.as_str(), told.id), ("resync", Some(first.0 + 9)), "{lost}");
    }
    for (known, next) in [(0, 1), (2, 3), (3, first.0), (first.0, first.0 + 1)] {
        let told = Sse::open(&server, &format!("/live/events?after={known}")).await.next().await.unwrap();
        assert_eq!((told.event.as_str(), told.id), ("event", Some(next)), "{known}");
    }
    // A second restore from the same backup.
    server.stop().await;
    restore(&mut connection).await;
    sqlx::raw_sql("truncate log_gap").execute(&mut connection).await.unwrap();
    sqlx::raw_sql("select pg_sleep(1)").execute(&mut connection).await.unwrap();
    assert!(epoch::begin(&mut connection).await.unwrap() > first);
}

#[tokio::test]
async fn running_servers_readers_start_over_after_a_restore() {
    let server = Server::start().await;
    deliver(&server, 0..6).await;
    let mut live = Sse::open(&server, "/live/events").await;
    let mut connection = server.pool.acquire().await.unwrap();
    restore(&mut connection).await;
    epoch::begin(&mut connection).await.unwrap();
    deliver(&server, 10..12).await;
    while let Some(told) = live.next().await {
        assert_eq!(told.event, "event");
    }
    let told = Sse::resume(&server, "/live/events", Some(5)).await.next().await.unwrap();
    assert_eq!(told.event, "resync");
}

#[tokio::test]
async fn follower_of_a_restored_log_stops() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    epoch::begin(&mut connection).await.unwrap();
    let states = "insert into follower (name, cursor) values ('start', 0), ('lost', 5);
        insert into event (message_id, message_type, occurred_at, received_at, payload) values ('1', 'x', now(), now(), '{}')";
    sqlx::raw_sql(states).execute(&mut connection).await.unwrap();
    let rows: Vec<(String, bool, i64)> =
        sqlx::query_as("select name, is_reachable, events_behind from follower_state order by name")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!((&rows[0].0, rows[0].1), (&"lost".to_owned(), false));
    assert_eq!((&rows[1].0, rows[1].1), (&"start".to_owned(), true));
    assert!(rows[1].2 <= 1, "{rows:?}");
}

/// A new database with what `pg_dump` writes of this one.
async fn dumped_and_restored(database: &PgConnectOptions, name: &str) -> PgConnectOptions {
    let mut connection = database.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
    let restored = database.clone().database(name);
    let script = "pg_dump \"$1\" | psql -q -v ON_ERROR_STOP=1 -d \"$2\" > /dev/null";
    let done =
        Command::new("sh").args(["-c", script, "sh", &url(database, "x"), &url(&restored, "x")]).status().unwrap();
    assert!(done.success(), "{done}");
    restored
}

#[tokio::test]
async fn plain_restore_is_noticed_at_the_start() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    deliver(&server, 0..3).await;
    let restored = dumped_and_restored(&database, "restored").await;
    deliver(&server, 3..6).await;
    server.stop().await;
    // A start on the same database changes nothing.
    let server = Server::on(database).await;
    deliver(&server, 6..7).await;
    assert!(newest(&server).await < 100);
    server.stop().await;

    let server = Server::on(restored).await;
    deliver(&server, 10..20).await;
    assert!(newest(&server).await > 1 << 50);
    let told = Sse::resume(&server, "/live/events", Some(5)).await.next().await.unwrap();
    assert_eq!(told.event, "resync");
    let told = Sse::resume(&server, "/live/events", Some(2)).await.next().await.unwrap();
    assert_eq!((told.event.as_str(), told.id), ("event", Some(3)));
    server.stop().await;
}
