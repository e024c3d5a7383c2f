//! Parses settings into a [`Config`], and collects every error on the way.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::settings::{self, Setting};
use super::{Client, Config, Database, EmoteUrls, EncryptionKey, LogFormat, Retention, Tracking, Twitch};
use crate::http::is_loopback;
use crate::twitch::catalogue::{SubscriptionType, selection};
use crate::twitch::signature::WebhookSecret;
use crate::twitch::transport::TransportKind;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The `.env` file can't be read.
    #[error("the file .env can't be read: {0}")]
    DotEnv(String),
    /// These settings are wrong.
    #[error("{}", list(.0))]
    Settings(Vec<SettingError>),
}

/// What is wrong with one setting. The text never contains a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingError(String);

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn list(errors: &[SettingError]) -> String {
    let lines: Vec<_> = errors.iter().map(|error| format!("  {error}")).collect();
    format!("wrong settings:\n{}", lines.join("\n"))
}

/// The pairs of the nearest `.env` file; none if there is no such file.
pub(super) fn dotenv() -> Result<HashMap<String, String>, ConfigError> {
    match dotenvy::dotenv_iter() {
        Ok(pairs) => pairs.collect::<Result<_, _>>().map_err(|error| ConfigError::DotEnv(without_values(&error))),
        Err(error) if error.not_found() => Ok(HashMap::new()),
        Err(error) => Err(ConfigError::DotEnv(without_values(&error))),
    }
}

/// The text of an error without values: a line that can't be parsed may contain a secret, so only its variable is named.
fn without_values(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(line, _) => match line.split_once('=') {
            Some((name, _)) => format!("the value of {} can't be parsed; put it in single quotes", name.trim()),
            None => "it has a line that is not NAME=value".to_owned(),
        },
        other => other.to_string(),
    }
}

pub(super) fn config(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let mut read = Reader { lookup, errors: Vec::new() };
    let config = Config {
        bind_addr: read.parsed(&settings::BIND_ADDR, "an IP address, such as 127.0.0.1"),
        listen_port: read.required(&settings::LISTEN_PORT, port),
        grpc_port: read.optional(&settings::GRPC_PORT, port),
        database: read.database(),
        migrate: read.parsed(&settings::MIGRATE, "true or false"),
        data_dir: read.required(&settings::DATA_DIR, |text| Ok(text.into())),
        twitch: read.twitch(),
        emotes: EmoteUrls::default(),
        tracking: read.tracking(),
        encryption_key: read
            .optional(&settings::ENCRYPTION_KEY, |text| EncryptionKey::new(text).map_err(str::to_owned)),
        amqp_url: read.optional(&settings::AMQP_URL, |text| {
            if is_amqp_url(text) { Ok(SecretString::from(text)) } else { Err(AMQP_URL_FORM.to_owned()) }
        }),
        public_url: read.optional(&settings::PUBLIC_URL, public_url),
        cors_origins: read.optional(&settings::CORS_ORIGINS, origins).unwrap_or_default(),
        retention: read.required(&settings::RETENTION, Retention::parse),
        log: read.required(&settings::LOG, |text| match EnvFilter::builder().parse(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => Err("must be error, warn, info, debug, trace or filter directives such as info,sqlx=warn".into()),
        }),
        log_format: read.required(&settings::LOG_FORMAT, |text| match text {
            "human" => Ok(LogFormat::Human),
            "json" => Ok(LogFormat::Json),
            _ => Err("must be human or json".to_owned()),
        }),
    };
    match (config, read.errors) {
        (config, errors) if errors.is_empty() => Ok(config),
        (_, errors) => Err(ConfigError::Settings(errors)),
    }
}

struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<SettingError>,
}

