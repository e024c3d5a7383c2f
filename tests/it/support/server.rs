//! The whole program on a port of its own, with a database of its own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use showtime::access::TokenHash;
use showtime::app::{App, AppError};
use showtime::clock::Clock;
use showtime::config::{Config, Database};
use showtime::twitch::eventsub::outgoing::Outgoing;
use showtime::twitch::signature::WebhookSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::postgres::fresh_database;
use super::proxy::Proxy;
use super::{PATIENCE, until};

/// The webhook secret of these servers.
pub(crate) const SECRET: &str = "a secret of the tests";

/// An admin token of these servers.
pub(crate) const TOKEN: &str = "showtime_a_token_of_the_tests_0123456789abcdefghijkl";

/// A token of these servers for overlays.
pub(crate) const OVERLAY_TOKEN: &str = "showtime_a_token_for_overlays_0123456789abcdefghijkl";

/// A running server. It ends with the test, and fails it if a part of the program has ended by itself.
pub(crate) struct Server {
    /// Connections to the server's database.
    pub(crate) pool: PgPool,
    /// The server's clock.
    pub(crate) clock: Clock,
    pub(crate) addr: SocketAddr,
    /// Of gRPC, if that is on.
    pub(crate) grpc_addr: Option<SocketAddr>,
    client: Client,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), AppError>>,
    /// Why a part of the program ended by itself.
    failure: Arc<OnceLock<AppError>>,
    _data_dir: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The problem document. Fails the test unless it has this status and kind.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, kind: &str) -> Value {
        let problem = self.json();
        assert_eq!(self.status, status, "{problem}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(problem["type"], format!("urn:showtime:problem:{kind}"), "{problem}");
        assert_eq!(problem["status"], status);
        problem
    }
}

/// The status and the message of a check in this answer of `/status`.
#[track_caller]
pub(crate) fn check<'a>(status: &'a Value, name: &str) -> (&'a str, &'a str) {
    let mut checks = status["checks"].as_array().expect("checks").iter();
    let check = checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}: {status}"));
    (check["status"].as_str().expect("a status"), check["message"].as_str().expect("a message"))
}

/// [`SECRET`] as the server's type.
pub(crate) fn secret() -> WebhookSecret {
    WebhookSecret::new(SECRET).unwrap()
}

/// Sends a request and reads its answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the server answers");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("the body arrives") }
}

/// Adds [`TOKEN`] and [`OVERLAY_TOKEN`] to this database, unless the database is away or not migrated.
pub(crate) async fn allow(database: &PgConnectOptions) {
    let Ok(mut connection) = PgConnection::connect_with(database).await else { return };
    let statement = "insert into access_token (name, scope, hash, created_at)
        values ('tests', 'admin', $1, now()), ('on-air', 'overlay', $2, now()) on conflict (name) do nothing";
    let [admin, overlay] = [TOKEN, OVERLAY_TOKEN].map(TokenHash::new);
    let _ = sqlx::query(statement).bind(admin.as_bytes()).bind(overlay.as_bytes()).execute(&mut connection).await;
}

impl Server {
    /// Starts on a fresh, migrated database.
    pub(crate) async fn start() -> Self {
        Self::on(fresh_database().await).await
    }

    /// Starts on this database.
    pub(crate) async fn on(database: PgConnectOptions) -> Self {
        Self::with(database, |_| {}).await
    }

    /// Starts on this database, with some settings changed.
    pub(crate) async fn with(database: PgConnectOptions, change: impl FnOnce(&mut Config)) -> Self {
        Self::at(Clock::default(), database, change).await
    }

