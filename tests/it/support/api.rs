//! The program on a port of its own, with a database of its own.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use showtime::app::App;
use showtime::clock::Clock;
use showtime::config::{Config, Database};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::postgres::fresh_database;

/// The running program. Stops with the test.
pub(crate) struct Api {
    pub(crate) pool: PgPool,
    pub(crate) clock: Clock,
    addr: SocketAddr,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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

    /// The document, which must be a problem with this status and kind.
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

impl Api {
    /// On a fresh, migrated database.
    pub(crate) async fn start() -> Self {
        Self::on(fresh_database().await).await
    }

    /// On this database, whatever there is.
    pub(crate) async fn on(database: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(database.clone());
        let clock = Clock::default();
        let (started, start) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn({
            let clock = clock.clone();
            move || run(database, clock, started, stopped)
        });
        let client = Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0) // an idle connection would keep the server from stopping
            .build()
            .expect("a client");
        let addr = start.await.expect("the program starts");
        Self { pool, clock, addr, client, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Answer {
        let request = self.client.request(method, format!("http://{}{path}", self.addr));
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("the body arrives") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }

    /// The document at a path that must be there.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/json");
        answer.json()
    }

    /// Runs statements that put something into the database.
    pub(crate) async fn sql(&self, statements: &'static str) {
        sqlx::raw_sql(statements).execute(&self.pool).await.expect("the statements run");
    }
}

/// In a runtime of its own, so that it can stop in order when the test's runtime is at its end.
#[tokio::main(flavor = "current_thread")]
async fn run(
    database: PgConnectOptions,
    clock: Clock,
    started: oneshot::Sender<SocketAddr>,
    stopped: oneshot::Receiver<()>,
) {
    let data_dir = TempDir::new().expect("a temporary directory");
    let setting = |name: &str| match name {
        "LISTEN_PORT" => Some("0".to_owned()),
        "TWITCH_WEBHOOK_SECRET" => Some("correct horse battery staple".to_owned()),
        "SHOWTIME_DATA_DIR" => Some(data_dir.path().display().to_string()),
        _ => None,
    };
    let mut config = Config::from_lookup(&setting).expect("valid settings");
    config.database = Database::Given(Box::new(database));
    let app = App::start(&config, clock).await.expect("the program starts");
    started.send(app.addr()).expect("the test waits for it");
    let stopped = async {
        let _ = stopped.await;
    };
    app.run(stopped).await.expect("the program stops in order");
}

impl Drop for Api {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(ended.is_some_and(|ended| ended.is_ok()), "the program failed");
        }
    }
}
