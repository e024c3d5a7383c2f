//! A server that is killed between sending an event and recording it.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::receiver::{Receiver, Reply};
use super::{logged_ids, until_state};
use crate::process::Place;
use crate::support::messages::{at, follow};
use crate::support::postgres::{fresh_database, url};
use crate::support::server::Server;
use crate::support::until;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[tokio::test]
async fn killed_server_is_replaced_and_the_event_sent_again_with_its_id() {
    let database = fresh_database().await;
    let (first, second, database_url) = (Place::new(), Place::new(), url(&database, "none"));
    let settings = [("DATABASE_URL", database_url.as_str()), ("SHOWTIME_ENCRYPTION_KEY", KEY)];
    let mut count = 0;
    // The third request has its effect, and its answer does not come.
    let receiver = Receiver::start(move |_| {
        count += 1;
        if count == 3 { Reply::Hang } else { Reply::Status(200) }
    })
    .await;
    let serving = first.serve(&settings).await;
    // It has another key, so it can't run the sink, and only looks on.
    let observer = Server::on(database.clone()).await;
    let hook = receiver.url();
    let added = first.done(&settings, &["sinks", "add", "hook", "--webhook", &hook, "--allow", "127.0.0.0/8"]).await;
    let key = added.split_whitespace().last().unwrap().to_owned();
    until_state(&observer, "hook", "ok").await;
    let _standby = second.serve(&settings).await;
    for user in 1..=6 {
        assert_eq!(observer.deliver(&follow(&user.to_string(), at(user))).await.status, 204);
    }
    until("the third event is on its way", async || receiver.received().len() == 3).await;
    serving.signal(Signal::SIGKILL);
    let killed_at = Instant::now();
    let log = logged_ids(&observer).await;
    until("all have arrived", async || receiver.ids() == log).await;
    let took = killed_at.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    until("the cursor is saved", async || observer.json("/sinks/hook").await["cursor"] == 6).await;
    let received = receiver.received();
    assert_eq!(received.len(), 7, "one event came twice");
    assert_eq!(received[2].id(), received[3].id());
    assert!(received.iter().all(|request| request.is_signed_with(&key)));
}

/// It is stopped in the midst of a hundred events, of which the other server sends the rest.
#[tokio::test]
async fn stopped_server_repeats_nothing() {
    let database = fresh_database().await;
    let (first, second, database_url) = (Place::new(), Place::new(), url(&database, "none"));
    let settings = [("DATABASE_URL", database_url.as_str()), ("SHOWTIME_ENCRYPTION_KEY", KEY)];
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let serving = first.serve(&settings).await;
    let observer = Server::on(database.clone()).await;
    let hook = receiver.url();
    first.done(&settings, &["sinks", "add", "hook", "--webhook", &hook, "--allow", "127.0.0.0/8"]).await;
    until_state(&observer, "hook", "ok").await;
    let _standby = second.serve(&settings).await;
    for user in 1..=100 {
        assert_eq!(observer.deliver(&follow(&user.to_string(), at(user))).await.status, 204);
        if user == 50 {
            serving.signal(Signal::SIGTERM);
        }
    }
    let (status, log) = serving.ended().await;
    assert!(status.success(), "{status} {log}");
    let log = logged_ids(&observer).await;
    until("all have arrived", async || receiver.ids() == log).await;
    assert_eq!(receiver.received().len(), 100, "none came twice");
}
