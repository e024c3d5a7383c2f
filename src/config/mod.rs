//! Every setting: its environment variable, its default, its meaning. Settings are read once, at start, from the
//! environment and `.env`; the environment takes precedence, and an empty value counts as not set.

mod read;
mod retention;
mod secret_file;
mod settings;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use url::Url;

pub use self::read::{AMQP_URL_FORM, ConfigError, SettingError, is_amqp_url};
pub use self::retention::{MAX_DAYS, Retention};
pub use self::secret_file::SecretFileError;
pub use self::settings::{env_example, settings_help};
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::signature::WebhookSecret;
use crate::twitch::transport::TransportKind;

/// The values of all settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to serve on.
    pub bind_addr: IpAddr,
    /// The port to serve on; 0 lets the system choose.
    pub listen_port: u16,
    /// The Postgres that keeps the events.
    pub database: Database,
    /// Whether the server applies migrations at start.
    pub migrate: bool,
    /// The directory of the private Postgres and of generated secrets.
    pub data_dir: PathBuf,
    /// The Twitch application and its channel.
    pub twitch: Twitch,
    /// Where other services than Twitch tell their emotes: no setting, but tests have others.
    pub emotes: EmoteUrls,
    /// Tracking for Discord bots.
    pub tracking: Tracking,
    /// The port of tracking over gRPC, which is off without it.
    pub grpc_port: Option<u16>,
    /// The key that encrypts tokens in the database; without it the server makes one.
    pub encryption_key: Option<EncryptionKey>,
    /// The broker to which every event is published, by a sink that this alone makes.
    pub amqp_url: Option<SecretString>,
    /// The public address of the servers, without a trailing slash.
    pub public_url: Option<Url>,
    /// The origins of web pages that may read the API; `*` alone for all.
    pub cors_origins: Vec<String>,
    /// How long events are kept.
    pub retention: Retention,
    /// The log's level, or `tracing` filter directives.
    pub log: String,
    /// The log's format.
    pub log_format: LogFormat,
}

/// Which Postgres to use.
#[derive(Clone)]
pub enum Database {
    /// A private one in the data directory, which the server starts.
    Private,
    /// One that `DATABASE_URL` or the `PG*` variables name.
    Given(Box<PgConnectOptions>),
}

/// `PgConnectOptions` would show its password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => f.write_str("Private"),
            Self::Given(options) => write!(f, "Given({})", describe_database(options)),
        }
    }
}

/// Where this database is, and as which user it is used, for error texts. Never the password.
#[must_use]
pub fn describe_database(database: &PgConnectOptions) -> String {
    let (port, user) = (database.get_port(), database.get_username());
    let host = match database.get_socket() {
        Some(directory) => directory.display().to_string(),
        None => database.get_host().to_owned(),
    };
    format!("host {host}, port {port}, user {user}, database {}", database.get_database().unwrap_or(user))
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Human,
    /// One JSON object per line.
    Json,
}

/// The Twitch application and its channel.
#[derive(Clone, Debug)]
pub struct Twitch {
    /// The login of the channel to serve.
    pub channel_name: Option<String>,
    /// The application's id and secret; both or neither.
    pub client: Option<Client>,
    /// The transport of channels that have none of their own; `None` to choose by `callback_url`.
    pub transport: Option<TransportKind>,
    /// The public address of our `/callback`.
    pub callback_url: Option<Url>,
    /// Twitch's WebSocket server.
    pub websocket_url: Url,
    /// Twitch's chat server, over a WebSocket.
    pub irc_url: Url,
    /// Twitch's API, without a trailing slash.
    pub api_url: Url,
    /// Twitch's login server, without a trailing slash.
    pub auth_url: Url,
    /// Subscription types to have beside the default ones, in the newest version that is offered.
    pub extra_types: Vec<&'static SubscriptionType>,
    /// The secret that Twitch signs messages with; without it the server makes one.
    pub webhook_secret: Option<WebhookSecret>,
    /// The secret before that one, still accepted while subscriptions move to the new one.
    pub previous_webhook_secret: Option<WebhookSecret>,
}

