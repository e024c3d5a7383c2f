//! Notifications of the database, on the way to the tasks that wait for them.

use futures_util::FutureExt as _;
use showtime::store::LogId;
use showtime::store::signals::{Channel, Signals};
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::time::timeout;

use crate::support::postgres::fresh_database;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::{PATIENCE, until};

/// Signals that are connected, so that no wake-up of the connect is still to come.
async fn connected(database: PgConnectOptions) -> Signals {
    let signals = Signals::default();
    let mut reconcile = signals.reconcile();
    tokio::spawn(signals.clone().run(database));
    timeout(PATIENCE, reconcile.notified()).await.expect("the connect wakes");
    signals
}

async fn notify(pool: &PgPool, channel: Channel, payload: &str) {
    channel.notify(&mut pool.acquire().await.unwrap(), payload).await.unwrap();
}

#[tokio::test]
async fn each_channel_wakes_its_own_waiters() {
    let database = fresh_database().await;
    let pool = PgPool::connect_lazy_with(database.clone());
    let signals = connected(database).await;
    let (mut events, mut reconcile) = (signals.events(), signals.reconcile());
    notify(&pool, Channel::Event, "1").await;
    timeout(PATIENCE, events.notified()).await.expect("events wake");
    notify(&pool, Channel::Event, "2").await;
    notify(&pool, Channel::Event, "3").await;
    notify(&pool, Channel::Reconcile, "").await;
    timeout(PATIENCE, reconcile.notified()).await.expect("the reconciler wakes");
    // Notifications arrive in order, so both others were passed on before.
    assert_eq!(events.notified().now_or_never(), Some(()), "two are kept as one");
    assert_eq!(events.notified().now_or_never(), None);
    assert_eq!(reconcile.notified().now_or_never(), None);
}

#[tokio::test]
async fn replays_carry_ids_in_order() {
    let database = fresh_database().await;
    let pool = PgPool::connect_lazy_with(database.clone());
    let signals = connected(database).await;
    let mut replays = signals.replays();
    for payload in ["3", "", "x", "1", "9223372036854775808", "3"] {
        notify(&pool, Channel::Replay, payload).await;
    }
    for id in [3, 1, 3] {
        assert_eq!(timeout(PATIENCE, replays.recv()).await.expect("it arrives"), Ok(LogId(id)));
    }
}

#[tokio::test]
async fn reconnect_wakes_all_waiters() {
    let database = fresh_database().await;
    let direct = PgPool::connect_lazy_with(database.clone());
    let proxy = Proxy::start(&database).await;
    let signals = connected(proxy.options(&database)).await;
    let (mut events, mut reconcile) = (signals.events(), signals.reconcile());
    proxy.cut();
    notify(&direct, Channel::Event, "1").await;
    proxy.mend();
    timeout(PATIENCE, events.notified()).await.expect("the notification was lost, but the reconnect wakes");
    timeout(PATIENCE, reconcile.notified()).await.expect("the reconnect wakes all");
    notify(&direct, Channel::Event, "2").await;
    timeout(PATIENCE, events.notified()).await.expect("notifications arrive again");
}

#[tokio::test]
async fn server_listens_on_one_connection() {
    let server = Server::start().await;
    let listening = "select array_agg(application_name) from pg_stat_activity
        where datname = current_database() and query ilike 'listen %'";
    let mut names: Vec<String> = Vec::new();
    until("it listens", async || {
        names = sqlx::query_scalar::<_, Option<Vec<String>>>(listening)
            .fetch_one(&server.pool)
            .await
            .unwrap()
            .unwrap_or_default();
        !names.is_empty()
    })
    .await;
    assert_eq!(names, ["showtime signals"]);
    server.stop().await;
}
