//! The real `init` as a child process, against the fake Twitch and a server, the browser's part played over HTTP.

mod bot;
mod changes;
mod consent;
mod probe;
mod refusals;
mod secrets;
mod statuses;
mod websocket;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

use reqwest::Client as Browser;
use secrecy::SecretString;
use showtime::config::{Client, EncryptionKey};
use showtime::credentials::tokens::Tokens;
use showtime::credentials::vault::Vault;
use showtime::mock::{MockConfig, Notify};
use showtime::twitch::catalogue::find;
use showtime::twitch::signature::WebhookSecret;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;
use url::Url;

use crate::process::Place;
use crate::support::postgres::{fresh_database, url};
use crate::support::server::{SECRET, Server};
use crate::support::twitch::{CHANNEL, Twitch, redirect};
use crate::support::{PATIENCE, until};

pub(crate) const INIT: &str = env!("CARGO_BIN_EXE_init");

/// The key that encrypts tokens.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// An attempt to subscribe.
const CREATE: &str = "POST /helix/eventsub/subscriptions";

/// The scopes that the ten types need.
const SCOPES: [&str; 3] = ["bits:read", "channel:read:subscriptions", "moderator:read:followers"];

/// A free port outside the range from which the system picks ports.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = 20_000 + (std::process::id() % 97) as u16 * 100;
    loop {
        let port = begin + NEXT.fetch_add(1, Ordering::Relaxed);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A fake Twitch, a database, and a place to run `init` in.
struct Scene {
    twitch: Twitch,
    database: PgConnectOptions,
    place: Place,
    browser: Browser,
    /// Where `init` waits for the browser.
    consent_port: u16,
    /// The port of the server.
    port: u16,
    /// The settings of `init`, and all but the first of the server too.
    settings: BTreeMap<&'static str, String>,
}

/// The exit code of an `init`, and its output.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// Asserts the exit code, and that each of these is a line of the output.
    #[track_caller]
    fn has(&self, code: i32, lines: &[&str]) {
        for line in lines {
            assert!(self.out.lines().any(|said| said == *line), "no line {line:?} in {self:#?}\n{}", self.out);
        }
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
    }

    /// The number of lines that begin like this.
    fn count(&self, begin: &str) -> usize {
        self.out.lines().filter(|line| line.starts_with(begin)).count()
    }
}

impl Scene {
    async fn new() -> Self {
        Self::with(MockConfig::default()).await
    }

    async fn with(mut config: MockConfig) -> Self {
        let (consent_port, port) = (free_port(), free_port());
        config.redirect_urls.push(format!("http://localhost:{consent_port}/auth"));
        let twitch = Twitch::with(config).await;
        let database = fresh_database().await;
        let MockConfig { client_id, client_secret, .. } = twitch.mock.world.config().clone();
        let settings = BTreeMap::from([
            ("DATABASE_URL", url(&database, "")),
            ("LISTEN_PORT", port.to_string()),
            ("SHOWTIME_ENCRYPTION_KEY", KEY.to_owned()),
            ("TWITCH_API_URL", twitch.mock.api_url().to_string()),
            ("TWITCH_AUTH_URL", twitch.mock.auth_url().to_string()),
            ("TWITCH_CLIENT_ID", client_id),
            ("TWITCH_CLIENT_SECRET", client_secret),
            ("TWITCH_EVENTSUB_WEBSOCKET_URL", twitch.mock.websocket_url().to_string()),
            ("TWITCH_WEBHOOK_CALLBACK_URL", format!("http://127.0.0.1:{port}/callback")),
            ("TWITCH_WEBHOOK_SECRET", SECRET.to_owned()),
        ]);
        let browser = Browser::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().unwrap();
        Self { twitch, database, place: Place::new(), browser, consent_port, port, settings }
    }

    /// Starts a server.
    async fn served() -> (Self, Server) {
        let scene = Self::new().await;
        let server = scene.serve().await;
        (scene, server)
    }

    /// Like [`served`](Self::served), without a callback: messages come over the WebSocket.
    async fn served_over_websocket() -> (Self, Server) {
        let mut scene = Self::new().await;
        scene.settings.remove("TWITCH_WEBHOOK_CALLBACK_URL");
        let server = scene.serve().await;
        (scene, server)
    }

    /// Starts the server of the callback, with the settings of `init`.
    async fn serve(&self) -> Server {
        Server::with(self.database.clone(), |config| {
            let setting = |name| self.settings[name].clone();
            let url = |name| Url::parse(&self.settings[name]).unwrap();
            let types = self.settings.get("TWITCH_EVENTSUB_TYPES").map_or("", String::as_str);
            let secret = SecretString::from(setting("TWITCH_CLIENT_SECRET"));
            config.twitch.client = Some(Client { id: setting("TWITCH_CLIENT_ID"), secret });
            config.twitch.api_url = url("TWITCH_API_URL");
            config.twitch.auth_url = url("TWITCH_AUTH_URL");
            config.twitch.callback_url =
                self.settings.get("TWITCH_WEBHOOK_CALLBACK_URL").map(|url| url.parse().unwrap());
            config.twitch.websocket_url = url("TWITCH_EVENTSUB_WEBSOCKET_URL");
            config.twitch.extra_types = types.split_terminator(',').map(|name| find(name, None).unwrap()).collect();
            config.encryption_key = Some(EncryptionKey::new(KEY).unwrap());
            config.twitch.webhook_secret = Some(WebhookSecret::new(&setting("TWITCH_WEBHOOK_SECRET")).unwrap());
            config.listen_port = self.port;
        })
        .await
    }

