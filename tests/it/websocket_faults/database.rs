//! The database is away, or does not answer.

use showtime::store::locks::Lock;
use tokio::time::sleep;

use super::{Scene, kill, lasting, spooled};
use crate::process::Place;
use crate::support::until;

/// What a killed server may lose, with the time that events need to reach it on a busy machine.
const LOSS: time::Duration = time::Duration::milliseconds(250);

#[tokio::test]
async fn database_that_was_away_loses_nothing() {
    let (scene, place) = (Scene::start().await, Place::new());
    let server = scene.serve_live(&place).await;
    let traffic = scene.traffic();
    scene.until_more(50).await;
    scene.proxy.cut();
    sleep(lasting(20, 600)).await;
    assert!(spooled(&place) > 100_000);
    scene.proxy.mend();
    scene.until_more(1_000).await;
    traffic.stop().await;
    scene.outcome().await.assert_complete();
    until("the spool is empty", async || spooled(&place) == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn spool_of_a_killed_server_is_drained_by_the_next() {
    let (scene, place) = (Scene::start().await, Place::new());
    let server = scene.serve_live(&place).await;
    let traffic = scene.traffic();
    scene.until_more(50).await;
    scene.proxy.cut();
    until("messages are spooled", async || spooled(&place) > 100_000).await;
    let (logged, killed_at) = (scene.logged().await, kill(server).await);
    let server = scene.serve(&place).await;
    sleep(lasting(2, 300)).await;
    assert_eq!(scene.logged().await, logged);
    scene.proxy.mend();
    scene.until_more(150).await;
    traffic.stop().await;
    let outcome = scene.outcome().await;
    until("the spool is empty", async || spooled(&place) == 0).await;
    let loss = scene.look().await.missing_before(killed_at);
    assert!(loss < LOSS, "{loss} {outcome:?}");
    server.stop().await;
}

/// A test holds the append lock, so no commit ends, and the server does not know of an error for some seconds.
#[tokio::test]
async fn kill_while_the_database_does_not_answer_loses_a_moment() {
    let (scene, place) = (Scene::start().await, Place::new());
    let mut server = scene.serve_live(&place).await;
    let traffic = scene.traffic();
    let mut losses = Vec::new();
    for _ in 0..3 {
        scene.until_more(20).await;
        let mut holder = scene.pool.begin().await.unwrap();
        Lock::Append.acquire(&mut holder).await.unwrap();
        let before = spooled(&place);
        until("messages are spooled", async || spooled(&place) > before + 20_000).await;
        losses.push(kill(server).await);
        holder.rollback().await.unwrap();
        server = scene.serve(&place).await;
    }
    scene.until_more(50).await;
    traffic.stop().await;
    let outcome = scene.outcome().await;
    until("the spool is empty", async || spooled(&place) == 0).await;
    let loss = scene.look().await.missing_before(losses[0]);
    println!("{loss} were lost of {outcome:?}");
    assert!(loss < LOSS, "{loss} {outcome:?}");
    server.stop().await;
}
