//! The server as a client of the fake Twitch.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use showtime::clock::Clock;
use showtime::mock::{Mock, MockConfig};
use showtime::postgres;
use sqlx::postgres::PgListener;
use sqlx::{PgPool, Row as _};
use time::OffsetDateTime;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::percentiles;

const CHANNEL: &str = "maplearcade";

/// Time limit for events to get into the log.
const PATIENCE: Duration = Duration::from_secs(60);

/// Events that may be on their way while the throughput is measured. The fake Twitch closes a connection on which 1,024 wait.
const MAX_WAITING: i64 = 768;

/// A fake Twitch, and a server with a private Postgres. Both stop when this is dropped.
struct Scene {
    twitch: Mock,
    server: Child,
    pool: PgPool,
    client: reqwest::Client,
    /// How many events were sent.
    sent: i64,
    _data: tempfile::TempDir,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

pub(crate) async fn run(program: &Path, divisor: u32) {
    let mut scene = Scene::start(program).await;
    scene.reconnects(1_000 / divisor).await;
    scene.throughput(100_000 / divisor).await;
    scene.latency(20_000 / divisor).await;
}

impl Scene {
    /// Starts both, and sets the server up.
    async fn start(program: &Path) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let mut config = MockConfig { auto_consent: Some(CHANNEL.to_owned()), ..MockConfig::default() };
        config.redirect_urls.push(format!("http://localhost:{port}/auth"));
        let twitch = Mock::start(config).await.expect("the fake Twitch starts");
        let command = |program: &Path| {
            let mut command = Command::new(program);
            let kept = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
            command.env_clear().envs(kept).current_dir(data.path()).stdout(Stdio::piped());
            command
                .env("TWITCH_API_URL", twitch.api_url().as_str())
                .env("TWITCH_AUTH_URL", twitch.auth_url().as_str())
                .env("TWITCH_EVENTSUB_WEBSOCKET_URL", twitch.websocket_url().as_str())
                .env("TWITCH_CLIENT_ID", &twitch.world.config().client_id)
                .env("TWITCH_CLIENT_SECRET", &twitch.world.config().client_secret)
                .env("SHOWTIME_LOG", "warn")
                .env("LISTEN_PORT", "0");
            command
        };
        let mut server = command(program).spawn().expect("the server starts");
        let said = BufReader::new(server.stdout.take().expect("its output"));
        let mut lines = said.lines().map_while(Result::ok);
        lines.find(|line| line.contains("serves on")).expect("it serves");
        std::thread::spawn(move || lines.for_each(drop));

        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
        let begun = Instant::now();
        let mut init = command(&program.with_file_name("init"));
        let mut init = init.args(["--no-browser", "--port", &port.to_string()]).spawn().expect("init starts");
        let said = BufReader::new(init.stdout.take().expect("its output"));
        for line in said.lines().map_while(Result::ok) {
            if let Some(url) = line.strip_prefix("  ").filter(|url| url.contains("/authorize?")) {
                client.get(url).send().await.expect("the consent");
            }
        }
        assert!(init.wait().expect("init ends").success(), "init succeeds");
        println!("set-up with `init`: {:.2} s", begun.elapsed().as_secs_f64());

        let database = postgres::join(&data.path().join(".showtime")).await.expect("the private Postgres runs");
        let pool = PgPool::connect_with(database).await.expect("a connection");
        Self { twitch, server, pool, client, sent: 0, _data: data }
    }

    fn cheer(&mut self) {
        let bits = 1 + u32::try_from(self.sent % 1_000).expect("small");
        let sent = self.twitch.world.cheer(CHANNEL, "quietotter", bits).expect("a channel");
        assert_eq!(sent, 1, "one subscription gets it");
        self.sent += 1;
    }

    /// Rows of cheers, and how many ids of messages they have.
    async fn logged(&self) -> (i64, i64) {
        let counts = "select count(*), count(distinct message_id) from event where type = 'channel.cheer'";
        let row = sqlx::query(counts).fetch_one(&self.pool).await.expect("the counts");
        (row.get(0), row.get(1))
    }

