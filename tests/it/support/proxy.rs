//! A TCP proxy in front of the test database, whose connections can be cut.

use std::sync::Arc;
use std::time::Instant;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnectOptions;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

use super::postgres::{pool, until_waiting};

/// What a proxy does.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// Forwards connections to Postgres.
    Open,
    /// Keeps them, and forwards nothing.
    Silent,
    /// Forwards those since this time; those from before are silent.
    Replaced(Instant),
    /// Closes them, and refuses new ones.
    Closed,
}

/// Forwards connections to Postgres while it is open.
pub(crate) struct Proxy {
    port: u16,
    mode: Arc<watch::Sender<Mode>>,
}

impl Proxy {
    /// Starts a proxy for this database, which listens on a Unix socket.
    pub(crate) async fn start(database: &PgConnectOptions) -> Self {
        let socket = database.get_socket().unwrap().join(format!(".s.PGSQL.{}", database.get_port()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, changes) = watch::channel(Mode::Open);
        let mode = Arc::new(mode);
        let kept = mode.clone();
        tokio::spawn(async move {
            let _kept = kept;
            while let Ok((mut client, _)) = listener.accept().await {
                let (mut changes, socket) = (changes.clone(), socket.clone());
                if *changes.borrow() == Mode::Closed {
                    continue;
                }
                let accepted_at = Instant::now();
                let is_silent = move |mode: &Mode| match mode {
                    Mode::Open => false,
                    Mode::Replaced(at) => accepted_at < *at,
                    Mode::Silent | Mode::Closed => true,
                };
                tokio::spawn(async move {
                    let Ok(mut postgres) = UnixStream::connect(&socket).await else { return };
                    tokio::select! {
                        biased;
                        _ = changes.wait_for(is_silent) => {}
                        _ = copy_bidirectional(&mut client, &mut postgres) => return,
                    }
                    let _ = changes.wait_for(|mode| matches!(mode, Mode::Open | Mode::Closed)).await;
                });
            }
        });
        Self { port, mode }
    }

    /// Options for connecting to the database through the proxy.
    pub(crate) fn options(&self, database: &PgConnectOptions) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(database.get_username())
            .database(database.get_database().unwrap())
            .ssl_mode(sqlx::postgres::PgSslMode::Disable)
    }

    /// The same as a URL.
    pub(crate) fn url(&self, database: &PgConnectOptions) -> String {
        let (user, name) = (database.get_username(), database.get_database().unwrap());
        format!("postgres://{user}:none@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// Closes all connections and refuses new ones.
    pub(crate) fn cut(&self) {
        self.mode.send_replace(Mode::Closed);
    }

    /// Lets all connections go silent, like a machine that has vanished from the network.
    pub(crate) fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }

    /// Locks these tables, and returns what goes silent once so many queries of the API wait for them. The lock keeps them under way
    /// until then; their own time limit ends them, but Postgres can't say so.
    pub(crate) async fn silence_during(
        &self,
        database: &PgConnectOptions,
        tables: &str,
        queries: i64,
    ) -> impl Future<Output = ()> {
        let direct = pool(database);
        let mut holder = direct.begin().await.unwrap();
        let lock = format!("lock table {tables} in access exclusive mode");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *holder).await.unwrap();
        async move {
            until_waiting(&direct, "showtime api", queries).await;
            self.silence();
            holder.rollback().await.unwrap();
        }
    }

    /// Lets all connections go silent and accepts new ones, like another machine at the same address. Those from before hear
    /// nothing of it.
    pub(crate) fn replace(&self) {
        self.mode.send_replace(Mode::Replaced(Instant::now()));
    }

    /// Accepts connections again. Those that went silent are closed.
    pub(crate) fn mend(&self) {
        self.mode.send_replace(Mode::Open);
    }
}
