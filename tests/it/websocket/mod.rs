//! The WebSocket source: sessions, what comes over them, and how they end.

mod crowd;
mod ends;
mod frames;
mod leases;
mod lenient;
mod moves;
pub(crate) mod server;
mod spool;

use secrecy::SecretString;
use showtime::config::{Client, Config};
use showtime::twitch::transport::TransportKind;
use sqlx::postgres::PgConnectOptions;

use self::server::{Peer, Sockets};
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

/// A server with the session `AgoQ1`, on which all is subscribed to, and the connection.
async fn serve_live(sockets: &mut Sockets) -> (Server, Peer) {
    let server = serve(sockets).await;
    let peer = sockets.welcome("AgoQ1").await;
    subscribe(&server, "AgoQ1").await;
    (server, peer)
}

/// Waits until this session is known, and does what the reconciler does.
async fn subscribe(server: &Server, session: &str) {
    until_row(server, "session_id", Some(session)).await;
    server.sql(SUBSCRIBED).await;
    until_live(server).await;
}

async fn until_events(server: &Server, count: i64) {
    until("all events are stored", async || server.count_events().await >= count).await;
    assert_eq!(server.count_events().await, count);
}

/// Waits until the gaps that are recorded have these causes.
async fn until_gaps(server: &Server, causes: &[&str]) {
    until("the gaps are recorded", async || {
        let recorded: Vec<String> =
            sqlx::query_scalar("select cause from gap order by id").fetch_all(&server.pool).await.unwrap();
        recorded == causes
    })
    .await;
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
