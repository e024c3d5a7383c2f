//! Nothing is lost, and the order is kept, when the broker, a server or the database is killed, stopped or away.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::append;
use super::stage::Stage;
use crate::process::Place;
use crate::support::proxy::Proxy;
use crate::support::until;

#[tokio::test]
async fn nothing_is_lost_when_the_broker_is_killed_or_hangs() {
    let Some(mut stage) = Stage::set().await else { return };
    let place = Place::new();
    let _serving = stage.serve(&place).await;
    stage.until_state("ok").await;
    append(&stage.pool, 2_000).await;
    stage.read(100).await;
    stage.rabbit.kill();
    append(&stage.pool, 2_000).await;
    stage.until_state("waiting").await;
    stage.rabbit.restart().await;
    stage.read_again().await;
    stage.read_to(4_000).await;
    stage.rabbit.signal(Signal::SIGSTOP);
    append(&stage.pool, 1_000).await;
    stage.until_state("waiting").await;
    stage.rabbit.signal(Signal::SIGCONT);
    stage.read_to(5_000).await;
    stage.assert_complete(2).await;
}

#[tokio::test]
async fn killed_server_goes_on_where_it_was() {
    let Some(mut stage) = Stage::set().await else { return };
    let place = Place::new();
    for kill in 1..=3 {
        let serving = stage.serve(&place).await;
        append(&stage.pool, 3_000).await;
        stage.read(300).await;
        serving.signal(Signal::SIGKILL);
        serving.ended().await;
        assert!(stage.highest < kill * 3_000, "it was killed while it published");
    }
    let _serving = stage.serve(&place).await;
    stage.read_to(9_000).await;
    stage.assert_complete(3).await;
}

#[tokio::test]
async fn killed_server_is_replaced_within_five_seconds() {
    let Some(mut stage) = Stage::set().await else { return };
    let (first, second) = (Place::new(), Place::new());
    let serving = stage.serve(&first).await;
    stage.until_state("ok").await;
    let _standby = stage.serve(&second).await;
    append(&stage.pool, 600).await;
    stage.read(100).await;
    serving.signal(Signal::SIGKILL);
    append(&stage.pool, 10).await;
    let killed_at = Instant::now();
    stage.read_to(610).await;
    let took = killed_at.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    stage.assert_complete(1).await;
}

/// The first server is stopped while it publishes, for longer than its lease lasts, and then goes on.
#[tokio::test]
async fn paused_server_disturbs_no_order() {
    let Some(mut stage) = Stage::set().await else { return };
    let (first, second) = (Place::new(), Place::new());
    let paused = stage.serve(&first).await;
    stage.until_state("ok").await;
    let _standby = stage.serve(&second).await;
    append(&stage.pool, 4_000).await;
    stage.read(300).await;
    paused.signal(Signal::SIGSTOP);
    append(&stage.pool, 4_000).await;
    stage.read_to(5_000).await;
    paused.signal(Signal::SIGCONT);
    stage.read_to(8_000).await;
    append(&stage.pool, 100).await;
    stage.read_to(8_100).await;
    stage.assert_complete(2).await;
}

/// It waits for the confirmations of what is on its way, and leaves the rest to the other server.
#[tokio::test]
async fn stopped_server_repeats_nothing() {
    let Some(mut stage) = Stage::set().await else { return };
    let (first, second) = (Place::new(), Place::new());
    let stopped = stage.serve(&first).await;
    stage.until_state("ok").await;
    let _standby = stage.serve(&second).await;
    append(&stage.pool, 5_000).await;
    stage.read(300).await;
    stopped.stop().await;
    let stopped_at: i64 = sqlx::query_scalar("select cursor from follower join sink on sink.follower = follower.name")
        .fetch_one(&stage.pool)
        .await
        .unwrap();
    assert!(stopped_at < 5_000, "it was stopped while it published");
    stage.read_to(5_000).await;
    stage.assert_complete(0).await;
}

#[tokio::test]
async fn nothing_is_lost_while_the_database_is_away() {
    let Some(mut stage) = Stage::set().await else { return };
    let (place, proxy) = (Place::new(), Proxy::start(&stage.database).await);
    let (database, broker) = (proxy.url(&stage.database), stage.rabbit.url());
    let _serving = place.serve(&[("DATABASE_URL", &database), ("SHOWTIME_AMQP_URL", &broker)]).await;
    stage.until_added().await;
    for away in 1..=2 {
        append(&stage.pool, 3_000).await;
        stage.read(300).await;
        proxy.cut();
        append(&stage.pool, 1_000).await;
        proxy.mend();
        stage.read_to(away * 4_000).await;
    }
    stage.assert_complete(2).await;
}

#[tokio::test]
async fn broker_may_start_after_the_server() {
    let Some(mut stage) = Stage::set().await else { return };
    stage.rabbit.kill();
    let place = Place::new();
    let _serving = stage.serve(&place).await;
    append(&stage.pool, 100).await;
    stage.until_state("waiting").await;
    stage.rabbit.restart().await;
    stage.read_again().await;
    stage.read_to(100).await;
    stage.assert_complete(0).await;
    until("the sink is well again", async || {
        let problem = sqlx::query_scalar::<_, Option<String>>("select problem from sink").fetch_one(&stage.pool).await;
        problem.is_ok_and(|problem| problem.is_none())
    })
    .await;
}
