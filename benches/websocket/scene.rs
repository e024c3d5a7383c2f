//! A fake Twitch, and a server with a private Postgres that is its client.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use showtime::mock::{Faults, Mock, MockConfig};
use showtime::postgres;
use showtime::twitch::subscription_status::SubscriptionStatus;
use sqlx::{PgPool, Row as _};
use tokio::time::{Instant, sleep};

pub(crate) const CHANNEL: &str = "maplearcade";

/// Time limit for events to get into the log.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the fake Twitch is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How many subscriptions are wanted on the channel.
const WANTED: usize = 10;

/// Both stop when this is dropped.
pub(crate) struct Scene {
    pub(crate) twitch: Mock,
    pub(crate) pool: PgPool,
    pub(crate) client: reqwest::Client,
    /// How many events were sent.
    pub(crate) sent: i64,
    /// Where the server serves.
    pub(crate) addr: SocketAddr,
    server: Child,
    programs: Programs,
    /// Where `init` waits for the browser.
    consent_port: u16,
    /// The directory of the server.
    pub(crate) data: tempfile::TempDir,
}

/// Starts programs that know the fake Twitch.
struct Programs {
    server: PathBuf,
    environment: Vec<(&'static str, String)>,
    directory: PathBuf,
}

impl Programs {
    fn command(&self, program: &Path) -> Command {
        let kept = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut command = Command::new(program);
        command.env_clear().envs(kept).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.directory).stdout(Stdio::piped());
        command
    }

    /// Starts the server, and waits until it serves. Returns its address as well.
    fn serve(&self) -> (Child, SocketAddr) {
        let mut server = self.command(&self.server).spawn().expect("the server starts");
        let said = BufReader::new(server.stdout.take().expect("its output"));
        let mut lines = said.lines().map_while(Result::ok);
        let addr = lines.find_map(|line| line.split_once("serves on http://")?.1.trim().parse().ok());
        std::thread::spawn(move || lines.for_each(drop));
        (server, addr.expect("it serves"))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

impl Scene {
    /// Starts both. If the server has a callback, Twitch delivers there, and over WebSockets only if that is chosen.
    pub(crate) async fn start(server: &Path, mut config: MockConfig, has_callback: bool) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let (consent_port, port) = (free_port(), if has_callback { free_port() } else { 0 });
        config.redirect_urls.push(format!("http://localhost:{consent_port}/auth"));
        let twitch = Mock::start(config).await.expect("the fake Twitch starts");
        let config = twitch.world.config();
        let mut environment = vec![
            ("TWITCH_API_URL", twitch.api_url().to_string()),
            ("TWITCH_AUTH_URL", twitch.auth_url().to_string()),
            ("TWITCH_EVENTSUB_WEBSOCKET_URL", twitch.websocket_url().to_string()),
            ("TWITCH_CLIENT_ID", config.client_id.clone()),
            ("TWITCH_CLIENT_SECRET", config.client_secret.clone()),
            ("SHOWTIME_LOG", "error".to_owned()),
            ("LISTEN_PORT", port.to_string()),
        ];
        if has_callback {
            environment.push(("TWITCH_WEBHOOK_CALLBACK_URL", format!("http://127.0.0.1:{port}/callback")));
        }
        if let Some(certificate) = twitch.certificate() {
            let path = data.path().join("certificate.pem");
            std::fs::write(&path, certificate).expect("a file");
            environment.push(("SSL_CERT_FILE", path.display().to_string()));
        }
        let programs = Programs { server: server.to_owned(), environment, directory: data.path().to_owned() };
        let (server, addr) = programs.serve();
        let database = postgres::join(&data.path().join(".showtime")).await.expect("the private Postgres runs");
        let pool = PgPool::connect_with(database).await.expect("a connection");
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
        Self { twitch, pool, client, sent: 0, addr, server, programs, consent_port, data }
    }

    /// Starts both, and has the channel served. Returns how long that took from the start of `init` on.
    pub(crate) async fn set_up(server: &Path) -> (Self, Duration) {
        // New sessions follow each other faster than the rate limit allows.
        let config = MockConfig { rate_limit: 1_000_000, ..MockConfig::default() };
        let scene = Self::start(server, config, false).await;
        let begun = Instant::now();
        scene.init(&[]).await;
        (scene, begun.elapsed())
    }

    /// Runs `init`, and consents as it asks.
    pub(crate) async fn init(&self, arguments: &[&str]) {
        let port = self.consent_port.to_string();
        let mut init = self.programs.command(&self.programs.server.with_file_name("init"));
        let mut init = init.args(["--no-browser", "--port", &port]).args(arguments).spawn().expect("init starts");
        let said = BufReader::new(init.stdout.take().expect("its output"));
        let mut login = CHANNEL.to_owned();
        for line in said.lines().map_while(Result::ok) {
            if let Some(name) = line.strip_prefix("sign in as ").and_then(|line| line.split(' ').next()) {
                login = name.to_lowercase();
            }
            if let Some(url) = line.strip_prefix("  ").filter(|url| url.contains("/authorize?")) {
                self.consent(url, &login).await;
            }
        }
        assert!(init.wait().expect("init ends").success(), "init succeeds");
    }

    /// What a browser does on the page at this address.
    async fn consent(&self, url: &str, login: &str) {
        let mut page: reqwest::Url = url.parse().expect("a URL");
        let mut form: Vec<_> = page.query_pairs().into_owned().collect();
        form.extend([("login", login), ("decision", "consent")].map(|(name, value)| (name.into(), value.into())));
        page.set_query(None);
        self.client.post(page).form(&form).send().await.expect("the consent");
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// `kill -9` of the server.
    pub(crate) fn kill(&mut self) {
        self.server.kill().expect("it is killed");
        self.server.wait().expect("it ends");
    }

    pub(crate) fn restart(&mut self) {
        (self.server, self.addr) = self.programs.serve();
    }

    /// Sends a signal to each process of the private Postgres.
    pub(crate) fn signal_postgres(&self, signal: &str) {
        let file = find(self.data.path(), "postmaster.pid").expect("a running Postgres");
        let text = std::fs::read_to_string(file).expect("a file");
        let main = text.lines().next().expect("a process id").trim().to_owned();
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &main]).output().expect("ps").stdout;
        let children = String::from_utf8_lossy(&children).into_owned();
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(&main).args(children.split_whitespace()).status();
        assert!(sent.expect("kill").success(), "a signal for Postgres");
    }