impl Reader<'_> {
    fn text(&self, setting: &Setting) -> Option<String> {
        (self.lookup)(setting.name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn fail(&mut self, setting: &Setting, held: &str, why: &str) {
        // An address with an @ may have a password before it, also if it can't be read.
        let is_hidden = setting.is_secret || held.is_empty() || held.contains('@');
        let held = if is_hidden { String::new() } else { format!(" is {held:?}, but") };
        self.errors.push(SettingError(format!("{}{held} {why}", setting.name)));
    }

    fn optional<T>(&mut self, setting: &Setting, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(setting)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.fail(setting, &text, &why);
                None
            }
        }
    }

    /// A setting with a default, which also replaces a wrong value, to go on and find further errors.
    fn required<T>(&mut self, setting: &Setting, parse: impl Fn(&str) -> Result<T, String>) -> T {
        #[expect(clippy::expect_used, reason = "defaults are constants, read by every test")]
        self.optional(setting, &parse).unwrap_or_else(|| parse(setting.default.unwrap_or_default()).expect("a default"))
    }

    fn parsed<T: std::str::FromStr>(&mut self, setting: &Setting, expected: &str) -> T {
        self.required(setting, |text| text.parse().map_err(|_| format!("must be {expected}")))
    }

    fn database(&mut self) -> Database {
        if self.text(&settings::DATABASE_URL).is_some() {
            let options = self.optional(&settings::DATABASE_URL, |text| {
                // The parser's own message may quote the password.
                let expected =
                    "must be postgres://user:password@host:port/database (special characters percent-encoded)";
                let url = Url::parse(text).map_err(|_| expected.to_owned())?;
                let is_postgres = matches!(url.scheme(), "postgres" | "postgresql");
                PgConnectOptions::from_str(text).ok().filter(|_| is_postgres).ok_or_else(|| expected.to_owned())
            });
            return options.map_or(Database::Private, |options| Database::Given(Box::new(options)));
        }
        // One that says how to connect alone means a database, too: a private one would come as a surprise.
        let parts = [
            &settings::PGHOST,
            &settings::PGPORT,
            &settings::PGDATABASE,
            &settings::PGUSER,
            &settings::PGPASSWORD,
            &settings::PGSSLMODE,
        ];
        if parts.iter().all(|part| self.text(part).is_none()) {
            return Database::Private;
        }
        let mut options = PgConnectOptions::new();
        if let Some(host) = self.text(&settings::PGHOST) {
            options = if host.starts_with('/') { options.socket(host) } else { options.host(&host) };
        }
        if let Some(port) = self.optional(&settings::PGPORT, port) {
            options = options.port(port);
        }
        if let Some(user) = self.text(&settings::PGUSER) {
            options = options.username(&user);
        }
        if let Some(database) = self.text(&settings::PGDATABASE) {
            options = options.database(&database);
        }
        if let Some(password) = self.text(&settings::PGPASSWORD) {
            options = options.password(&password);
        }
        if let Some(mode) = self.optional(&settings::PGSSLMODE, |text| {
            PgSslMode::from_str(text)
                .map_err(|_| "must be disable, allow, prefer, require, verify-ca or verify-full".to_owned())
        }) {
            options = options.ssl_mode(mode);
        }
        Database::Given(Box::new(options))
    }

    fn twitch(&mut self) -> Twitch {
        Twitch {
            channel_name: self.optional(&settings::CHANNEL_NAME, login),
            client: self.client(),
            transport: self.required(&settings::TRANSPORT, transport),
            callback_url: self.optional(&settings::CALLBACK_URL, callback_url),
            websocket_url: self.required(&settings::WEBSOCKET_URL, websocket_url),
            irc_url: self.required(&settings::IRC_URL, websocket_url),
            api_url: self.base_url(&settings::API_URL),
            auth_url: self.base_url(&settings::AUTH_URL),
            extra_types: self.optional(&settings::EVENTSUB_TYPES, subscription_types).unwrap_or_default(),
            webhook_secret: self.optional(&settings::WEBHOOK_SECRET, webhook_secret),
            previous_webhook_secret: self.optional(&settings::PREVIOUS_WEBHOOK_SECRET, webhook_secret),
        }
    }

    fn tracking(&mut self) -> Tracking {
        let tracking = Tracking {
            discord_url: self.base_url(&settings::DISCORD_URL),
            discord_rate: self.parsed(&settings::DISCORD_RATE, "a number of requests per second, such as 45"),
            token_ttl: self.required(&settings::BOT_TOKEN_TTL, token_ttl),
        };
        if tracking.discord_rate == 0 && !is_loopback(&tracking.discord_url) {
            self.fail(
                &settings::DISCORD_RATE,
                "0",
                "Discord has a limit of 50 per second: 0 is for a fake Discord on this machine",
            );
        }
        tracking
    }

    /// The address of an API. The default is the example of what it must be.
    fn base_url(&mut self, setting: &Setting) -> Url {
        let example = setting.default.unwrap_or_default();
        self.required(setting, |text| {
            base_url(text).ok_or_else(|| format!("must be an address like {example} (http only for loopback)"))
        })
    }

    fn client(&mut self) -> Option<Client> {
        let (id, secret) = (self.text(&settings::CLIENT_ID), self.text(&settings::CLIENT_SECRET));
        match (id, secret) {
            (Some(id), Some(secret)) => Some(Client { id, secret: SecretString::from(secret) }),
            (Some(_), None) => {
                self.fail(&settings::CLIENT_SECRET, "", "is not set, but TWITCH_CLIENT_ID is: set both or neither");
                None
            }
            (None, Some(_)) => {
                self.fail(&settings::CLIENT_ID, "", "is not set, but TWITCH_CLIENT_SECRET is: set both or neither");
                None
            }
            (None, None) => None,
        }
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "must be a port from 0 to 65535".to_owned())
}

