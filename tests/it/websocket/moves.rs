//! Connections that Twitch asks to be replaced.

use super::server::{Sockets, follow};
use super::{metric, row, serve, serve_live, subscribe, until_events, until_gaps, until_row, until_state};

/// How often the connection is replaced under load.
const MOVES: u32 = 100;

#[tokio::test]
async fn requested_reconnects_lose_and_double_nothing() {
    let mut sockets = Sockets::listen().await;
    let (server, mut old) = serve_live(&mut sockets).await;
    let connected_at = row(&server, "connected_at").await;
    assert!(connected_at.is_some());
    let mut users = 0..;
    let mut sent = 0;
    let mut next = || {
        sent += 1;
        follow("AgoQ1", users.next().unwrap())
    };
    for number in 0..MOVES {
        let path = format!("/ws?challenge={number}&id=AgoQ1");
        old.send(&next()).await;
        old.reconnect(sockets.url(&path).as_str()).await;
        old.send(&next()).await;
        let mut new = sockets.accept().await;
        assert_eq!(new.path, path);
        old.send(&next()).await;
        new.welcome("AgoQ1").await;
        new.send(&next()).await;
        assert_eq!(old.until_closed().await, 1000);
        // Sent before the close frame arrived.
        old.send_after_close(&[next(), next()]).await;
        old = new;
    }
    until_events(&server, sent).await;
    assert_eq!(metric(&server, r#"showtime_websocket_reconnects_total{cause="requested"}"#).await, f64::from(MOVES));
    assert_eq!(row(&server, "session_id").await.as_deref(), Some("AgoQ1"));
    assert_eq!(row(&server, "connected_at").await, connected_at, "what moves is no new session");
    let gaps: i64 = sqlx::query_scalar("select count(*) from gap").fetch_one(&server.pool).await.unwrap();
    assert_eq!(gaps, 0);
    server.stop().await;
}

#[tokio::test]
async fn old_connection_is_not_closed_before_the_new_welcome() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut old = sockets.welcome("AgoQ1").await;
    old.reconnect(sockets.url("/ws?challenge=1").as_str()).await;
    let mut new = sockets.accept().await;
    assert!(!old.closes_soon().await);
    until_state(&server, "moving").await;
    old.send(&follow("AgoQ1", 1)).await;
    until_events(&server, 1).await;
    new.welcome("AgoQ1").await;
    assert_eq!(old.until_closed().await, 1000);
    server.stop().await;
}

#[tokio::test]
async fn move_that_fails_is_tried_again_and_the_old_connection_goes_on() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut old = sockets.welcome("AgoQ1").await;
    old.reconnect(sockets.url("/ws?challenge=1").as_str()).await;
    drop(sockets.accept().await);
    old.send(&follow("AgoQ1", 1)).await;
    let mut new = sockets.accept_in_time(&server.clock).await;
    assert_eq!(new.path, "/ws?challenge=1");
    new.welcome("AgoQ1").await;
    assert_eq!(old.until_closed().await, 1000);
    until_events(&server, 1).await;
    server.stop().await;
}

#[tokio::test]
async fn reconnect_url_of_another_host_is_not_dialled() {
    let (mut sockets, stranger) = (Sockets::listen().await, Sockets::listen().await);
    let server = serve(&sockets).await;
    let mut old = sockets.welcome("AgoQ1").await;
    old.reconnect(stranger.url("/ws?challenge=1").as_str()).await;
    let mut new = sockets.accept().await;
    assert_eq!(new.path, "/ws?keepalive_timeout_seconds=10");
    new.welcome("AgoQ2").await;
    assert_eq!(old.until_closed().await, 1000);
    until_row(&server, "session_id", Some("AgoQ2")).await;
    assert!(stranger.is_empty());
    let name = r#"showtime_incidents_total{kind="refused_frame",subject="reconnect_url"}"#;
    assert_eq!(metric(&server, name).await, 1.0);
    server.stop().await;
}

#[tokio::test]
async fn session_with_another_id_after_a_move_is_subscribed_on_again() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let mut old = sockets.welcome("e411cc1e_a2613d4e").await;
    subscribe(&server, "e411cc1e_a2613d4e").await;
    old.reconnect(sockets.url("/ws?reconnect_id=1").as_str()).await;
    let mut new = sockets.welcome("77aa00bb_a2613d4e").await;
    assert_eq!(old.until_closed().await, 1000);
    until_row(&server, "session_id", Some("77aa00bb_a2613d4e")).await;
    assert_eq!(row(&server, "subscribed_at").await, None);
    let earlier: Vec<String> =
        sqlx::query_scalar("select session_id from websocket_earlier_session").fetch_all(&server.pool).await.unwrap();
    assert_eq!(earlier, ["e411cc1e_a2613d4e"]);
    new.send(&follow("77aa00bb_a2613d4e", 1)).await;
    subscribe(&server, "77aa00bb_a2613d4e").await;
    until_gaps(&server, &["requested"]).await;
    until_events(&server, 1).await;
    server.stop().await;
}
