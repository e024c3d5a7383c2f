//! What the API and the command line do with sinks.

use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use super::check;
use super::error::SettingsError;
use super::secret;
use super::settings::{SinkSettings, check_name, check_types};
use crate::config::Config;
use crate::outputs::amqp;
use crate::outputs::amqp::settings::{AMQP_URL, AmqpSettings};
use crate::store::LogId;
use crate::store::followers::{self, Start};
use crate::store::sinks::{self, NewSink, SinkDefinition, SinkKind, SinkState, SinkStatus};

/// Why a sink can't be made, changed or tested.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// There is one of this name.
    #[error("there is a sink named `{0}` already: choose another name, or remove it first")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no sink `{0}`")]
    NotFound(String),
    /// A field is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The receiver has not got the test message: why, and what to do.
    #[error("{0}")]
    Undelivered(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A sink, and how it does.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkReport {
    /// Its name.
    pub name: String,
    /// `ok`, `waiting` (events do not arrive, and are tried again), `blocked` (the receiver takes none for now) or `off`
    /// (paused, or no server runs it).
    pub state: SinkStatus,
    /// What is wrong, and what to do; `null` if nothing is.
    pub problem: Option<String>,
    /// Since when events do not arrive.
    #[serde(with = "time::serde::rfc3339::option")]
    pub failing_since: Option<OffsetDateTime>,
    /// The id of the last event that has arrived.
    #[schema(value_type = i64)]
    pub cursor: LogId,
    /// Events behind the cursor, at most.
    pub events_behind: i64,
    /// The age of the oldest of them.
    pub seconds_behind: f64,
    /// Messages that the broker dropped, since no queue was bound.
    pub dropped: i64,
    /// The selected types; `null` for all.
    pub types: Option<Vec<String>>,
    /// The selected channels, by id or login; `null` for all.
    pub channels: Option<Vec<String>>,
    /// Its kind, and what that requires.
    #[serde(flatten)]
    pub settings: SinkSettings,
}

impl From<SinkState> for SinkReport {
    fn from(state: SinkState) -> Self {
        Self {
            state: check::status(&state),
            problem: check::problem(&state),
            name: state.name,
            failing_since: state.failing_since,
            cursor: state.cursor,
            events_behind: state.events_behind,
            seconds_behind: state.seconds_behind,
            dropped: state.dropped,
            types: state.types,
            channels: state.channels,
            settings: SinkSettings::of(state.kind, &state.settings),
        }
    }
}

impl SinkReport {
    /// A sink for the documentation.
    #[must_use]
    pub fn example() -> Self {
        Self {
            name: "amqp".into(),
            state: SinkStatus::Waiting,
            problem: Some("the broker at 127.0.0.1:5672 can't be reached: start it".into()),
            failing_since: Some(datetime!(2026-07-01 18:20:00 UTC)),
            cursor: LogId(1042),
            events_behind: 3,
            seconds_behind: 12.5,
            dropped: 0,
            types: None,
            channels: None,
            settings: SinkSettings::Amqp(AmqpSettings { url_env: Some(AMQP_URL.into()), ..AmqpSettings::default() }),
        }
    }
}

/// What a sink is to do, or what is to change of it: what is `None` stays, and of a new one takes its default.
#[derive(Debug, Default)]
pub struct SinkChange {
    /// The URL of the broker or of the webhook.
    pub url: Option<SecretString>,
    /// Patterns of the types; an empty list for all.
    pub types: Option<Vec<String>>,
    /// Ids or logins of the channels; an empty list for all.
    pub channels: Option<Vec<String>>,
    /// Settings of its kind; those that are left out stay, and those that are `null` take their default.
    pub settings: Map<String, Value>,
}

/// All sinks, by name.
///
/// # Errors
/// If the database fails.
pub async fn list(db: &mut PgConnection) -> sqlx::Result<Vec<SinkReport>> {
    Ok(sinks::states(db).await?.into_iter().map(SinkReport::from).collect())
}

/// One sink.
///
/// # Errors
/// [`SinkError::NotFound`], or the database's.
pub async fn get(db: &mut PgConnection, name: &str) -> Result<SinkReport, SinkError> {
    list(db).await?.into_iter().find(|sink| sink.name == name).ok_or_else(|| SinkError::NotFound(name.to_owned()))
}

/// What a sink is to do.
///
/// # Errors
/// [`SinkError::NotFound`], or the database's.
pub async fn definition(db: &mut PgConnection, name: &str) -> Result<SinkDefinition, SinkError> {
    let found = sinks::definitions(db).await?.into_iter().find(|sink| sink.name == name);
    found.ok_or_else(|| SinkError::NotFound(name.to_owned()))
}

/// Adds a sink that starts there.
///
/// # Errors
/// [`SinkError`]
pub async fn add(
    db: &mut PgConnection,
    config: &Config,
    (kind, name): (SinkKind, &str),
    sink: SinkChange,
    start: Start,
) -> Result<(), SinkError> {
    check_name(name)?;
    let (types, channels) = (selected(sink.types), selected(sink.channels));
    check_types(types.as_deref())?;
    let mut settings = SinkSettings::new(kind, merge(Value::default(), sink.settings))?;
    let sealed = seal(config, name, &mut settings, sink.url)?;
    check(&settings, sealed.is_some())?;
    let new = NewSink {
        kind,
        name,
        settings: &settings.to_value()?,
        secret_sealed: sealed.as_deref(),
        types: types.as_deref(),
        channels: channels.as_deref(),
    };
    if sinks::insert(db, &new, start).await? { Ok(()) } else { Err(SinkError::Exists(name.to_owned())) }
}

/// Changes a sink, which goes on at its cursor.
///
/// # Errors
/// [`SinkError`]
pub async fn change(db: &mut PgConnection, config: &Config, name: &str, change: SinkChange) -> Result<(), SinkError> {
    let mut sink = definition(db, name).await?;
    let mut settings = SinkSettings::new(sink.kind, merge(sink.settings, change.settings))?;
    if let Some(types) = change.types {
        sink.types = selected(Some(types));
    }
    if let Some(channels) = change.channels {
        sink.channels = selected(Some(channels));
    }
    check_types(sink.types.as_deref())?;
    if let Some(sealed) = seal(config, name, &mut settings, change.url)? {
        sink.secret_sealed = Some(sealed);
    }
    check(&settings, sink.secret_sealed.is_some())?;
    sink.settings = settings.to_value()?;
    if sinks::update(db, &sink).await? { Ok(()) } else { Err(SinkError::NotFound(name.to_owned())) }
}

/// Changes settings as a [JSON merge patch](https://www.rfc-editor.org/rfc/rfc7396): `null` removes.
fn merge(settings: Value, changes: Map<String, Value>) -> Value {
    let mut merged = match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    merged.extend(changes);
    merged.retain(|_, value| !value.is_null());
    merged.into()
}

fn selected(names: Option<Vec<String>>) -> Option<Vec<String>> {
    names.filter(|names| !names.is_empty())
}

/// Encrypts what is new of the sink's secret.
fn seal(
    config: &Config,
    name: &str,
    settings: &mut SinkSettings,
    url: Option<SecretString>,
) -> Result<Option<Vec<u8>>, SettingsError> {
    let secret = match settings {
        SinkSettings::Amqp(settings) => settings.secret(url)?,
        SinkSettings::Webhook(settings) => settings.secret(url)?,
    };
    secret.map(|secret| secret::seal(config, name, &secret)).transpose()
}

fn check(settings: &SinkSettings, has_secret: bool) -> Result<(), SettingsError> {
    match settings {
        SinkSettings::Amqp(settings) => settings.check(has_secret),
        SinkSettings::Webhook(_) => Ok(()),
    }
}

/// Sends a test message through a sink, from this process, and returns whether it got to a queue.
///
/// # Errors
/// [`SinkError`]
pub async fn test(sink: &SinkDefinition, config: &Config) -> Result<bool, SinkError> {
    match SinkSettings::new(sink.kind, sink.settings.clone())? {
        SinkSettings::Amqp(settings) => {
            let url = settings.url(config, sink)?.ok_or_else(|| missing_variable(&settings))?;
            let tested = amqp::probe::test(&url, &settings, &settings.templates()?).await;
            tested.map_err(|error| SinkError::Undelivered(error.0))
        }
        SinkSettings::Webhook(_) => Ok(false),
    }
}

fn missing_variable(settings: &AmqpSettings) -> SettingsError {
    let variable = settings.url_env.as_deref().unwrap_or_default();
    SettingsError::new("settings.url_env", format!("names {variable}, which is not set here"))
}

/// Moves a sink to another place of the log.
///
/// # Errors
/// [`SinkError::NotFound`], or the database's.
pub async fn rewind(db: &mut PgConnection, name: &str, start: Start) -> Result<(), SinkError> {
    let sink = definition(db, name).await?;
    if followers::rewind(db, &sink.follower, start).await? { Ok(()) } else { Err(SinkError::NotFound(name.to_owned())) }
}

/// Pauses a sink, which keeps its place in the log, or lets it go on.
///
/// # Errors
/// [`SinkError::NotFound`], or the database's.
pub async fn pause(db: &mut PgConnection, name: &str, is_paused: bool) -> Result<(), SinkError> {
    if sinks::pause(db, name, is_paused).await? { Ok(()) } else { Err(SinkError::NotFound(name.to_owned())) }
}

/// Removes a sink and its place in the log.
///
/// # Errors
/// [`SinkError::NotFound`], or the database's.
pub async fn remove(db: &mut PgConnection, name: &str) -> Result<(), SinkError> {
    if sinks::remove(db, name).await? { Ok(()) } else { Err(SinkError::NotFound(name.to_owned())) }
}
