//! The WebSocket source: sessions, what comes over them, and how they end.

mod ends;
mod frames;
mod leases;
mod moves;
pub(crate) mod server;

use secrecy::SecretString;
use serde_json::Value;
use showtime::config::{Client, Config};
use showtime::twitch::transport::TransportKind;
use sqlx::postgres::PgConnectOptions;

use self::server::Sockets;
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::{Unused, until};

/// A channel whose user has consented. The reconciler can't use this token, so only the test subscribes.
const CHANNEL: &str = "
    insert into served_channel (id, login, display_name, requested_at) values ('90210441', 'maplearcade', 'MapleArcade', now())
    on conflict do nothing;
    insert into token (holder, login, access_token, scopes, obtained_at) values ('90210441', 'maplearcade', '', '{}', now())
    on conflict do nothing;
    select pg_notify('showtime_reconcile', '')";

/// What the reconciler does once all that is wanted is subscribed to.
const SUBSCRIBED: &str = "update websocket_session set subscribed_at = now(); select pg_notify('showtime_session', '')";

fn configure(config: &mut Config, sockets: &Sockets, twitch: &Unused) {
    let nowhere = format!("http://{}", twitch.addr());
    config.twitch.client = Some(Client { id: "id".to_owned(), secret: SecretString::from("secret") });
    config.twitch.api_url = nowhere.parse().unwrap();
    config.twitch.auth_url = nowhere.parse().unwrap();
    config.twitch.websocket_url = sockets.url("/ws");
    config.twitch.transport = Some(TransportKind::Websocket);
}

/// A server that serves one channel over these sockets.
async fn serve_on(database: PgConnectOptions, sockets: &Sockets) -> Server {
    let twitch = Unused::new();
    let server = Server::with(database, |config| configure(config, sockets, &twitch)).await;
    server.sql(CHANNEL).await;
    server
}

async fn serve(sockets: &Sockets) -> Server {
    serve_on(fresh_database().await, sockets).await
}

async fn until_events(server: &Server, count: i64) {
    until("all events are stored", async || server.count_events().await >= count).await;
    assert_eq!(server.count_events().await, count);
}

/// A value of the only session's row, as text.
async fn row(server: &Server, column: &str) -> Option<String> {
    let statement = format!("select {column}::text from websocket_session");
    let row: Option<Option<String>> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_optional(&server.pool).await.unwrap();
    row.flatten()
}

async fn until_row(server: &Server, column: &str, expected: Option<&str>) {
    until(column, async || row(server, column).await.as_deref() == expected).await;
}

/// Waits until a session is subscribed on, as far as the server knows.
async fn until_live(server: &Server) {
    until_state(server, "live").await;
}

async fn until_state(server: &Server, state: &str) {
    let line = format!(r#"showtime_websocket_sessions{{state="{state}"}} 1"#);
    until(state, async || server.get("/metrics").await.text.lines().any(|it| it == line)).await;
}

/// The value of a metric with these labels; 0 if there is none.
async fn metric(server: &Server, name: &str) -> f64 {
    let text = server.get("/metrics").await.text;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}

/// The check `websocket` of `/status`.
async fn check(server: &Server) -> Value {
    let status = server.json("/status").await;
    let checks = status["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == "websocket").unwrap().clone()
}
