//! The server is killed, suspended or stopped.

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::{Scene, kill, lasting};
use crate::process::Place;
use crate::support::until;

/// What a killed server may lose, with the time that events need to reach it on a busy machine.
const LOSS: time::Duration = time::Duration::seconds(1);

#[tokio::test]
async fn killed_server_goes_on_at_its_next_start() {
    let (scene, place) = (Scene::start().await, Place::new());
    let mut server = scene.serve_live(&place).await;
    let traffic = scene.traffic();
    let mut kills = Vec::new();
    for _ in 0..3 {
        scene.until_more(50).await;
        kills.push(kill(server).await);
        server = scene.serve(&place).await;
    }
    scene.until_more(50).await;
    traffic.stop().await;
    let outcome = scene.outcome().await;
    assert!(outcome.gaps.len() >= 3 && outcome.gaps.iter().all(|(cause, ..)| cause == "restart"), "{outcome:?}");
    let loss = outcome.missing_before(kills[0]);
    assert!(loss < LOSS, "{loss} {outcome:?}");
    server.stop().await;
}

/// Long enough for Twitch to end the session (its pings are not answered), for the keepalive and for the lease.
#[tokio::test]
async fn suspended_server_goes_on() {
    let (scene, place) = (Scene::start().await, Place::new());
    let server = scene.serve_live(&place).await;
    let traffic = scene.traffic();
    scene.until_more(50).await;
    server.signal(Signal::SIGSTOP);
    sleep(lasting(25, 60)).await;
    server.signal(Signal::SIGCONT);
    scene.until_more(50).await;
    traffic.stop().await;
    let outcome = scene.outcome().await;
    assert!(!outcome.gaps.is_empty(), "{outcome:?}");
    server.stop().await;
}

#[tokio::test]
async fn another_replica_takes_over_from_a_killed_one() {
    let (scene, places) = (Scene::start().await, [Place::new(), Place::new()]);
    let first = scene.serve_live(&places[0]).await;
    let second = scene.serve(&places[1]).await;
    let traffic = scene.traffic();
    scene.until_more(50).await;
    let killed_at = kill(first).await;
    let began = Instant::now();
    scene.until_more(50).await;
    println!("another replica has events {:?} after a kill", began.elapsed());
    traffic.stop().await;
    let outcome = scene.outcome().await;
    let loss = outcome.missing_before(killed_at);
    assert!(loss < LOSS && outcome.gaps.iter().all(|(cause, ..)| cause == "restart"), "{loss} {outcome:?}");
    second.stop().await;
}

/// A suspended replica finds, when it goes on, that another one has its session.
#[tokio::test]
async fn suspended_replica_leaves_its_session_to_the_one_that_took_it() {
    let (scene, places) = (Scene::start().await, [Place::new(), Place::new()]);
    let first = scene.serve_live(&places[0]).await;
    let second = scene.serve(&places[1]).await;
    let traffic = scene.traffic();
    scene.until_more(50).await;
    let holder = scene.holder().await;
    first.signal(Signal::SIGSTOP);
    until("another replica takes over", async || scene.holder().await.is_some_and(|it| Some(it) != holder)).await;
    scene.until_more(20).await;
    first.signal(Signal::SIGCONT);
    scene.until_more(200).await;
    traffic.stop().await;
    scene.outcome().await;
    assert_ne!(scene.holder().await, holder);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn stopped_server_leaves_all_that_it_read_in_the_log() {
    let (scene, place) = (Scene::start().await, Place::new());
    let server = scene.serve_live(&place).await;
    let traffic = scene.traffic();
    scene.until_more(50).await;
    server.stop().await;
    traffic.stop().await;
    let stopped = scene.look().await;
    assert_eq!(stopped.unread, 0, "{stopped:?}");
    let server = scene.serve_live(&place).await;
    let outcome = scene.outcome().await;
    assert!(outcome.gaps.iter().all(|(cause, ..)| cause == "restart"), "{outcome:?}");
    server.stop().await;
}
