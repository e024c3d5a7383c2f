//! Cursors: a reader that comes back misses nothing and gets nothing twice.

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{at, cheer};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;

/// Delivers this many new messages.
async fn deliver(server: &Server, count: i64) {
    for second in 0..count {
        assert_eq!(server.deliver(&cheer(&format!("{second}"), 1, at(second))).await.status, 204);
    }
}

/// Appends this many messages to the log without the server, as another replica would.
async fn append(server: &Server, count: i32, bytes: i32) {
    sqlx::query(
        "with appended as (
            insert into event (message_id, message_type, type, version, channel_id, occurred_at, received_at, payload)
            select gen_random_uuid(), 'notification', 'channel.test', '1', '1', now(), now(),
                json_build_object('event', json_build_object('text', repeat('x', $2)))
            from generate_series(1, $1) returning id
        ) select pg_notify('showtime_event', max(id)::text) from appended",
    )
    .bind(count)
    .bind(bytes)
    .execute(&server.pool)
    .await
    .unwrap();
}

async fn all_ids(server: &Server) -> Vec<i64> {
    sqlx::query_scalar("select id from event order by id").fetch_all(&server.pool).await.unwrap()
}

#[tokio::test]
async fn reader_continues_at_its_cursor_after_a_restart() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    let mut sse = Sse::open(&server, "/live/events").await;
    let mut socket = Socket::open(&server, "/live/events").await;
    deliver(&server, 5).await;
    let mut by_sse = sse.ids(3).await;
    let mut by_socket: Vec<_> = socket.take(5).await.into_iter().map(|told| told.id.unwrap()).collect();
    server.stop().await;
    let server = Server::on(database.clone()).await;
    deliver(&server, 4).await;
    let mut sse = Sse::resume(&server, "/live/events", sse.last_id.filter(|id| *id == by_sse[2])).await;
    let mut socket = Socket::open(&server, &format!("/live/events?after={}", by_socket[4])).await;
    deliver(&server, 3).await;
    by_sse.extend(sse.ids(9).await);
    by_socket.extend(socket.take(7).await.into_iter().map(|told| told.id.unwrap()));
    let all = all_ids(&server).await;
    assert_eq!((by_sse, by_socket), (all.clone(), all));
    server.stop().await;
}

#[tokio::test]
async fn new_reader_gets_a_cursor() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    deliver(&server, 2).await;
    let sse = Sse::open(&server, "/live/alerts").await;
    let newest = all_ids(&server).await[1];
    assert_eq!(sse.last_id, Some(newest));
    server.stop().await;
    let server = Server::on(database).await;
    deliver(&server, 1).await;
    let mut sse = Sse::resume(&server, "/live/alerts", sse.last_id).await;
    assert_eq!(sse.next().await.unwrap().data["user"]["id"], "0");
    server.stop().await;
}

#[tokio::test]
async fn last_event_id_header_wins_over_the_query() {
    let server = Server::start().await;
    deliver(&server, 4).await;
    let all = all_ids(&server).await;
    for path in ["/live/events?after=0", "/live/events?last=4"] {
        let mut sse = Sse::resume(&server, path, Some(all[1])).await;
        assert_eq!(sse.ids(2).await, all[2..]);
    }
    server.stop().await;
}

/// The server holds the last thousands of events in memory; this begins far before them, and more come meanwhile.
#[tokio::test]
async fn events_older_than_the_ring_are_read_from_the_database() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    append(&server, 2_000, 10).await;
    server.stop().await;
    let server = Server::on(database).await;
    let mut sse = Sse::open(&server, "/live/events?after=0").await;
    let mut socket = Socket::open(&server, "/live/events?after=700").await;
    for _ in 0..20 {
        append(&server, 5, 10).await;
    }
    let all = all_ids(&server).await;
    assert_eq!(sse.ids(2_100).await, all);
    let by_socket: Vec<_> = socket.take(1_400).await.into_iter().map(|told| told.id.unwrap()).collect();
    assert_eq!(by_socket, all[700..]);
    server.stop().await;
}

