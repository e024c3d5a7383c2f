//! A TCP proxy in front of the test database, whose connections can be cut.

use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// Forwards connections to Postgres while it is open.
pub(crate) struct Proxy {
    port: u16,
    is_open: Arc<watch::Sender<bool>>,
}

impl Proxy {
    /// Starts a proxy for this database, which listens on a Unix socket.
    pub(crate) async fn start(database: &PgConnectOptions) -> Self {
        let socket = database.get_socket().unwrap().join(format!(".s.PGSQL.{}", database.get_port()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_open, changes) = watch::channel(true);
        let is_open = Arc::new(is_open);
        let kept = is_open.clone();
        tokio::spawn(async move {
            let _kept = kept;
            while let Ok((mut client, _)) = listener.accept().await {
                let (mut changes, socket) = (changes.clone(), socket.clone());
                if !*changes.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut postgres) = UnixStream::connect(&socket).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut postgres) => {}
                        _ = changes.wait_for(|is_open| !is_open) => {}
                    }
                });
            }
        });
        Self { port, is_open }
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
        self.is_open.send_replace(false);
    }

    /// Accepts connections again.
    pub(crate) fn mend(&self) {
        self.is_open.send_replace(true);
    }
}
