//! Outages of the database.

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{at, follow};
use crate::support::postgres::fresh_database;
use crate::support::proxy::Proxy;
use crate::support::server::{Server, allow};
use crate::support::until;

/// Delivers a message, again until it is acknowledged.
async fn deliver(server: &Server, user: i64) {
    let message = follow(&user.to_string(), at(user));
    until("it is taken", async || server.deliver(&message).await.status == 204).await;
}

#[tokio::test]
async fn readers_stay_through_an_outage_and_miss_nothing() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    let server = Server::on(proxy.options(&database)).await;
    let direct = Server::on(database).await;
    let mut sse = Sse::open(&server, "/live/events").await;
    let mut socket = Socket::open(&server, "/live/alerts").await;
    for round in 0..3 {
        deliver(&server, round * 2).await;
        proxy.cut();
        // Another replica takes the message that this one can't.
        deliver(&direct, round * 2 + 1).await;
        proxy.mend();
    }
    let users: Vec<_> = sse.take(6).await.iter().map(|told| told.data["payload"]["event"]["user_id"].clone()).collect();
    assert_eq!(users, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(socket.take(6).await.len(), 6);
    server.stop().await;
    direct.stop().await;
}

#[tokio::test]
async fn feed_without_a_database_answers_503() {
    let database = fresh_database().await;
    allow(&database).await;
    let proxy = Proxy::start(&database).await;
    proxy.cut();
    let server = Server::on(proxy.options(&database)).await;
    server.get("/live/events").await.problem(503, "unavailable");
    proxy.mend();
    until("it is ready", async || server.open("/live/events", &[]).await.status() == 200).await;
    let mut sse = Sse::open(&server, "/live/events").await;
    deliver(&server, 1).await;
    assert_eq!(sse.next().await.unwrap().event, "event");
    server.stop().await;
}

#[tokio::test]
async fn feed_answers_503_when_the_database_goes_silent_during_its_queries() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    let server = Server::on(proxy.options(&database)).await;
    deliver(&server, 1).await;
    let _reader = Sse::open(&server, "/live/events").await;
    let silence = proxy.silence_during(&database, "event, channel", 2).await;
    let (last, state, ()) = tokio::join!(server.get("/live/events?last=100"), server.get("/live/state"), silence);
    for answer in [last, state] {
        answer.problem(503, "unavailable");
    }
    proxy.mend();
    until("a feed can be opened", async || server.open("/live/events?last=100", &[]).await.status() == 200).await;
    server.stop().await;
}
