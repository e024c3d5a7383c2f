//! A Postgres, a RabbitMQ with one queue for everything, and servers. All stop when they are dropped.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lapin::options::QueuePurgeOptions;
use reqwest::Client;
use serde_json::Value;
use showtime::clock::Clock;
use showtime::load::mix::Mix;
use showtime::load::report::Report;
use showtime::load::run::Run;
use showtime::load::traffic::Traffic;
use showtime::load::{self, Plan, Progress};
use showtime::postgres::{Durability, LocalPostgres};
use showtime::simulate::delivery::own_callback;
use showtime::twitch::signature::WebhookSecret;
use sqlx::PgPool;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::rabbit::{Rabbit, Reader};
use super::support::until;

const SECRET: &str = "the secret of the benches";

/// The queue that gets everything.
pub(crate) const QUEUE: &str = "all";

pub(crate) struct Rig {
    pub(crate) rabbit: Rabbit,
    pub(crate) pool: PgPool,
    program: PathBuf,
    database_url: String,
    _postgres: LocalPostgres,
    _dir: TempDir,
}

impl Rig {
    pub(crate) async fn start(program: &Path) -> Self {
        let rabbit = Rabbit::start().await.expect("RabbitMQ");
        rabbit.declare_exchange("showtime").await;
        drop(Reader::open(&rabbit, QUEUE, Some(("showtime", "#"))).await);
        let dir = tempfile::tempdir().expect("a directory");
        let postgres = LocalPostgres::start(&dir.path().join("data"), Durability::Durable).await.expect("Postgres");
        let options = postgres.connect_options();
        let (user, name) = (options.get_username(), options.get_database().expect("a database"));
        let (socket, port) = (options.get_socket().expect("a socket").display(), options.get_port());
        let database_url = format!("postgres://{user}:none@localhost/{name}?host={socket}&port={port}");
        let pool = PgPool::connect_with(options.clone()).await.expect("a connection");
        Self { rabbit, pool, program: program.to_owned(), database_url, _postgres: postgres, _dir: dir }
    }

    /// Starts a server with these settings.
    pub(crate) async fn serve(&self, settings: &[(&str, &str)]) -> Server {
        let dir = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(&self.program)
            .env_clear()
            .envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("SHOWTIME_DATA_DIR", dir.path().join("data"))
            .env("DATABASE_URL", &self.database_url)
            .env("TWITCH_WEBHOOK_SECRET", SECRET)
            .env("LISTEN_PORT", "0")
            .env("SHOWTIME_LOG", "error")
            .envs(settings.iter().copied())
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let said = BufReader::new(child.stdout.take().expect("its output"));
        let mut lines = said.lines().map_while(Result::ok);
        let addr = lines.find_map(|line| line.split_once("serves on http://")?.1.trim().parse().ok());
        std::thread::spawn(move || lines.for_each(drop));
        // Only the first server on a database makes a token.
        let token = std::fs::read_to_string(dir.path().join("data/token")).unwrap_or_default().trim().to_owned();
        let server = Server { child, addr: addr.expect("it serves"), token, client: client(), _dir: dir };
        until("the server is ready", async || server.status("/readyz").await == Some(200)).await;
        server
    }

    /// Fills the log with so many events more, of the types and sizes of a chat. Returns the id of the last.
    pub(crate) async fn fill(&self, server: &Server, count: i64) -> i64 {
        server.load(200, Duration::ZERO, Duration::from_secs(5), CancellationToken::new()).await;
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
        .execute(&self.pool)
        .await
        .expect("events");
        sqlx::query("vacuum analyze event").execute(&self.pool).await.expect("a vacuum");
        self.last().await
    }

    /// The id of the last event.
    pub(crate) async fn last(&self) -> i64 {
        let last = sqlx::query_scalar("select coalesce(max(id), 0) from event").fetch_one(&self.pool).await;
        last.expect("the log")
    }

    /// The last event whose place a sink has saved; 0 if there is no such sink.
    pub(crate) async fn cursor(&self, sink: &str) -> i64 {
        let cursor = sqlx::query_scalar("select cursor from follower where name = 'sink:' || $1").bind(sink);
        cursor.fetch_optional(&self.pool).await.expect("the cursor").unwrap_or(0)
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

pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    token: String,
    client: Client,
    _dir: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Server {
    async fn status(&self, path: &str) -> Option<u16> {
        let answer = self.client.get(format!("http://{}{path}", self.addr)).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }

    async fn send(&self, request: reqwest::RequestBuilder) {
        let answer = request.bearer_auth(&self.token).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    }

    /// Adds a sink with these fields.
    pub(crate) async fn add_sink(&self, name: &str, url: &str, mut sink: Value) {
        (sink["name"], sink["url"]) = (name.into(), url.into());
        let request = self.client.post(format!("http://{}/sinks", self.addr));
        self.send(request.header("content-type", "application/json").body(sink.to_string())).await;
    }

    pub(crate) async fn remove_sink(&self, name: &str) {
        self.send(self.client.delete(format!("http://{}/sinks/{name}", self.addr))).await;
    }

    /// Delivers so many messages per second.
    pub(crate) async fn load(
        &self,
        rate: u32,
        warm_up: Duration,
        duration: Duration,
        stop: CancellationToken,
    ) -> Report {
        let plan = Plan {
            traffic: Traffic { run: Run::new(), mix: Mix::Chat },
            callback: own_callback(self.addr).expect("a URL"),
            target: self.addr,
            secret: WebhookSecret::new(SECRET).expect("a secret"),
            connections: 64,
            rate: NonZeroU32::new(rate),
            warm_up,
            duration,
            flood: 0,
            slow: 0,
        };
        load::run(&plan, Clock::default(), None, Progress::default().into(), stop).await.expect("it runs")
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
    }

    /// Resident memory in bytes (Linux).
    pub(crate) fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Processor time it has taken (Linux).
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = self.proc("stat");
        // After the name in parentheses: state, ten numbers, user time and system time in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    fn proc(&self, file: &str) -> String {
        let path = Path::new("/proc").join(self.child.id().to_string()).join(file);
        std::fs::read_to_string(path).expect("a /proc")
    }
}

fn client() -> Client {
    Client::builder().timeout(Duration::from_secs(10)).build().expect("a client")
}

/// The middle of some values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
