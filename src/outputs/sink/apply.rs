//! Makes a sink what a file says that it is.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sqlx::PgConnection;

use super::error::SettingsError;
use super::secret;
use super::service::{self, ALL_TYPES, SinkChange, SinkError};
use crate::config::Config;
use crate::outputs::webhook::secret::WebhookSecret;
use crate::store::followers::Start;
use crate::store::sinks::{SinkDefinition, SinkKind};

/// What became of a sink.
#[derive(Debug)]
pub enum Applied {
    /// It is new; with the key of a webhook, which is shown this once.
    Added(Option<SecretString>),
    /// These fields are others than before; none if all were so already.
    Changed(Vec<String>),
}

/// Adds a sink, or changes one to be exactly this: what is left out takes its default, but for the URL, which stays. A sink
/// that exists goes on at its cursor, whatever `start` says.
///
/// # Errors
/// [`SinkError`]
pub async fn apply(
    db: &mut PgConnection,
    config: &Config,
    (kind, name): (SinkKind, &str),
    mut sink: SinkChange,
    start: Start,
) -> Result<Applied, SinkError> {
    let before = match service::definition(db, name).await {
        Err(SinkError::NotFound(_)) => {
            return Ok(Applied::Added(service::add(db, config, (kind, name), sink, start).await?));
        }
        found => found?,
    };
    if before.kind != kind {
        let reason = "can't be another than it is: remove the sink, or choose another name";
        return Err(SettingsError::new("kind", reason).into());
    }
    for setting in before.settings.as_object().into_iter().flat_map(|settings| settings.keys()) {
        sink.settings.entry(setting).or_insert(Value::Null);
    }
    if has_url(config, &before, &sink) {
        sink.url = None;
    }
    sink.types.get_or_insert_with(|| vec![ALL_TYPES.to_owned()]);
    sink.channels.get_or_insert_default();
    service::change(db, config, name, sink).await?;
    Ok(Applied::Changed(differences(&before, &service::definition(db, name).await?)))
}

/// Whether the sink has this URL already. (What is encrypted twice is never the same.)
fn has_url(config: &Config, before: &SinkDefinition, sink: &SinkChange) -> bool {
    let Some(url) = &sink.url else { return false };
    let existing = secret::open(config, before).ok().flatten();
    let existing = match before.kind {
        SinkKind::Amqp => existing,
        SinkKind::Webhook => existing.as_ref().and_then(WebhookSecret::parse).and_then(|secret| secret.url),
    };
    existing.is_some_and(|existing| existing.expose_secret() == url.expose_secret())
}

fn differences(before: &SinkDefinition, after: &SinkDefinition) -> Vec<String> {
    let fields = [
        ("url", before.secret_sealed != after.secret_sealed),
        ("types", before.types != after.types),
        ("channels", before.channels != after.channels),
    ];
    let fields = fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field.to_owned());
    let settings = after.settings.as_object().into_iter().flatten();
    let settings = settings.filter(|(name, value)| before.settings.get(name) != Some(value));
    let mut settings: Vec<_> = settings.map(|(name, _)| format!("settings.{name}")).collect();
    settings.sort_unstable();
    fields.chain(settings).collect()
}
