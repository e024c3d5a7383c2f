//! A Postgres, and servers on it. All stop when they are dropped.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
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
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET: &str = "the secret of the benches";

/// Time limit for a server to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// A Postgres that only the bench uses, with the settings of a private one.
pub(crate) struct Database {
    pub(crate) pool: PgPool,
    url: String,
    _postgres: LocalPostgres,
    _dir: TempDir,
}

impl Database {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let postgres = LocalPostgres::start(&dir.path().join("data"), Durability::Durable).await.expect("Postgres");
        let options = postgres.connect_options();
        let (user, name) = (options.get_username(), options.get_database().expect("a database"));
        let (socket, port) = (options.get_socket().expect("a socket").display(), options.get_port());
        let url = format!("postgres://{user}:none@localhost/{name}?host={socket}&port={port}");
        let pool = PgPool::connect_with(options.clone()).await.expect("a connection");
        Self { pool, url, _postgres: postgres, _dir: dir }
    }
}

pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// The admin's; empty for all but the first server on a database.
    pub(crate) token: String,
    pub(crate) client: Client,
    _dir: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a server with these settings, and waits until it is ready.
    pub(crate) async fn start(program: &Path, database: &Database, settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(program)
            .env_clear()
            .envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("SHOWTIME_DATA_DIR", dir.path().join("data"))
            .env("DATABASE_URL", &database.url)
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
        let token = std::fs::read_to_string(dir.path().join("data/token")).unwrap_or_default().trim().to_owned();
        let client = Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
        let server = Self { child, addr: addr.expect("it serves"), token, client, _dir: dir };
        let ready = async {
            while server.status("/readyz").await != Some(StatusCode::OK) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(READY_TIMEOUT, ready).await.expect("the server is ready");
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    async fn status(&self, path: &str) -> Option<StatusCode> {
        self.client.get(self.url(path)).send().await.ok().map(|answer| answer.status())
    }

    /// Sends a request as this client, which must succeed. Returns the answer's body.
    pub(crate) async fn send_as(token: &str, request: RequestBuilder) -> String {
        let answer = request.bearer_auth(token).send().await.expect("an answer");
        let status = answer.status();
        let body = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{status}: {body}");
        body
    }

    /// Delivers so many messages per second of this mix.
    pub(crate) async fn load(
        &self,
        mix: Mix,
        rate: u32,
        warm_up: Duration,
        duration: Duration,
        stop: CancellationToken,
    ) -> Report {
        let plan = Plan {
            traffic: Traffic { run: Run::new(), mix },
            callback: own_callback(self.addr).expect("a URL"),
            target: self.addr,
            replicas: Vec::new(),
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
