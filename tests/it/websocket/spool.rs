//! Messages that the log can't take in time.

use std::fs;
use std::path::Path;
use std::time::Duration;

use showtime::config::EncryptionKey;
use showtime::store::locks::Lock;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::server::{Peer, Sockets, follow};
use super::{CHANNEL, configure, subscribe};
use crate::support::postgres::fresh_database;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::{Unused, until};

const SESSION: &str = "AgoQ1";

/// A database behind a proxy, and what servers on it share.
struct Setup {
    proxy: Proxy,
    database: PgConnectOptions,
    /// Leads to the database without the proxy.
    pool: PgPool,
    data_dir: TempDir,
    key: EncryptionKey,
    sockets: Sockets,
}

impl Setup {
    async fn new() -> Self {
        let database = fresh_database().await;
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(database.clone());
        sqlx::raw_sql(CHANNEL).execute(&pool).await.unwrap();
        let (proxy, sockets) = (Proxy::start(&database).await, Sockets::listen().await);
        let (data_dir, key) = (tempfile::tempdir().unwrap(), EncryptionKey::generate());
        Self { proxy, database, pool, data_dir, key, sockets }
    }

    async fn serve(&self) -> Server {
        let twitch = Unused::new();
        Server::with(self.proxy.options(&self.database), |config| {
            configure(config, &self.sockets, &twitch);
            config.data_dir = self.data_dir.path().to_owned();
            config.encryption_key = Some(self.key.clone());
        })
        .await
    }

    /// Starts a server with a session that is subscribed on.
    async fn serve_live(&mut self) -> (Server, Peer) {
        let server = self.serve().await;
        let peer = self.sockets.welcome(SESSION).await;
        subscribe(&server, SESSION).await;
        (server, peer)
    }

    /// The size of the spool.
    fn spooled(&self) -> u64 {
        let size = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
        let entries = fs::read_dir(self.data_dir.path().join("spool")).into_iter().flatten().flatten();
        entries.map(|entry| size(&entry.path())).sum()
    }

    /// Waits until these messages are in the log, and no others.
    async fn until_logged(&self, sent: &[String]) {
        let mut sent = sent.to_vec();
        sent.sort();
        let log = async || -> Vec<String> {
            let ids = "select message_id from event order by message_id";
            sqlx::query_scalar(ids).fetch_all(&self.pool).await.unwrap()
        };
        until("all messages are in the log", async || log().await.len() >= sent.len()).await;
        assert_eq!(log().await, sent);
    }

    async fn until_drained(&self) {
        until("the spool is empty", async || self.spooled() == 0).await;
    }
}

/// Sends a follow, and returns the id of its message.
async fn send(peer: &mut Peer, user: u32) -> String {
    let frame = follow(SESSION, user);
    peer.send(&frame).await;
    frame["metadata"]["message_id"].as_str().unwrap().to_owned()
}

/// The test holds the append lock, so no commit can happen.
#[tokio::test]
async fn message_is_on_the_disk_before_a_database_that_hangs_has_failed() {
    let mut setup = Setup::new().await;
    let (server, mut peer) = setup.serve_live().await;
    let mut sent = vec![send(&mut peer, 0).await];
    setup.until_logged(&sent).await;
    let mut fastest = Duration::MAX;
    for round in 1..=10 {
        let mut holder = setup.pool.begin().await.unwrap();
        Lock::Append.acquire(&mut holder).await.unwrap();
        let (before, began) = (setup.spooled(), Instant::now());
        sent.push(send(&mut peer, round).await);
        while setup.spooled() <= before {
            assert!(began.elapsed() < Duration::from_secs(60), "it is never spooled");
            sleep(Duration::from_millis(1)).await;
        }
        fastest = fastest.min(began.elapsed());
        holder.rollback().await.unwrap();
        setup.until_logged(&sent).await;
        setup.until_drained().await;
    }
    // Of ten, since this machine may be busy.
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
    let gaps: i64 = sqlx::query_scalar("select count(*) from gap").fetch_one(&setup.pool).await.unwrap();
    assert_eq!(gaps, 0);
    server.stop().await;
}

#[tokio::test]
async fn spool_of_a_server_that_has_ended_is_drained_by_the_next_but_for_those_who_were_forgotten() {
    let mut setup = Setup::new().await;
    let (server, mut peer) = setup.serve_live().await;
    let mut sent = vec![send(&mut peer, 10).await];
    setup.until_logged(&sent).await;
    setup.proxy.cut();
    for user in 11..500 {
        sent.push(send(&mut peer, user).await);
    }
    until("the messages are spooled", async || setup.spooled() > 200_000).await;
    server.stop().await;
    sqlx::raw_sql("insert into forgotten (id, forgotten_at) values ('499', now())").execute(&setup.pool).await.unwrap();
    sent.pop();
    setup.proxy.mend();
    let server = setup.serve().await;
    setup.until_logged(&sent).await;
    setup.until_drained().await;
    server.stop().await;
}
