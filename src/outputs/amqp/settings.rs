//! What a sink for RabbitMQ is to do.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::{self, Config};
use crate::outputs::sink::error::SettingsError;
use crate::outputs::sink::secret;
use crate::outputs::sink::template::Templates;
use crate::store::sinks::SinkDefinition;

/// The variable that alone makes a sink.
pub const AMQP_URL: &str = "SHOWTIME_AMQP_URL";

/// Settings of a sink for RabbitMQ.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AmqpSettings {
    /// The environment variable with the broker's URL; `null` if the URL was given, and is kept encrypted.
    pub url_env: Option<String>,
    /// The topic exchange.
    #[schema(required)]
    pub exchange: String,
    /// Whether to declare the exchange; `false` for one that must exist.
    #[schema(required)]
    pub declare: bool,
    /// Template of the routing key; `null` for `twitch.CHANNEL_ID.TYPE`.
    pub routing_key: Option<String>,
    /// Template of the body, in which each value is written as JSON; `null` for the event as in `/live/events`.
    pub body: Option<String>,
    /// Whether the broker reports messages that no queue gets.
    #[schema(required)]
    pub mandatory: bool,
    /// A durable quorum queue to declare and bind to all messages; `null` for none.
    pub queue: Option<String>,
    /// Whether test events are published, with the header `showtime-test`.
    #[schema(required)]
    pub tests: bool,
    /// File with the certificate of a private CA, in PEM, for `amqps`.
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

impl AmqpSettings {
    /// Checks all but the URL's form; `has_url` says whether there is an encrypted one.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self, has_url: bool) -> Result<(), SettingsError> {
        if !has_url && self.url_env.is_none() {
            return Err(missing_url());
        }
        let is_short = |name: &str| (1..=200).contains(&name.len()) && !name.chars().any(char::is_control);
        for (field, name) in [("settings.exchange", Some(&self.exchange)), ("settings.queue", self.queue.as_ref())] {
            if name.is_some_and(|name| !is_short(name)) {
                return Err(SettingsError::new(field, "must be 1 to 200 bytes"));
            }
        }
        self.templates().map(drop)
    }

    /// The templates, parsed.
    ///
    /// # Errors
    /// The template that can't be parsed, and why.
    pub fn templates(&self) -> Result<Templates, SettingsError> {
        Templates::new(self.routing_key.as_deref(), self.body.as_deref())
    }

    /// What is to be encrypted: a URL that is given. `None` if a variable holds it, or if it stays as it is.
    ///
    /// # Errors
    /// What the URL must be; not the URL, which holds a password.
    pub fn secret(&self, url: Option<SecretString>) -> Result<Option<SecretString>, SettingsError> {
        let Some(url) = url else { return Ok(None) };
        if !config::is_amqp_url(url.expose_secret()) {
            return Err(SettingsError::new("url", config::AMQP_URL_FORM));
        }
        if self.url_env.is_some() {
            return Err(SettingsError::new("url", "and settings.url_env are both given: one of them holds the URL"));
        }
        Ok(Some(url))
    }

    /// The broker's URL: from the environment, or decrypted. `None` if this server lacks the variable.
    ///
    /// # Errors
    /// If it is missing or can't be decrypted.
    pub fn url(&self, config: &Config, sink: &SinkDefinition) -> Result<Option<SecretString>, SettingsError> {
        match &self.url_env {
            Some(name) if name == AMQP_URL => Ok(config.amqp_url.clone()),
            Some(name) => Ok(config::variable(name)),
            None => secret::open(config, sink)?.map(Some).ok_or_else(missing_url),
        }
    }
}

/// There is neither a URL nor a variable that holds it.
fn missing_url() -> SettingsError {
    SettingsError::new("url", "is missing: give the broker's URL, or settings.url_env, the variable that holds it")
}
