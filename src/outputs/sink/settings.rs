//! What a sink is to do, by its kind.

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, RefBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::error::SettingsError;
use super::filter::{PATTERN, is_known, is_pattern};
use crate::message::OWN_TYPES;
use crate::object::has_nul;
use crate::outputs::amqp::settings::AmqpSettings;
use crate::outputs::webhook::settings::WebhookSettings;
use crate::store::sinks::SinkKind;

/// The settings of a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "settings", rename_all = "lowercase")]
pub enum SinkSettings {
    /// For RabbitMQ.
    Amqp(AmqpSettings),
    /// For a receiver of signed requests.
    Webhook(WebhookSettings),
}

/// One object with two fields: generators of clients can't flatten a choice between objects into another one.
impl PartialSchema for SinkSettings {
    fn schema() -> RefOr<Schema> {
        let refer = |name: &str| Ref::from_schema_name(name);
        let settings = OneOfBuilder::new().item(refer(&AmqpSettings::name())).item(refer(&WebhookSettings::name()));
        let kind = RefBuilder::new().ref_location_from_schema_name(SinkKind::name()).description(Some("Its kind."));
        ObjectBuilder::new()
            .property("kind", kind)
            .required("kind")
            .property("settings", settings.description(Some("What its kind requires.")))
            .required("settings")
            .into()
    }
}

impl ToSchema for SinkSettings {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((SinkKind::name().into_owned(), SinkKind::schema()));
        schemas.push((AmqpSettings::name().into_owned(), AmqpSettings::schema()));
        schemas.push((WebhookSettings::name().into_owned(), WebhookSettings::schema()));
    }
}

impl SinkSettings {
    /// Reads the settings of this kind; what is left out takes its default.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn new(kind: SinkKind, settings: Value) -> Result<Self, SettingsError> {
        if let Some((name, _)) = settings.as_object().into_iter().flatten().find(|(_, value)| has_nul(value)) {
            let reason = "has the character U+0000, which Postgres can't store";
            return Err(SettingsError::new(format!("settings.{name}"), reason));
        }
        let read = match kind {
            SinkKind::Amqp => serde_path_to_error::deserialize(settings).map(Self::Amqp),
            SinkKind::Webhook => serde_path_to_error::deserialize(settings).map(Self::Webhook),
        };
        read.map_err(|error| {
            let field = match error.path().to_string().as_str() {
                "." => "settings".to_owned(),
                path => format!("settings.{path}"),
            };
            SettingsError::new(field, error.into_inner().to_string())
        })
    }

    /// The settings of a sink's row, or the defaults of its kind if they can't be read.
    #[must_use]
    pub fn of(kind: SinkKind, settings: &Value) -> Self {
        Self::new(kind, settings.clone()).unwrap_or_else(|_| match kind {
            SinkKind::Amqp => Self::Amqp(AmqpSettings::default()),
            SinkKind::Webhook => Self::Webhook(WebhookSettings::default()),
        })
    }

    /// As the row keeps them.
    ///
    /// # Errors
    /// If a path is no UTF-8.
    pub fn to_value(&self) -> Result<Value, SettingsError> {
        let value = match self {
            Self::Amqp(settings) => serde_json::to_value(settings),
            Self::Webhook(settings) => serde_json::to_value(settings),
        };
        value.map_err(|error| SettingsError::new("settings", error.to_string()))
    }

    /// The kind of the sink.
    #[must_use]
    pub fn kind(&self) -> SinkKind {
        match self {
            Self::Amqp(_) => SinkKind::Amqp,
            Self::Webhook(_) => SinkKind::Webhook,
        }
    }
}

/// Checks the form of channels. Whether there are any of these names is for the database to say.
///
/// # Errors
/// What they must be.
pub fn check_channels(channels: Option<&[String]>) -> Result<(), SettingsError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = |name: &String| (1..=25).contains(&name.len()) && name.bytes().all(is_allowed);
    if channels.unwrap_or_default().iter().all(is_name) {
        return Ok(());
    }
    Err(SettingsError::new("channels", "must be logins or ids: 1 to 25 letters, digits or `_`"))
}

/// Checks a sink's name.
///
/// # Errors
/// What it must be.
pub fn check_name(name: &str) -> Result<(), SettingsError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(is_allowed) && !name.starts_with(['-', '.']) {
        return Ok(());
    }
    Err(SettingsError::new("name", "must be 1 to 64 letters, digits, `.`, `_` or `-`, and begin with neither . nor -"))
}

/// Checks patterns of types.
///
/// # Errors
/// What they must be.
pub fn check_types(types: Option<&[String]>) -> Result<(), SettingsError> {
    for pattern in types.unwrap_or_default() {
        if !is_pattern(pattern) {
            return Err(SettingsError::new("types", PATTERN));
        }
        if !is_known(pattern) {
            let types = "https://dev.twitch.tv/docs/eventsub/eventsub-subscription-types/";
            let reason =
                format!("has `{pattern}`, which matches no type: those of {types} exist, and {}", OWN_TYPES.join(", "));
            return Err(SettingsError::new("types", reason));
        }
    }
    Ok(())
}
