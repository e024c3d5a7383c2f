//! Very many sessions on one server.

use std::collections::VecDeque;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::serve_on;
use super::server::Sockets;
use crate::support::postgres::fresh_database;
use crate::support::until;

const CHANNELS: &str = "
    insert into served_channel (id, login, display_name, requested_at)
    select n::text, 'channel' || n, 'Channel' || n, now() from generate_series(1, 99) n;
    insert into token (holder, login, access_token, scopes, obtained_at)
    select n::text, 'channel' || n, '', '{}', now() from generate_series(1, 99) n";

/// Sessions that connect at the same time.
const AT_ONCE: usize = 32;

#[tokio::test]
async fn many_sessions_connect_a_few_at_a_time() {
    let mut sockets = Sockets::listen().await;
    let database = fresh_database().await;
    let mut connection = PgConnection::connect_with(&database).await.unwrap();
    sqlx::raw_sql(CHANNELS).execute(&mut connection).await.unwrap();
    let server = serve_on(database, &sockets).await;
    let (mut waiting, mut welcomed) = (VecDeque::new(), Vec::new());
    while welcomed.len() < 100 {
        while waiting.len() < AT_ONCE.min(100 - welcomed.len()) {
            waiting.push_back(sockets.accept().await);
        }
        if welcomed.is_empty() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(sockets.is_empty(), "a session connects although {} wait for their welcome", waiting.len());
        let mut peer = waiting.pop_front().unwrap();
        peer.welcome(&format!("AgoQ{}", welcomed.len())).await;
        welcomed.push(peer);
    }
    until("all sessions have begun", async || {
        let begun = "select count(*) from websocket_session where session_id is not null";
        sqlx::query_scalar::<_, i64>(begun).fetch_one(&server.pool).await.unwrap() == 100
    })
    .await;
    server.stop().await;
}