    /// Waits until all that was sent is in the log, or no more comes.
    async fn until_logged(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.logged().await.0 < self.sent && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// So many requested reconnects, each when the last one is complete, under 200 events per second.
    async fn reconnects(&mut self, count: u32) {
        let begun = Instant::now();
        let mut tick = interval(Duration::from_millis(5));
        let (mut moved, mut is_moving) = (0, false);
        while moved < count || is_moving {
            tick.tick().await;
            self.cheer();
            is_moving = self.is_moving().await;
            if !is_moving && moved < count {
                let url = format!("{}/mock/websocket/reconnect", self.twitch.base_url());
                let asked = self.client.post(url).body("{}").send().await.expect("an answer");
                assert!(asked.status().is_success(), "{}", asked.status());
                (moved, is_moving) = (moved + 1, true);
            }
        }
        let took = begun.elapsed().as_secs_f64();
        self.until_logged().await;
        let (rows, distinct) = self.logged().await;
        println!(
            "{moved} requested reconnects in {took:.1} s, under {:.0} events/s: {} of {} events lost, {} doubled",
            self.sent as f64 / took,
            self.sent - distinct,
            self.sent,
            rows - distinct
        );
    }

    /// Whether the server still has to follow a request.
    async fn is_moving(&self) -> bool {
        let answer = self.client.get(format!("{}/mock/websocket", self.twitch.base_url())).send().await;
        let listed: serde_json::Value =
            serde_json::from_slice(&answer.expect("an answer").bytes().await.expect("a body")).expect("JSON");
        let session = &listed["sessions"][0];
        session["is_reconnecting"] == true || session["sockets"] != 1
    }

    /// So many events, as fast as the log takes them.
    async fn throughput(&mut self, count: u32) {
        let (first, before, begun) = (self.logged().await.0, self.newest().await, Instant::now());
        let mut written = 0;
        while written < count {
            for _ in 0..256.min(count - written) {
                self.cheer();
                written += 1;
            }
            tokio::task::yield_now().await;
            // Ids have no gaps here.
            while i64::from(written) - (self.newest().await - before) > MAX_WAITING {
                sleep(Duration::from_micros(200)).await;
            }
        }
        self.until_logged().await;
        let (took, logged) = (begun.elapsed().as_secs_f64(), self.logged().await.0 - first);
        println!(
            "one connection: {logged} of {count} events in the log after {took:.2} s, {:.0}/s",
            logged as f64 / took
        );
    }

    /// The newest id of the log.
    async fn newest(&self) -> i64 {
        let newest = sqlx::query_scalar("select coalesce(max(id), 0) from event").fetch_one(&self.pool).await;
        newest.expect("the newest id")
    }

    /// So many events at 1,000 per second: the time from reading one until other connections are notified of its commit.
    async fn latency(&mut self, count: u32) {
        let mut listener = PgListener::connect_with(&self.pool).await.expect("a listener");
        listener.listen("showtime_event").await.expect("it listens");
        let clock = Clock::default();
        let commits = tokio::spawn(async move {
            let mut commits = BTreeMap::new();
            while let Ok(Ok(notification)) = tokio::time::timeout(Duration::from_secs(2), listener.recv()).await {
                let newest: i64 = notification.payload().parse().expect("an id");
                commits.insert(newest, clock.now());
            }
            commits
        });
        let after = self.newest().await;
        let mut tick = interval(Duration::from_millis(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..count {
            tick.tick().await;
            self.cheer();
        }
        self.until_logged().await;
        let commits = commits.await.expect("the listener ends");
        let rows = sqlx::query("select id, received_at from event where id > $1 order by id").bind(after);
        let rows = rows.fetch_all(&self.pool).await.expect("the events");
        let took = |id: i64, received_at: OffsetDateTime| {
            let (_, committed_at) = commits.range(id..).next()?;
            Duration::try_from(*committed_at - received_at).ok()
        };
        let mut times: Vec<_> = rows.iter().filter_map(|row| took(row.get(0), row.get(1))).collect();
        println!("read → committed at 1,000/s, of {} events: {}", times.len(), percentiles(&mut times));
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
