//! A Postgres, a RabbitMQ with one queue for everything, and servers. All stop when they are dropped.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lapin::options::QueuePurgeOptions;
use serde_json::Value;
use showtime::load::mix::Mix;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::rabbit::{Rabbit, Reader};
use super::server::{Database, Server};

/// The queue that gets everything.
pub(crate) const QUEUE: &str = "all";

pub(crate) struct Rig {
    pub(crate) rabbit: Rabbit,
    database: Database,
    program: PathBuf,
}

impl Rig {
    pub(crate) async fn start(program: &Path) -> Self {
        let rabbit = Rabbit::start().await.expect("RabbitMQ");
        rabbit.declare_exchange("showtime").await;
        drop(Reader::open(&rabbit, QUEUE, Some(("showtime", "#"))).await);
        Self { rabbit, database: Database::start().await, program: program.to_owned() }
    }

    /// Connections to the database.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    /// Starts a server with these settings.
    pub(crate) async fn serve(&self, settings: &[(&str, &str)]) -> Server {
        Server::start(&self.program, &self.database, settings).await
    }

    /// Fills the log with so many events more, of the types and sizes of a chat. Returns the id of the last.
    pub(crate) async fn fill(&self, server: &Server, count: i64) -> i64 {
        server.load(Mix::Chat, 200, Duration::ZERO, Duration::from_secs(5), CancellationToken::new()).await;
        sqlx::query(
            "insert into event
                (message_id, message_type, type, version, subscription_id, channel_id, occurred_at, received_at, payload)
            select gen_random_uuid()::text, message_type, type, version, subscription_id, channel_id, now(), clock_timestamp(),
                payload
            from generate_series(0, $1 - 1) number join (
                select row_number() over (order by id) - 1 as place, event.* from event order by id limit 500
            ) sample on place = number % 500
            order by number",
        )
        .bind(count)
        .execute(self.pool())
        .await
        .expect("events");
        sqlx::query("vacuum analyze event").execute(self.pool()).await.expect("a vacuum");
        self.last().await
    }

    /// The id of the last event.
    pub(crate) async fn last(&self) -> i64 {
        let last = sqlx::query_scalar("select coalesce(max(id), 0) from event").fetch_one(self.pool()).await;
        last.expect("the log")
    }

    /// The last event whose place a sink has saved; 0 if there is no such sink.
    pub(crate) async fn cursor(&self, sink: &str) -> i64 {
        let cursor = sqlx::query_scalar("select cursor from follower where name = 'sink:' || $1").bind(sink);
        cursor.fetch_optional(self.pool()).await.expect("the cursor").unwrap_or(0)
    }

    /// Empties a queue.
    pub(crate) async fn purge(&self, queue: &str) {
        let channel = self.rabbit.channel().await;
        channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.expect("it is emptied");
    }

    /// Reads the queue.
    pub(crate) async fn reader(&self) -> Reader {
        Reader::open(&self.rabbit, QUEUE, None).await
    }
}

/// Adds a sink with these fields.
pub(crate) async fn add_sink(server: &Server, name: &str, url: &str, mut sink: Value) {
    (sink["name"], sink["url"]) = (name.into(), url.into());
    let request = server.client.post(server.url("/sinks"));
    let request = request.header("content-type", "application/json").body(sink.to_string());
    Server::send_as(&server.token, request).await;
}

pub(crate) async fn remove_sink(server: &Server, name: &str) {
    Server::send_as(&server.token, server.client.delete(server.url(&format!("/sinks/{name}")))).await;
}
