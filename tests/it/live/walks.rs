//! Walks of the log with filters that select little of it.

use crate::support::feeds::{Socket, Sse};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use sqlx::{ConnectOptions as _, PgConnection};

/// More than a walk may read, and than a server holds in memory.
const MANY: i32 = 6_000;

/// Appends events of this type that are no alert.
async fn append(connection: &mut PgConnection, count: i32, kind: &str, event: &str) {
    sqlx::query(
        "insert into event (message_id, message_type, type, version, channel_id, occurred_at, received_at, payload)
        select gen_random_uuid(), 'notification', $2, '1', '2', now(), now(), $3::json from generate_series(1, $1)",
    )
    .bind(count)
    .bind(kind)
    .bind(format!(r#"{{"event":{event}}}"#))
    .execute(connection)
    .await
    .unwrap();
}

const RAID: &str = r#"{"from_broadcaster_user_id":"1","from_broadcaster_user_login":"one","from_broadcaster_user_name":"One",
    "to_broadcaster_user_id":"2","to_broadcaster_user_login":"two","to_broadcaster_user_name":"Two","viewers":9}"#;

/// A walk reads at most 5,000 events, so this one would not reach the raid if it read the follows, too.
#[tokio::test]
async fn rare_alert_is_found_without_reading_those_of_other_types() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    append(&mut connection, 1, "channel.raid", RAID).await;
    append(&mut connection, MANY, "channel.follow", "{}").await;
    let server = Server::on(database).await;
    let mut last = Sse::open(&server, "/live/alerts?last=100&type=raid").await;
    assert_eq!(last.next().await.unwrap().data["viewers"], 9);
    let mut after = Socket::open(&server, "/live/alerts?after=0&type=raid").await;
    assert_eq!(after.next().await.unwrap().data["viewers"], 9);
    server.stop().await;
}

/// The first raid lies further back than a walk reads; the newer one is found.
#[tokio::test]
async fn walk_for_the_last_events_is_bounded() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    append(&mut connection, 1, "channel.raid", RAID).await;
    append(&mut connection, MANY, "channel.raid", "{}").await;
    append(&mut connection, 1, "channel.raid", &RAID.replace(":9}", ":7}")).await;
    append(&mut connection, 4_000, "channel.raid", "{}").await;
    let server = Server::on(database).await;
    let mut feed = Sse::open(&server, "/live/alerts?last=2&type=raid").await;
    assert_eq!(feed.next().await.unwrap().data["viewers"], 7);
    // Catching up has no such limit: it misses nothing.
    let mut all = Sse::open(&server, "/live/alerts?after=0&type=raid").await;
    let viewers: Vec<_> = all.take(2).await.into_iter().map(|told| told.data["viewers"].clone()).collect();
    assert_eq!(viewers, [9, 7]);
    server.stop().await;
}
