//! Connections that end.

use super::server::{Sockets, follow};
use super::{metric, row, serve, serve_live, subscribe, until_events, until_gaps, until_row};
use crate::support::until;

#[tokio::test]
async fn silence_is_noticed_two_seconds_after_a_keepalive_was_due() {
    let mut sockets = Sockets::listen().await;
    let (server, mut peer) = serve_live(&mut sockets).await;
    peer.send(&follow("AgoQ1", 1)).await;
    until_events(&server, 1).await;
    server.clock.advance(time::Duration::milliseconds(11_000));
    assert!(!peer.closes_soon().await, "there may be a keepalive yet");
    server.clock.advance(time::Duration::milliseconds(1_000));
    let mut new = sockets.accept().await;
    assert_eq!(new.path, "/ws?keepalive_timeout_seconds=10");
    new.welcome("AgoQ2").await;
    subscribe(&server, "AgoQ2").await;
    until_gaps(&server, &["keepalive"]).await;
    assert_eq!(row(&server, "ended_reason").await.as_deref(), Some("nothing came, not even a keepalive"));
    assert_eq!(metric(&server, r#"showtime_websocket_reconnects_total{cause="keepalive"}"#).await, 1.0);
    assert!(metric(&server, r#"showtime_gap_seconds_total{cause="keepalive"}"#).await > 0.0);
    server.stop().await;
}

#[tokio::test]
async fn silence_and_spool_are_measured() {
    let mut sockets = Sockets::listen().await;
    let (server, _peer) = serve_live(&mut sockets).await;
    server.clock.advance(time::Duration::seconds(6));
    until("the silence is measured", async || {
        metric(&server, "showtime_websocket_last_message_age_seconds").await >= 6.0
    })
    .await;
    let text = server.get("/metrics").await.text;
    for line in
        ["showtime_websocket_spool_bytes 0", "showtime_websocket_spool_dropped_total 0", "showtime_echoes_total 0"]
    {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_close_code_is_recorded_and_followed_by_a_new_session() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    for code in 4000..=4007 {
        let mut peer = sockets.accept_in_time(&server.clock).await;
        let session = format!("AgoQ{code}");
        peer.welcome(&session).await;
        subscribe(&server, &session).await;
        peer.close(code, "a reason").await;
        until_row(&server, "ended_reason", Some(&format!("{code} a reason"))).await;
    }
    let mut peer = sockets.accept_in_time(&server.clock).await;
    peer.welcome("AgoQ").await;
    until_row(&server, "session_id", Some("AgoQ")).await;
    for code in 4000..=4007 {
        let name = format!(r#"showtime_websocket_reconnects_total{{cause="{code}"}}"#);
        assert_eq!(metric(&server, &name).await, 1.0, "{code}");
    }
    let earlier: i64 =
        sqlx::query_scalar("select count(*) from websocket_earlier_session").fetch_one(&server.pool).await.unwrap();
    assert_eq!(earlier, 8);
    server.stop().await;
}

#[tokio::test]
async fn connection_that_breaks_is_replaced() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    drop(sockets.welcome("AgoQ1").await);
    let mut peer = sockets.accept().await;
    peer.welcome("AgoQ2").await;
    until_row(&server, "session_id", Some("AgoQ2")).await;
    assert_eq!(metric(&server, r#"showtime_websocket_reconnects_total{cause="io"}"#).await, 1.0);
    server.stop().await;
}

#[tokio::test]
async fn status_says_why_there_is_no_session() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    sockets.accept().await.close(4005, "network timeout").await;
    until("the reason is shown", async || {
        let (status, message) = server.check("websocket").await;
        status == "warn" && message.contains("no welcome came: 4005 network timeout")
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn stop_closes_the_connection_and_takes_what_is_under_way() {
    let mut sockets = Sockets::listen().await;
    let database = crate::support::postgres::fresh_database().await;
    let server = super::serve_on(database.clone(), &sockets).await;
    let mut peer = sockets.welcome("AgoQ1").await;
    until_row(&server, "session_id", Some("AgoQ1")).await;
    let pool = server.pool.clone();
    let stopping = tokio::spawn(server.stop());
    assert_eq!(peer.until_closed().await, 1000);
    peer.send_after_close(&[follow("AgoQ1", 1)]).await;
    stopping.await.unwrap();
    let count: i64 = sqlx::query_scalar("select count(*) from event").fetch_one(&pool).await.unwrap();
    let is_released: bool =
        sqlx::query_scalar("select lease_until <= now() from websocket_session").fetch_one(&pool).await.unwrap();
    assert_eq!((count, is_released), (1, true));
}