    /// Starts with this clock, on this database, with some settings changed.
    pub(crate) async fn at(clock: Clock, database: PgConnectOptions, change: impl FnOnce(&mut Config)) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut config = Config::from_lookup(&|_| None).unwrap();
        config.listen_port = 0;
        config.database = Database::Given(Box::new(database.clone()));
        config.data_dir = data_dir.path().to_owned();
        config.twitch.webhook_secret = Some(secret());
        // Nothing listens there: a test without a mock of these must not reach Twitch.
        for url in [&mut config.twitch.irc_url, &mut config.twitch.websocket_url] {
            *url = "ws://127.0.0.1:1".parse().unwrap();
        }
        change(&mut config);
        let app = App::start(&config, clock.clone()).await.unwrap_or_else(|error| panic!("{error}"));
        let (addr, grpc_addr) = (app.addr(), app.grpc_addr());
        let (shutdown, failure) = (CancellationToken::new(), Arc::default());
        let running = tokio::spawn(run(app, shutdown.clone(), Arc::clone(&failure)));
        allow(&database).await;
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE).connect_lazy_with(database);
        let token = HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap();
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]))
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            // A kept connection may end at the moment in which a request is sent over it.
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self { pool, clock, addr, grpc_addr, client, shutdown, running, failure, _data_dir: data_dir }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Answer {
        answer(self.client.request(method, self.url(path))).await
    }

    /// Sends a request with another token.
    pub(crate) async fn send_as(&self, token: &str, method: Method, path: &str) -> Answer {
        answer(self.client.request(method, self.url(path)).bearer_auth(token)).await
    }

    /// Sends JSON with another token.
    pub(crate) async fn send_json_as(&self, token: &str, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.client.request(method, self.url(path)).bearer_auth(token);
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// Gets a response without reading its body.
    pub(crate) async fn open(&self, path: &str, headers: &[(&'static str, String)]) -> reqwest::Response {
        let request = self.client.get(self.url(path)).timeout(Duration::from_secs(600));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        request.send().await.expect("the server answers")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }

    /// Gets a path with this header.
    pub(crate) async fn get_with(&self, path: &str, name: &'static str, value: &str) -> Answer {
        answer(self.client.get(self.url(path)).header(name, value)).await
    }

    /// The JSON at this path. Fails the test unless the status is 200.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/json");
        answer.json()
    }

    /// The status and the message of this check in `/status`.
    pub(crate) async fn check(&self, name: &str) -> (String, String) {
        let status = self.json("/status").await;
        let (verdict, message) = check(&status, name);
        (verdict.to_owned(), message.to_owned())
    }

    /// Delivers a message as Twitch would.
    pub(crate) async fn deliver(&self, message: &Outgoing) -> Answer {
        self.post(&message.headers(Some(&message.sign(&secret()))), message.body.clone()).await
    }

    /// Posts these headers and this body to the callback.
    pub(crate) async fn post(&self, headers: &[(&'static str, String)], body: Vec<u8>) -> Answer {
        let request = self.client.post(self.url("/callback")).body(body);
        answer(headers.iter().fold(request, |request, (name, value)| request.header(*name, value))).await
    }

    /// Posts JSON.
    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post_as(path, Some("application/json"), &body.to_string()).await
    }

    /// Posts JSON with this header.
    pub(crate) async fn post_json_with(&self, path: &str, (name, value): (&'static str, &str), body: &Value) -> Answer {
        let request = self.client.post(self.url(path)).header("content-type", "application/json").header(name, value);
        answer(request.body(body.to_string())).await
    }

    /// Changes a resource with JSON.
    pub(crate) async fn patch_json(&self, path: &str, body: &Value) -> Answer {
        answer(self.client.patch(self.url(path)).header("content-type", "application/json").body(body.to_string()))
            .await
    }

    /// Puts a resource with JSON.
    pub(crate) async fn put_json(&self, path: &str, body: &Value) -> Answer {
        answer(self.client.put(self.url(path)).header("content-type", "application/json").body(body.to_string())).await
    }

    /// Posts a body with this content type.
    pub(crate) async fn post_as(&self, path: &str, content_type: Option<&str>, body: &str) -> Answer {
        let request = self.client.post(self.url(path)).body(body.to_owned());
        let request = content_type.into_iter().fold(request, |request, said| request.header("content-type", said));
        answer(request).await
    }

    /// Runs statements on the database.
    pub(crate) async fn sql(&self, statements: &'static str) {
        sqlx::raw_sql(statements).execute(&self.pool).await.expect("the statements run");
    }

    /// Advances the server's clock in steps until the condition holds: one leap could come before the task sleeps.
    pub(crate) async fn advance_until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        until(what, async || {
            self.clock.advance(time::Duration::seconds(20));
            holds().await
        })
        .await;
    }

    /// Waits until the server's own followers have saved that they are behind none of the events up to this one.
    pub(crate) async fn until_followed(&self, id: i64) {
        let statement =
            "select count(*) = 2 from follower where name in ('reactions', 'announcements') and cursor >= $1";
        until("the server's own followers are behind no event", async || {
            sqlx::query_scalar(statement).bind(id).fetch_one(&self.pool).await.unwrap()
        })
        .await;
    }

    /// The number of messages in the log.
    pub(crate) async fn count_events(&self) -> i64 {
        sqlx::query_scalar("select count(*) from event").fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until a part of the program has ended by itself.
    pub(crate) async fn until_failure(&self) {
        until("a part of the program ends", async || self.failure.get().is_some()).await;
    }

    /// Stops in order.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        (&mut self.running).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(error) = self.failure.get()
            && !std::thread::panicking()
        {
            panic!("a part of the program has failed: {error}");
        }
    }
}

/// Runs the program as [`App::run`] does, and keeps why a part of it ended by itself.
async fn run(mut app: App, shutdown: CancellationToken, failure: Arc<OnceLock<AppError>>) -> Result<(), AppError> {
    tokio::select! {
        () = shutdown.cancelled() => {}
        error = app.failure() => failure.set(error).unwrap(),
    }
    app.stop().await
}

/// The server waits for a database whose migration turns out to have been edited.
#[tokio::test]
#[should_panic(expected = "a part of the program has failed: the database can't be migrated")]
async fn test_fails_if_a_part_of_the_program_has_ended() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    proxy.cut();
    let server = Server::on(proxy.options(&database)).await;
    let mut direct = PgConnection::connect_with(&database).await.unwrap();
    sqlx::query("update _sqlx_migrations set checksum = ''").execute(&mut direct).await.unwrap();
    proxy.mend();
    server.until_failure().await;
}
