//! What a webhook is to do, as the API and the command line state it.

use std::net::{AddrParseError, IpAddr};

use ipnet::IpNet;
use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::Endpoint;
use super::guard::{Guard, system_lookup};
use super::secret::WebhookSecret;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::outputs::sink::error::SettingsError;
use crate::outputs::sink::secret;
use crate::outputs::sink::template::Templates;
use crate::store::sinks::SinkDefinition;

/// The content type of bodies unless another one is chosen.
const JSON: &str = "application/json";

/// Settings of a signed webhook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// The environment variable with the receiver's URL; `null` if the URL was given, and is kept encrypted.
    pub url_env: Option<String>,
    /// Private networks that may be reached, also by `http`, such as `192.168.1.0/24`; without them only the internet, by
    /// `https`.
    #[schema(required)]
    pub allow: Vec<String>,
    /// Template of the body, in which each value is written as JSON if the content type is JSON; `null` for the event as
    /// in `/live/events`.
    pub body: Option<String>,
    /// The content type of the body.
    #[schema(required)]
    pub content_type: String,
    /// Whether an event that fails blocks those after it.
    #[schema(required)]
    pub ordered: bool,
    /// Whether test events are sent, with the header `showtime-test`.
    #[schema(required)]
    pub tests: bool,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            url_env: None,
            allow: Vec::new(),
            body: None,
            content_type: JSON.to_owned(),
            ordered: false,
            tests: false,
        }
    }
}

impl WebhookSettings {
    /// Checks all but the URL.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), SettingsError> {
        let is_content_type = self.content_type.contains('/')
            && HeaderValue::from_str(&self.content_type).is_ok_and(|it| it.len() <= 200);
        if !is_content_type {
            return Err(SettingsError::new("settings.content_type", "must be one, such as application/json"));
        }
        self.networks()?;
        self.templates().map(drop)
    }

    /// The template of the body.
    ///
    /// # Errors
    /// Why it can't be parsed.
    pub fn templates(&self) -> Result<Templates, SettingsError> {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = essence.ends_with("/json") || essence.ends_with("+json");
        Templates::of_webhook(self.body.as_deref(), is_json)
    }

    fn networks(&self) -> Result<Vec<IpNet>, SettingsError> {
        let network = |text: &String| text.parse().or_else(|_| Ok(IpNet::from(text.parse::<IpAddr>()?)));
        let networks = self.allow.iter().map(network).collect::<Result<_, AddrParseError>>();
        networks
            .map_err(|_| SettingsError::new("settings.allow", "must be networks, such as 192.168.1.0/24 or fd00::/8"))
    }

    /// The URL and its guard.
    ///
    /// # Errors
    /// What is wrong with it; never the URL, which is a secret.
    pub fn guard(&self, url: &SecretString) -> Result<(Url, Guard), SettingsError> {
        let form =
            || SettingsError::new("url", "must be https://host/path, or http:// within a network that `allow` names");
        let url = Url::parse(url.expose_secret()).map_err(|_| form())?;
        let networks = self.networks()?;
        match url.scheme() {
            "https" => {}
            "http" if !networks.is_empty() => {}
            _ => return Err(form()),
        }
        let guard = Guard::new(&url, networks);
        guard.check_literal(&url).map_err(|error| SettingsError::new("url", format!("is refused: {error}")))?;
        Ok((url, guard))
    }

    /// What is to be encrypted: the URL that is given, which replaces a variable, and the keys, which are new for a sink
    /// that has none. `None` if all stays as it is.
    ///
    /// # Errors
    /// What is wrong with the URL, or that there is none.
    pub fn secret(
        &mut self,
        existing: Option<&SecretString>,
        url: Option<SecretString>,
    ) -> Result<Option<SecretString>, SettingsError> {
        let is_new = existing.is_none() || url.is_some();
        let mut secret = match existing {
            Some(text) => WebhookSecret::parse(text).ok_or_else(unreadable)?,
            None => WebhookSecret::new(None),
        };
        if url.is_some() {
            (secret.url, self.url_env) = (url, None);
        }
        match &secret.url {
            Some(url) if self.url_env.is_none() => drop(self.guard(url)?),
            None if self.url_env.is_none() => return Err(missing_url()),
            _ => {}
        }
        Ok(is_new.then(|| secret.text()))
    }

    /// The receiver; `None` if this server lacks the variable that holds its URL.
    ///
    /// # Errors
    /// Why it can't be reached from here.
    pub fn endpoint(
        &self,
        config: &Config,
        clock: &Clock,
        sink: &SinkDefinition,
    ) -> Result<Option<Endpoint>, SettingsError> {
        let text = secret::open(config, sink)?.ok_or_else(missing_url)?;
        let secret = WebhookSecret::parse(&text).ok_or_else(unreadable)?;
        let url = match &self.url_env {
            Some(name) => config::variable(name),
            None => Some(secret.url.clone().ok_or_else(missing_url)?),
        };
        let Some(url) = url else { return Ok(None) };
        let reached = self.guard(&url)?;
        Endpoint::new(reached, self.content_type.clone(), secret, clock.clone(), system_lookup)
            .map(Some)
            .map_err(|failure| SettingsError::new("url", failure.problem))
    }
}

fn missing_url() -> SettingsError {
    SettingsError::new("url", "is missing: give the receiver's URL, or settings.url_env, the variable that holds it")
}

fn unreadable() -> SettingsError {
    SettingsError::new("url", "is kept in a form that this version can't read: remove the sink and add it again")
}