#[tokio::test]
async fn readers_of_every_replica_get_all_events() {
    let database = fresh_database().await;
    let (one, other) = tokio::join!(Server::on(database.clone()), Server::on(database));
    let mut readers = Vec::new();
    for server in [&one, &other] {
        readers.push(Sse::open(server, "/live/events").await);
    }
    for _ in 0..5 {
        deliver(&one, 2).await;
        deliver(&other, 2).await;
    }
    let all = all_ids(&one).await;
    assert_eq!(all.len(), 20);
    for reader in &mut readers {
        assert_eq!(reader.ids(20).await, all);
    }
    // One may be ahead of the other, so a cursor of the one is good for the other at once.
    for _ in 0..10 {
        deliver(&one, 1).await;
        let newest = *all_ids(&one).await.last().unwrap();
        let mut sse = Sse::resume(&other, "/live/events", Some(newest)).await;
        deliver(&one, 1).await;
        let next = sse.next().await.unwrap();
        assert_eq!((next.event.as_str(), next.id), ("event", all_ids(&one).await.last().copied()));
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn unknown_cursor_gets_resync() {
    let server = Server::start().await;
    let mut early = Sse::open(&server, "/live/events").await;
    deliver(&server, 3).await;
    let all = all_ids(&server).await;
    // Now the feed has reached the end of the log.
    assert_eq!(early.ids(3).await, all);
    let mut sse = Sse::resume(&server, "/live/events", Some(all[2] + 5)).await;
    let resync = sse.next().await.unwrap();
    assert_eq!((resync.event.as_str(), resync.id), ("resync", Some(all[2])));
    assert_eq!((&resync.data["oldest"], &resync.data["newest"]), (&all[0].into(), &all[2].into()));
    assert!(resync.data["reason"].as_str().unwrap().contains("ends before"));
    sqlx::query("delete from event where id <= $1").bind(all[1]).execute(&server.pool).await.unwrap();
    // More than the ring holds, in steps that a reader can't fall behind.
    for _ in 0..2 {
        append(&server, 2_100, 1).await;
        early.take(2_100).await;
    }
    // The ring has dropped the earlier events; those behind this cursor are in the database.
    let mut newer = Socket::open(&server, &format!("/live/events?after={}", all[2])).await;
    assert!(newer.take(4_200).await.iter().all(|told| told.event == "event"));
    let mut older = Socket::open(&server, &format!("/live/alerts?after={}", all[0])).await;
    let resync = older.next().await.unwrap();
    assert_eq!((resync.event.as_str(), &resync.data["oldest"]), ("resync", &all[2].into()));
    // The feed continues with new events.
    deliver(&server, 1).await;
    assert_eq!(older.next().await.unwrap().event, "alert");
    assert_eq!(sse.next().await.unwrap().event, "event");
    server.stop().await;
}

#[tokio::test]
async fn readers_start_over_when_the_log_is_emptied() {
    let server = Server::start().await;
    deliver(&server, 3).await;
    let mut sse = Sse::open(&server, "/live/state").await;
    let snapshot = sse.next().await.unwrap();
    assert_eq!(snapshot.data["channels"].as_array().unwrap().len(), 1);
    server.sql("truncate event restart identity").await;
    assert_eq!(sse.next().await, None, "it is disconnected");
    let mut sse = Sse::resume(&server, "/live/state", sse.last_id).await;
    let told = sse.take(2).await;
    assert_eq!((told[0].event.as_str(), told[1].event.as_str()), ("resync", "snapshot"));
    assert_eq!((&told[0].data["oldest"], told[0].id), (&serde_json::Value::Null, Some(0)));
    server.stop().await;
}

/// Appends more than the ring and the buffers of a connection hold.
async fn overwhelm(server: &Server) {
    let mut quick = Sse::open(server, "/live/alerts").await;
    for _ in 0..10 {
        append(server, 420, 10_000).await;
        deliver(server, 1).await;
        assert_eq!(quick.next().await.unwrap().event, "alert", "another reader is not held up");
    }
}

#[tokio::test]
async fn slow_reader_is_disconnected_and_continues_at_its_cursor() {
    let server = Server::start().await;
    let mut slow = Sse::open(&server, "/live/events").await;
    overwhelm(&server).await;
    let all = all_ids(&server).await;
    let mut ids = Vec::new();
    while let Some(told) = slow.next().await {
        ids.push(told.id.unwrap());
    }
    assert!(ids.len() < all.len(), "it was cut off");
    assert!(slow.comments.iter().any(|comment| comment.starts_with("too slow")), "{:?}", slow.comments);
    let mut slow = Sse::resume(&server, "/live/events", slow.last_id).await;
    ids.extend(slow.ids(all.len() - ids.len()).await);
    assert_eq!(ids, all);
    server.stop().await;
}

#[tokio::test]
async fn slow_websocket_gets_the_reason_for_its_end() {
    let server = Server::start().await;
    let mut slow = Socket::open(&server, "/live/events").await;
    overwhelm(&server).await;
    let mut count = 0;
    let reason = loop {
        match slow.next().await {
            Ok(_) => count += 1,
            Err(reason) => break reason.expect("a reason"),
        }
    };
    assert!(count < all_ids(&server).await.len());
    assert_eq!((u16::from(reason.code), reason.reason.starts_with("too slow")), (1013, true));
    server.stop().await;
}
