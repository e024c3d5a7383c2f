//! What a sink is to do, as the API and the command line state it.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::{PATTERN, is_pattern};
use super::template::Templates;
use crate::config::{self, Config};
use crate::credentials::vault::Vault;
use crate::store::sinks::SinkDefinition;

/// The variable that alone makes a sink.
pub const AMQP_URL: &str = "SHOWTIME_AMQP_URL";

/// Settings of a sink for RabbitMQ.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AmqpSettings {
    /// The variable of the environment with the broker's URL; `null` if the URL was given, and is kept encrypted.
    pub url_env: Option<String>,
    /// The topic exchange.
    pub exchange: String,
    /// Whether to declare the exchange; `false` for one that must exist.
    pub declare: bool,
    /// Template of the routing key; `null` for `twitch.CHANNEL_ID.TYPE`.
    pub routing_key: Option<String>,
    /// Template of the body, in which each value is written as JSON; `null` for the event as in `/live/events`.
    pub body: Option<String>,
    /// Whether the broker reports messages that no queue gets.
    pub mandatory: bool,
    /// A durable quorum queue to declare and bind to all messages; `null` for none.
    pub queue: Option<String>,
    /// Whether test events are published, with the header `showtime-test`.
    pub tests: bool,
    /// File with the certificate of an own CA, in PEM, for `amqps`.
    #[schema(value_type = Option<String>)]
    pub ca_file: Option<PathBuf>,
}

impl Default for AmqpSettings {
    fn default() -> Self {
        Self {
            url_env: None,
            exchange: "showtime".to_owned(),
            declare: true,
            routing_key: None,
            body: None,
            mandatory: true,
            queue: None,
            tests: false,
            ca_file: None,
        }
    }
}

/// Why a sink can't be made: the field, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{field} {reason}")]
pub struct SettingsError {
    /// The field.
    pub field: &'static str,
    /// What it must be.
    pub reason: String,
}

impl SettingsError {
    /// There is neither a URL nor a variable that holds it.
    pub(super) fn missing_url() -> Self {
        wrong("url", "is missing: give the broker's URL, or settings.url_env, the variable that holds it")
    }

    /// This process lacks the variable.
    pub(super) fn missing_variable() -> Self {
        wrong("settings.url_env", "is a variable that is not set here")
    }
}

fn wrong(field: &'static str, reason: impl Into<String>) -> SettingsError {
    SettingsError { field, reason: reason.into() }
}

/// The templates of a sink.
///
/// # Errors
/// The field with a template that can't be parsed, and why.
pub fn templates(settings: &AmqpSettings) -> Result<Templates, (&'static str, String)> {
    Templates::new(settings.routing_key.as_deref(), settings.body.as_deref())
}

/// Checks what a sink is to do.
///
/// # Errors
/// The first field that is wrong.
pub fn check(name: &str, types: Option<&[String]>, settings: &AmqpSettings) -> Result<(), SettingsError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(1..=64).contains(&name.len()) || !name.bytes().all(is_allowed) || name.starts_with(['-', '.']) {
        return Err(wrong("name", "must be 1 to 64 letters, digits, `.`, `_` or `-`, and begin with neither . nor -"));
    }
    if !types.unwrap_or_default().iter().all(|pattern| is_pattern(pattern)) {
        return Err(wrong("types", PATTERN));
    }
    let is_short = |name: &str| (1..=200).contains(&name.len()) && !name.chars().any(char::is_control);
    for (field, name) in [("settings.exchange", Some(&settings.exchange)), ("settings.queue", settings.queue.as_ref())]
    {
        if name.is_some_and(|name| !is_short(name)) {
            return Err(wrong(field, "must be 1 to 200 bytes"));
        }
    }
    templates(settings).map_err(|(field, reason)| wrong(field, reason))?;
    Ok(())
}

/// Checks a broker's URL.
///
/// # Errors
/// What it must be; not the URL, which holds a password.
pub fn check_url(url: &SecretString) -> Result<(), SettingsError> {
    if config::is_amqp_url(url.expose_secret()) { Ok(()) } else { Err(wrong("url", config::AMQP_URL_FORM)) }
}

/// Encrypts a broker's URL for the row of this sink.
///
/// # Errors
/// If there is no key.
pub fn seal(config: &Config, name: &str, url: &SecretString) -> Result<Vec<u8>, SettingsError> {
    let vault = Vault::open_for(config).map_err(|error| wrong("url", format!("can't be encrypted: {error}")))?;
    vault.seal(&holder(name), url).map_err(|error| wrong("url", error.to_string()))
}

/// The broker's URL: from the environment, or decrypted. `None` if this server lacks the variable.
///
/// # Errors
/// If it can't be decrypted.
pub fn url(
    config: &Config,
    sink: &SinkDefinition,
    settings: &AmqpSettings,
) -> Result<Option<SecretString>, SettingsError> {
    match (&settings.url_env, &sink.secret_sealed) {
        (Some(name), _) if name == AMQP_URL => Ok(config.amqp_url.clone()),
        (Some(name), _) => Ok(config::variable(name)),
        (None, Some(sealed)) => {
            let unreadable = "can't be decrypted with this server's key: restore the key, or set the URL again";
            let vault = Vault::peek_for(config).map_err(|_| wrong("url", unreadable))?;
            vault.open(&holder(&sink.name), sealed).map(Some).map_err(|_| wrong("url", unreadable))
        }
        (None, None) => Err(SettingsError::missing_url()),
    }
}

/// What is authenticated with the URL, so that rows can't be swapped.
fn holder(name: &str) -> String {
    format!("sink:{name}")
}