/// Twitch logins: 1 to 25 letters, digits and underscores, not case-sensitive.
fn login(text: &str) -> Result<String, String> {
    let is_login = (1..=25).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_login { Ok(text.to_ascii_lowercase()) } else { Err("must be a login, such as maplearcade".to_owned()) }
}

fn token_ttl(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_secs(60)..=Duration::from_secs(365 * 86_400);
    let ttl = humantime::parse_duration(text).ok().filter(|ttl| allowed.contains(ttl));
    ttl.ok_or_else(|| "must be a time from 1m to 365d, such as 72h".to_owned())
}

fn webhook_secret(text: &str) -> Result<WebhookSecret, String> {
    WebhookSecret::new(text).map_err(|error| format!("{error}; `openssl rand -hex 32` makes a good one"))
}

/// Types that a channel can have, by their names, patterns and presets; each once.
fn subscription_types(text: &str) -> Result<Vec<&'static SubscriptionType>, String> {
    let mut types: Vec<&SubscriptionType> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        for kind in selection::select(name).map_err(|error| error.to_string())? {
            if !types.iter().any(|known| known.name == kind.name) {
                types.push(kind);
            }
        }
    }
    Ok(types)
}

/// Origins as browsers send them: nothing after host and port, and no port that the scheme implies.
fn origins(text: &str) -> Result<Vec<String>, String> {
    let origins: Vec<_> = text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let is_origin = |text: &String| match Url::parse(text) {
        Ok(url) => matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == *text,
        Err(_) => false,
    };
    if origins == ["*"] || origins.iter().all(is_origin) {
        Ok(origins)
    } else {
        Err("must be origins like https://example.org or http://localhost:8080 with commas between them, or *"
            .to_owned())
    }
}

/// Plain http is for this machine only, since requests carry tokens.
fn base_url(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim_end_matches('/')).ok()?;
    let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
    is_safe.then_some(url)
}

/// Twitch sends browsers back to it, with a secret in the query.
fn public_url(text: &str) -> Result<Url, String> {
    let url = base_url(text).ok_or("must be https://host, without a path or with one (http only for loopback)")?;
    match url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        true => Err("must have no ?query, no #fragment and no password in it".to_owned()),
        false => Ok(url),
    }
}

/// `None` for `auto`.
fn transport(text: &str) -> Result<Option<TransportKind>, String> {
    match text {
        "auto" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| "must be auto, webhook or websocket".to_owned()),
    }
}

/// Plain ws is for this machine only, since nothing else proves that messages are Twitch's.
fn websocket_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "must be an address like wss://eventsub.wss.twitch.tv/ws")?;
    match url.scheme() {
        _ if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() => {
            Err("must have no #fragment and no password in it".to_owned())
        }
        "wss" => Ok(url),
        "ws" if is_loopback(&url) => Ok(url),
        _ => Err("must begin with wss:// (ws:// only on this machine, as in ws://127.0.0.1:8080/ws)".to_owned()),
    }
}

/// What the address of a broker must be.
pub const AMQP_URL_FORM: &str = "must be amqp://user:password@host:port/vhost or amqps://… (special characters percent-encoded; the virtual host / is %2f)";

/// Whether this is the address of a broker.
#[must_use]
pub fn is_amqp_url(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "amqp" | "amqps") && url.has_host() && url.fragment().is_none())
}

/// What [Twitch accepts](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/), and plain http to this machine for
/// trying things out.
fn callback_url(text: &str) -> Result<Url, String> {
    let expected = "must be an address like https://example.org/callback";
    let url = Url::parse(text).map_err(|_| expected.to_owned())?;
    match (url.scheme(), url.port()) {
        _ if url.fragment().is_some() => Err("has a #fragment, which Twitch refuses".to_owned()),
        _ if !url.username().is_empty() || url.password().is_some() => Err("has a password in it".to_owned()),
        ("https" | "http", _) if is_loopback(&url) => Ok(url),
        ("https", None) => Ok(url),
        ("https", Some(_)) => Err("has a port, but Twitch calls port 443 only".to_owned()),
        _ => Err(expected.to_owned()),
    }
}

#[cfg(test)]
mod tests;
