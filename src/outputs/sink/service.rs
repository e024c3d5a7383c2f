//! What the API and the command line do with sinks.

use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use super::check;
use super::settings::{self, AmqpSettings, SettingsError};
use crate::config::Config;
use crate::outputs::amqp::broker::BrokerError;
use crate::outputs::amqp::probe;
use crate::store::LogId;
use crate::store::followers::{self, Start};
use crate::store::sinks::{self, NewSink, SinkDefinition, SinkState, SinkStatus};

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
    /// The broker has not got the test message.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A sink, and how it does.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkReport {
    /// Its name.
    pub name: String,
    /// `amqp`.
    pub kind: String,
    /// `ok`, `waiting` (events do not arrive, and are tried again), `blocked` (the receiver takes none for now) or `off`
    /// (paused, or no server runs it).
    #[schema(inline)]
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
    /// What its kind requires.
    pub settings: AmqpSettings,
}

impl From<SinkState> for SinkReport {
    fn from(state: SinkState) -> Self {
        Self {
            state: check::status(&state),
            problem: check::problem(&state),
            name: state.name,
            kind: state.kind,
            failing_since: state.failing_since,
            cursor: state.cursor,
            events_behind: state.events_behind,
            seconds_behind: state.seconds_behind,
            dropped: state.dropped,
            types: state.types,
            channels: state.channels,
            settings: serde_json::from_value(state.settings).unwrap_or_default(),
        }
    }
}

impl SinkReport {
    /// A sink for the documentation.
    #[must_use]
    pub fn example() -> Self {
        Self {
            name: "amqp".into(),
            kind: "amqp".into(),
            state: SinkStatus::Waiting,
            problem: Some("the broker at 127.0.0.1:5672 can't be reached: start it".into()),
            failing_since: Some(datetime!(2026-07-01 18:20:00 UTC)),
            cursor: LogId(1042),
            events_behind: 3,
            seconds_behind: 12.5,
            dropped: 0,
            types: None,
            channels: None,
            settings: AmqpSettings { url_env: Some(settings::AMQP_URL.into()), ..AmqpSettings::default() },
        }
    }
}

/// A sink to add, or what is to change of one: what is `None` stays, and of a new one takes its default.
#[derive(Debug, Default)]
pub struct SinkChange {
    /// The broker's URL.
    pub url: Option<SecretString>,
    /// Patterns of the types; an empty list for all.
    pub types: Option<Vec<String>>,
    /// Ids or logins of the channels; an empty list for all.
    pub channels: Option<Vec<String>>,
    /// All settings.
    pub settings: Option<AmqpSettings>,
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
    name: &str,
    sink: SinkChange,
    start: Start,
) -> Result<(), SinkError> {
    let settings = sink.settings.unwrap_or_default();
    let (types, channels) = (selected(sink.types), selected(sink.channels));
    settings::check(name, types.as_deref(), &settings)?;
    let sealed = seal(config, name, sink.url.as_ref(), &settings)?;
    if sealed.is_none() && settings.url_env.is_none() {
        return Err(SettingsError::missing_url().into());
    }
    let new = NewSink {
        kind: "amqp",
        name,
        settings: &json!(settings),
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
    let mut settings = match change.settings {
        Some(settings) => settings,
        None => serde_json::from_value(sink.settings).unwrap_or_default(),
    };
    if change.url.is_some() {
        settings.url_env = None;
    }
    if let Some(types) = change.types {
        sink.types = selected(Some(types));
    }
    if let Some(channels) = change.channels {
        sink.channels = selected(Some(channels));
    }
    settings::check(name, sink.types.as_deref(), &settings)?;
    if let Some(sealed) = seal(config, name, change.url.as_ref(), &settings)? {
        sink.secret_sealed = Some(sealed);
    }
    if sink.secret_sealed.is_none() && settings.url_env.is_none() {
        return Err(SettingsError::missing_url().into());
    }
    sink.settings = json!(settings);
    if sinks::update(db, &sink).await? { Ok(()) } else { Err(SinkError::NotFound(name.to_owned())) }
}

fn selected(names: Option<Vec<String>>) -> Option<Vec<String>> {
    names.filter(|names| !names.is_empty())
}

fn seal(
    config: &Config,
    name: &str,
    url: Option<&SecretString>,
    settings: &AmqpSettings,
) -> Result<Option<Vec<u8>>, SettingsError> {
    let Some(url) = url.filter(|_| settings.url_env.is_none()) else { return Ok(None) };
    settings::check_url(url)?;
    settings::seal(config, name, url).map(Some)
}

/// Publishes a test message through a sink, from this process, and returns whether a queue got it.
///
/// # Errors
/// [`SinkError`]
pub async fn test(sink: &SinkDefinition, config: &Config) -> Result<bool, SinkError> {
    let settings: AmqpSettings = serde_json::from_value(sink.settings.clone()).unwrap_or_default();
    let url = settings::url(config, sink, &settings)?.ok_or_else(SettingsError::missing_variable)?;
    let templates = settings::templates(&settings).map_err(|(field, reason)| SettingsError { field, reason })?;
    Ok(probe::test(&url, &settings, &templates).await?)
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
