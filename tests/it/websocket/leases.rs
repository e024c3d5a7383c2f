//! Which server keeps a session, and which channels have one.

use sqlx::PgPool;

use super::server::Sockets;
use super::{configure, row, serve, serve_on, subscribe, until_gaps, until_row};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::{Unused, until};

#[tokio::test]
async fn one_of_two_servers_keeps_the_session_and_the_other_takes_over() {
    let mut sockets = Sockets::listen().await;
    let database = fresh_database().await;
    let first = serve_on(database.clone(), &sockets).await;
    let mut peer = sockets.welcome("AgoQ1").await;
    until_row(&first, "session_id", Some("AgoQ1")).await;
    let second = serve_on(database, &sockets).await;
    let holder = row(&first, "holder").await;
    until("the lease is renewed", async || {
        first.clock.advance(time::Duration::SECOND);
        second.clock.advance(time::Duration::SECOND);
        peer.keepalive().await;
        let left: f64 =
            sqlx::query_scalar("select extract(epoch from lease_until - now())::float8 from websocket_session")
                .fetch_one(&first.pool)
                .await
                .unwrap();
        left > 14.5
    })
    .await;
    assert!(sockets.is_empty() && row(&first, "holder").await == holder);
    let stopping = tokio::spawn(first.stop());
    assert_eq!(peer.until_closed().await, 1000);
    drop(peer);
    stopping.await.unwrap();
    let _peer = sockets.welcome("AgoQ2").await;
    until_row(&second, "session_id", Some("AgoQ2")).await;
    assert_ne!(row(&second, "holder").await, holder);
    second.stop().await;
}

#[tokio::test]
async fn session_ends_with_the_consent_and_status_says_who_must_click() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut peer = sockets.welcome("AgoQ1").await;
    subscribe(&server, "AgoQ1").await;
    server.sql("update token set needs_consent = 'revoked'; select pg_notify('showtime_reconcile', '')").await;
    assert_eq!(peer.until_closed().await, 1000);
    until_row(&server, "session_id", None).await;
    let (status, message) = server.check("websocket").await;
    assert_eq!(status, "warn");
    assert!(message.contains("maplearcade has no session, since it has to consent again"), "{message}");
    server.sql("update token set needs_consent = null; select pg_notify('showtime_reconcile', '')").await;
    let _peer = sockets.welcome("AgoQ2").await;
    subscribe(&server, "AgoQ2").await;
    until_gaps(&server, &["restart"]).await;
    server.stop().await;
}

#[tokio::test]
async fn channel_over_webhook_has_no_session() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut peer = sockets.welcome("AgoQ1").await;
    server
        .sql("update served_channel set transport = 'webhook', current_transport = 'webhook'; select pg_notify('showtime_reconcile', '')")
        .await;
    assert_eq!(peer.until_closed().await, 1000);
    until_row(&server, "user_id", None).await;
    assert_eq!(server.check("websocket").await.1, "no channel is served over WebSocket");
    server.stop().await;
}

#[tokio::test]
async fn many_sessions_ask_for_fewer_keepalives() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let first = sockets.accept().await;
    assert_eq!(first.path, "/ws?keepalive_timeout_seconds=10");
    server
        .sql(
            "insert into served_channel (id, login, display_name, requested_at)
            select n::text, 'channel' || n, '', now() from generate_series(1, 200) n;
            insert into token (holder, login, access_token, scopes, obtained_at)
            select n::text, 'channel' || n, '', '{}', now() from generate_series(1, 200) n;
            select pg_notify('showtime_reconcile', '')",
        )
        .await;
    assert_eq!(sockets.accept().await.path, "/ws?keepalive_timeout_seconds=30");
    server.stop().await;
}

#[tokio::test]
async fn session_that_twitch_counts_as_too_many_is_closed_and_comes_back_later() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut peer = sockets.welcome("AgoQ1").await;
    until_row(&server, "session_id", Some("AgoQ1")).await;
    server
        .sql(
            "update websocket_session set problem = 'Twitch refused: number of websocket transports limit exceeded';
            select pg_notify('showtime_session', '')",
        )
        .await;
    assert_eq!(peer.until_closed().await, 1000);
    server.clock.advance(time::Duration::seconds(59));
    assert!(sockets.is_empty());
    let mut peer = sockets.accept_in_time(&server.clock).await;
    peer.welcome("AgoQ2").await;
    until_row(&server, "session_id", Some("AgoQ2")).await;
    server.stop().await;
}

/// The lease of a run that was killed, as the data directory knows it.
#[tokio::test]
async fn restarted_server_does_not_wait_for_the_lease_of_its_killed_run() {
    let mut sockets = Sockets::listen().await;
    let (database, twitch, data_dir) = (fresh_database().await, Unused::new(), tempfile::tempdir().unwrap());
    let pool = PgPool::connect_lazy_with(database.clone());
    sqlx::raw_sql(super::CHANNEL).execute(&pool).await.unwrap();
    let killed = "
        insert into websocket_session (user_id, holder, lease_until, session_id, last_message_at)
        values ('90210441', 7, now() + interval '1 day', 'AgoQ1', now() - interval '3 seconds')";
    sqlx::raw_sql(killed).execute(&pool).await.unwrap();
    std::fs::write(data_dir.path().join("session-holders"), "7\n").unwrap();
    let server = Server::with(database, |config| {
        configure(config, &sockets, &twitch);
        config.data_dir = data_dir.path().to_owned();
    })
    .await;
    let _peer = sockets.welcome("AgoQ2").await;
    until_row(&server, "session_id", Some("AgoQ2")).await;
    let earlier: Vec<String> =
        sqlx::query_scalar("select session_id from websocket_earlier_session").fetch_all(&pool).await.unwrap();
    assert_eq!(earlier, ["AgoQ1"]);
    subscribe(&server, "AgoQ2").await;
    until_gaps(&server, &["restart"]).await;
    server.stop().await;
}