    /// One more event. Returns whether the server has a subscription to it.
    pub(crate) fn try_cheer(&mut self) -> bool {
        let bits = 1 + u32::try_from(self.sent % 1_000).expect("small");
        let is_sent = self.twitch.world.cheer(CHANNEL, "quietotter", bits).expect("a channel") == 1;
        self.sent += i64::from(is_sent);
        is_sent
    }

    pub(crate) fn cheer(&mut self) {
        assert!(self.try_cheer(), "one subscription gets it");
    }

    /// Rows of cheers, and how many ids of messages they have.
    pub(crate) async fn logged(&self) -> (i64, i64) {
        let counts = "select count(*), count(distinct message_id) from event where type = 'channel.cheer'";
        let row = sqlx::query(counts).fetch_one(&self.pool).await.expect("the counts");
        (row.get(0), row.get(1))
    }

    /// Waits until all that was sent is in the log, or no more comes.
    pub(crate) async fn until_logged(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.logged().await.0 < self.sent && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn set(&self, faults: Faults) {
        self.twitch.world.set_faults(faults).expect("faults");
    }

    pub(crate) async fn control(&self, path: &str, body: &Value) {
        let url = format!("{}/mock/{path}", self.twitch.base_url());
        let answer = self.client.post(url).body(body.to_string()).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    /// Waits until there is a session that is none of these. Returns its id.
    pub(crate) async fn next_session(&self, known: &BTreeSet<String>) -> String {
        loop {
            if let Some(id) = self.twitch.world.sessions().into_iter().find(|id| !known.contains(id)) {
                return id;
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until everything is subscribed to on this session. Returns whether it lives so long.
    pub(crate) async fn is_subscribed(&self, session: &str) -> bool {
        loop {
            let held = self.twitch.world.subscriptions();
            let enabled = held.iter().filter(|held| held.status == SubscriptionStatus::Enabled);
            if enabled.filter(|held| held.transport.session_id() == Some(session)).count() >= WANTED {
                return true;
            }
            if !self.twitch.world.sessions().iter().any(|id| id == session) {
                return false;
            }
            sleep(LOOK).await;
        }
    }
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries
        .filter_map(Result::ok)
        .find_map(|entry| if entry.file_name() == name { Some(entry.path()) } else { find(&entry.path(), name) })
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