    /// Stores a consent of the channel.
    async fn grant(&self) {
        let token = self.twitch.consent(&SCOPES).await;
        let user = self.twitch.oauth.validate(&token.access_token).await.unwrap().user.unwrap();
        let vault = Vault::new(&EncryptionKey::new(KEY).unwrap(), String::new());
        let pool = PgPool::connect_lazy_with(self.database.clone());
        let tokens = Tokens::new(pool, vault, self.twitch.oauth.clone(), self.twitch.clock.clone());
        tokens.keep_user(&user, &token).await.unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let port = self.consent_port.to_string();
        self.place.command(INIT, &settings, &[args, &["--no-browser", "--port", &port]].concat())
    }

    /// Runs `init` to its end, without a person at the browser.
    async fn run(&self, args: &[&str]) -> Said {
        let output = timeout(PATIENCE, self.command(args).output()).await.expect("it ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs `init`, and calls the function with each line that it prints.
    async fn watched(&self, args: &[&str], mut see: impl AsyncFnMut(&str)) -> Said {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let err = tokio::spawn(async move {
            let mut err = String::new();
            stderr.read_to_string(&mut err).await.unwrap();
            err
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut out = String::new();
        while let Some(line) = timeout(PATIENCE, lines.next_line()).await.expect("it goes on").unwrap() {
            out += &format!("{line}\n");
            see(&line).await;
        }
        let status = timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
        Said { code: status.code(), out, err: err.await.unwrap() }
    }

    /// Runs `init`, and calls the function with each consent address that it prints and the login that it is for.
    async fn attended(&self, args: &[&str], mut attend: impl AsyncFnMut(&str, &str)) -> Said {
        let mut login = String::new();
        self.watched(args, async |line| {
            if let Some(rest) = line.strip_prefix("sign in as ") {
                login = rest.split(' ').next().unwrap().to_lowercase();
            }
            if line.starts_with("  http") && line.contains("/authorize?") {
                attend(line.trim(), &login).await;
            }
        })
        .await
    }

    /// Runs `init`, and consents as every user who has to.
    async fn consenting(&self, args: &[&str]) -> Said {
        let attend = async |url: &str, login: &str| {
            let (status, page) = self.press("consent", url, login).await;
            assert!(status == 200 && page.contains("Thank you"), "{page}");
        };
        self.attended(args, attend).await
    }

    /// Opens the address, presses a button on the page, and follows the redirect.
    async fn press(&self, button: &str, url: &str, login: &str) -> (u16, String) {
        self.get(self.pressed(button, url, login).await.as_str()).await
    }

    /// Opens the address, presses a button on the page, and returns where Twitch then sends the browser.
    async fn pressed(&self, button: &str, url: &str, login: &str) -> Url {
        let page = self.browser.get(url).send().await.unwrap().text().await.unwrap();
        let mut form = hidden_fields(&page);
        form.extend([("login", login), ("decision", button)].map(|(name, value)| (name.to_owned(), value.to_owned())));
        let target = format!("{}/oauth2/authorize", self.twitch.mock.base_url());
        redirect(&self.browser.post(target).form(&form).send().await.unwrap())
    }

    /// The number of calls of Helix like this.
    fn calls(&self, call: &str) -> usize {
        self.twitch.mock.world.calls(call)
    }

    async fn get(&self, url: &str) -> (u16, String) {
        let answer = self.browser.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// The hidden fields of a form.
pub(crate) fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let inputs = page.split(r#"<input type="hidden" name=""#).skip(1);
    let field = |input: &str| {
        let (name, rest) = input.split_once(r#"" value=""#)?;
        let value = rest.split_once('"')?.0.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        Some((name.to_owned(), value.replace("&amp;", "&")))
    };
    inputs.filter_map(field).collect()
}

#[tokio::test]
async fn one_command_sets_everything_up() {
    let scene = Scene::new().await;
    let server = scene.serve().await;
    let said = scene.consenting(&["--channel", CHANNEL]).await;
    let scopes = SCOPES.join(", ");
    let asked = format!("{CHANNEL} has to consent to: {scopes}");
    let callback = scene.settings["TWITCH_WEBHOOK_CALLBACK_URL"].as_str();
    let proven = format!("the callback {callback} can be reached and knows the secret");
    said.has(0, &[&asked, "maplearcade has consented", &proven, "10 of 10 subscriptions are enabled"]);
    assert_eq!(said.count("  enabled"), 10, "{}", said.out);
    assert_eq!(said.err, "", "nothing went wrong");

    // At once, as the person who reads that will look.
    let status = server.json("/status").await;
    assert_eq!(status["verdict"], "pass", "{status}");
    let wanted = status["wanted"].as_array().unwrap();
    assert!(wanted.len() == 10 && wanted.iter().all(|wanted| wanted["status"] == "enabled"), "{status}");
    assert!(status.to_string().contains("all 10 wanted subscriptions are enabled"), "{status}");

    let stream = scene.twitch.mock.world.go_live(CHANNEL, Notify::Yes).unwrap();
    let channel = async || server.json("/channels").await["data"][0].clone();
    until("the channel is live", async || channel().await["is_live"] == true).await;
    assert_eq!((&channel().await["login"], &channel().await["stream"]["id"]), (&CHANNEL.into(), &stream.into()));

    let again = scene.run(&[]).await;
    again.has(0, &["maplearcade has consented to everything that is needed", "10 of 10 subscriptions are enabled"]);
    again.has(0, &[&proven]);
    assert_eq!(scene.calls(CREATE), 10, "nothing is created again");
    server.stop().await;
}
