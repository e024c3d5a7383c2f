//! The API on a port of its own, with a database of its own.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use showtime::api::{self, Context};
use showtime::clock::Clock;
use showtime::control::status::Setup;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::postgres::fresh_database;

/// A served API. Stops with the test.
pub(crate) struct Api {
    pub(crate) pool: PgPool,
    pub(crate) clock: Clock,
    base: String,
    client: Client,
    server: ServerHandle,
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
        Self::on(fresh_database().await)
    }

    /// On this database, whatever there is.
    pub(crate) fn on(database: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_millis(500))
            .connect_lazy_with(database);
        let clock = Clock::default();
        let setup = Setup { has_client: false, has_callback_url: false, has_own_secret: true };
        let ctx = web::Data::new(Context { pool: pool.clone(), clock: clock.clone(), setup });
        let server = HttpServer::new(move || App::new().configure(api::configure(ctx.clone())))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("a free port");
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let client = Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self { pool, clock, base, client, server: handle }
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Answer {
        let response =
            self.client.request(method, format!("{}{path}", self.base)).send().await.expect("the server answers");
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

impl Drop for Api {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}