impl Twitch {
    /// The transport of channels that have none of their own: webhooks if Twitch can reach this server, else the WebSocket.
    #[must_use]
    pub fn transport(&self) -> TransportKind {
        let chosen = if self.callback_url.is_some() { TransportKind::Webhook } else { TransportKind::Websocket };
        self.transport.unwrap_or(chosen)
    }

    /// Whether the server serves channels of the real Twitch, so that what is made up must not change their state.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.client.is_some() && self.api_url.host_str() == Some("api.twitch.tv")
    }

    /// Whether the chat server is of the same Twitch as the API: both of the real one, or none.
    #[must_use]
    pub fn has_own_chat(&self) -> bool {
        is_twitchs(&self.irc_url) == is_twitchs(&self.api_url)
    }

    /// Whether the WebSocket server is of the same Twitch as the API: a session of one is unknown to another.
    #[must_use]
    pub fn has_own_websocket(&self) -> bool {
        is_twitchs(&self.websocket_url) == is_twitchs(&self.api_url)
    }
}

fn is_twitchs(url: &Url) -> bool {
    url.domain().is_some_and(|name| name.ends_with(".twitch.tv"))
}

/// Tracking for Discord bots.
#[derive(Clone, Debug)]
pub struct Tracking {
    /// Discord's API, without a trailing slash.
    pub discord_url: Url,
    /// The most requests per second to it; 0 for any number.
    pub discord_rate: u32,
    /// How long a token of a bot is valid.
    pub token_ttl: Duration,
}

/// The addresses of the APIs of services with emotes, without a trailing slash.
#[derive(Clone, Debug)]
pub struct EmoteUrls {
    /// [7TV's](https://7tv.io/docs).
    pub seven_tv: String,
    /// [BetterTTV's](https://betterttv.com/developers/api).
    pub better_ttv: String,
    /// [FrankerFaceZ's](https://api.frankerfacez.com/docs/).
    pub franker_face_z: String,
}

impl Default for EmoteUrls {
    fn default() -> Self {
        Self {
            seven_tv: "https://7tv.io/v3".to_owned(),
            better_ttv: "https://api.betterttv.net/3".to_owned(),
            franker_face_z: "https://api.frankerfacez.com/v1".to_owned(),
        }
    }
}

/// A key of 256 bits, as 64 hex digits.
#[derive(Clone, Debug)]
pub struct EncryptionKey(SecretString);

impl EncryptionKey {
    /// Checks that these are 64 hex digits.
    ///
    /// # Errors
    /// What a key must be.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let is_key = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if is_key {
            Ok(Self(SecretString::from(text)))
        } else {
            Err("must be 64 hex digits; `openssl rand -hex 32` makes them")
        }
    }

    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(SecretString::from(hex::encode(rand::random::<[u8; 32]>())))
    }
}

impl ExposeSecret<str> for EncryptionKey {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A Twitch application.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client id, which is public.
    pub id: String,
    /// The client secret.
    pub secret: SecretString,
}

/// The value of a variable of the environment or of `.env`, which holds a secret.
#[must_use]
pub fn variable(name: &str) -> Option<SecretString> {
    #[expect(clippy::disallowed_methods, reason = "a sink names the variable that holds its URL")]
    let value = std::env::var(name).ok().or_else(|| read::dotenv().ok()?.remove(name));
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).map(SecretString::from)
}

/// A warning for each variable of the environment or of `.env` that looks like a setting and is none.
#[must_use]
pub fn unknown_settings() -> Vec<String> {
    let file = read::dotenv().unwrap_or_default();
    let environment = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let names: BTreeSet<_> = environment.chain(file.into_keys()).collect();
    settings::unknown(names.iter().map(String::as_str))
}

impl Config {
    /// Reads the environment and `.env`.
    ///
    /// # Errors
    /// Every setting that is wrong, all at once.
    pub fn load() -> Result<Self, ConfigError> {
        let file = read::dotenv()?;
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        Self::from_lookup(&|name| match std::env::var(name) {
            Ok(value) => Some(value),
            Err(std::env::VarError::NotPresent) => file.get(name).cloned(),
            Err(std::env::VarError::NotUnicode(text)) => Some(text.to_string_lossy().into_owned()),
        })
    }

    /// Like [`Config::load`], from anything that maps names to values.
    ///
    /// # Errors
    /// Every setting that is wrong, all at once.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        read::config(lookup)
    }
}
