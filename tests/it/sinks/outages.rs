//! Nothing is lost when the broker or a server is killed or stopped.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::rabbit::{Rabbit, Reader, cursor};
use super::{append, assert_complete, server, until_state};
use crate::process::Place;
use crate::support::postgres::{fresh_database, url};
use crate::support::server::Server;
use crate::support::until;

/// Reads until the event with this id has come.
async fn read_to(reader: &mut Reader, last: i64, arrived: &mut Vec<i64>) {
    while !arrived.contains(&last) {
        arrived.push(cursor(&reader.next().await));
    }
}

#[tokio::test]
async fn nothing_is_lost_when_the_broker_is_killed_or_hangs() {
    let Some(mut rabbit) = Rabbit::start().await else { return };
    let server = server(fresh_database().await, &rabbit.url()).await;
    until_state(&server, "amqp", "ok").await;
    let mut arrived = Vec::new();
    drop(Reader::open(&rabbit, "all", Some(("showtime", "#"))).await);
    append(&server.pool, 2_000).await;
    until("some are published", async || server.json("/sinks/amqp").await["cursor"].as_i64() > Some(0)).await;
    rabbit.kill();
    append(&server.pool, 2_000).await;
    until_state(&server, "amqp", "waiting").await;
    rabbit.restart().await;
    until("all were published", async || server.json("/sinks/amqp").await["cursor"] == 4_000).await;
    rabbit.signal(Signal::SIGSTOP);
    append(&server.pool, 1_000).await;
    until_state(&server, "amqp", "waiting").await;
    rabbit.signal(Signal::SIGCONT);
    read_to(&mut Reader::open(&rabbit, "all", None).await, 5_000, &mut arrived).await;
    assert_complete(&server.pool, &arrived).await;
    assert!(arrived.len() <= 5_000 + 2 * 1_512, "{} repeats", arrived.len() - 5_000);
}

#[tokio::test]
async fn killed_server_is_replaced_within_five_seconds() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let database = fresh_database().await;
    let (first, second) = (Place::new(), Place::new());
    let (database_url, broker_url) = (url(&database, "none"), rabbit.url());
    let settings = [("DATABASE_URL", database_url.as_str()), ("SHOWTIME_AMQP_URL", broker_url.as_str())];
    let serving = first.serve(&settings).await;
    let observer = Server::on(database.clone()).await;
    until_state(&observer, "amqp", "ok").await;
    let _standby = second.serve(&settings).await;
    let mut reader = Reader::open(&rabbit, "all", Some(("showtime", "#"))).await;
    let mut arrived = Vec::new();
    append(&observer.pool, 600).await;
    while arrived.len() < 100 {
        arrived.push(cursor(&reader.next().await));
    }
    serving.signal(Signal::SIGKILL);
    append(&observer.pool, 10).await;
    let killed_at = Instant::now();
    read_to(&mut reader, 610, &mut arrived).await;
    let took = killed_at.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_complete(&observer.pool, &arrived).await;
    assert!(arrived.len() <= 610 + 1_512, "{} repeats", arrived.len() - 610);
}
