//! The server's end under load, by each signal: no acknowledged message is lost, and no Postgres is left running.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use tokio::io::AsyncReadExt as _;

use super::{Frozen, Place, Settings};
use crate::support::messages::{CHANNEL, at, cheer};
use crate::support::server::{SECRET, secret};
use crate::support::{PATIENCE, until};

const SETTINGS: Settings<'_> = &[("TWITCH_WEBHOOK_SECRET", SECRET)];

/// Acknowledged messages after which the signal is sent.
const ENOUGH: usize = 200;

/// Delivers cheers of one bit, several at a time, until the server is gone. Returns the ids of
/// those that it acknowledged.
async fn load(addr: SocketAddr, acknowledged: &AtomicUsize) -> BTreeSet<String> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let worker = |worker: u32| {
        let client = client.clone();
        async move {
            let mut ids = Vec::new();
            for _ in 0..20_000 {
                let message = cheer(&worker.to_string(), 1, at(0));
                let headers = message.headers(Some(&message.sign(&secret())));
                let request = client.post(format!("http://{addr}/callback")).body(message.body);
                let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
                let Ok(answer) = request.send().await else { return ids };
                assert_eq!(answer.status(), 204);
                acknowledged.fetch_add(1, Ordering::Relaxed);
                ids.push(message.stamp.message_id);
            }
            panic!("the server did not end");
        }
    };
    join_all((1..=8).map(worker)).await.into_iter().flatten().collect()
}

/// Ends a server under load with this signal. Returns the ids of the acknowledged messages, and those in the log after
/// the next start.
async fn end(place: &Place, signal: Signal) -> (BTreeSet<String>, BTreeSet<String>) {
    let server = place.serve(SETTINGS).await;
    let count = AtomicUsize::new(0);
    let loading = load(server.addr, &count);
    let ending = async {
        until("enough messages are acknowledged", async || count.load(Ordering::Relaxed) >= ENOUGH).await;
        server.signal(signal);
        let (status, log) = server.ended().await;
        assert_eq!(status.success(), signal != Signal::SIGKILL, "{status} {log}");
        if signal != Signal::SIGKILL {
            assert_eq!(place.processes(), Vec::<String>::new());
        }
    };
    let (acknowledged, ()) = tokio::join!(loading, ending);

    let server = place.serve(SETTINGS).await;
    let events = server.list("/events").await;
    let viewers = server.list(&format!("/channels/{CHANNEL}/viewers")).await;
    let bits: u64 = viewers.iter().map(|viewer| viewer["bits"]["total"].as_u64().unwrap()).sum();
    assert_eq!(bits, events.len() as u64, "every message counted once");
    server.stop().await;
    (acknowledged, events.iter().map(|event| event["message_id"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn sigterm_answers_what_was_accepted_and_leaves_nothing_running() {
    let (acknowledged, stored) = end(&Place::new(), Signal::SIGTERM).await;
    assert_eq!(acknowledged, stored);
}

#[tokio::test]
async fn sigint_ends_in_the_same_order() {
    let (acknowledged, stored) = end(&Place::new(), Signal::SIGINT).await;
    assert_eq!(acknowledged, stored);
}

#[tokio::test]
async fn sigkill_loses_no_acknowledged_message() {
    let (acknowledged, stored) = end(&Place::new(), Signal::SIGKILL).await;
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test]
async fn connected_client_does_not_delay_the_end() {
    let place = Place::new();
    let server = place.serve(SETTINGS).await;
    let mut idle = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    assert_eq!(server.status("/livez").await, 200, "on a connection that is kept");
    let begun = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0, "it is closed");
    assert!(begun.elapsed() < Duration::from_secs(9), "it waited {:?}", begun.elapsed());
    let (status, log) = server.ended().await;
    assert!(status.success(), "{status} {log}");
}

#[tokio::test]
async fn server_whose_postgres_hangs_ends_in_order() {
    let place = Place::new();
    let server = place.serve(SETTINGS).await;
    assert_eq!(server.simulate(&["channel.follow", "--secret", SECRET]).await.0, Some(0));
    let frozen = Frozen::new(&place);
    let begun = Instant::now();
    server.signal(Signal::SIGTERM);
    let (status, log) = server.ended().await;
    let took = begun.elapsed();
    drop(frozen);
    assert!(status.success(), "{status} {log}");
    assert!(log.contains("the private Postgres hangs; it ends when it wakes"), "{log}");
    assert!(took < Duration::from_secs(20), "it took {took:?}");
    let server = place.serve(SETTINGS).await;
    assert_eq!(server.list("/events").await.len(), 1);
    server.stop().await;
}
