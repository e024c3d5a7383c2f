//! What the API and the command line do with sinks.

use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use super::check;
use super::error::SettingsError;
use super::secret;
use super::settings::{self, SinkSettings, check_name, check_types};
use crate::clock::Clock;
use crate::config::Config;
use crate::outputs::amqp;
use crate::outputs::amqp::settings::{AMQP_URL, AmqpSettings};
use crate::outputs::webhook;
use crate::outputs::webhook::secret::WebhookSecret;
use crate::store::deliveries::{self, Delivery};
use crate::store::followers::{self, Start};
use crate::store::read::channels;
use crate::store::sinks::{self, NewSink, SinkDefinition, SinkKind, SinkState, SinkStatus};
use crate::store::{LogId, Order};

/// The pattern that all types match.
pub const ALL_TYPES: &str = "*";

/// Why a sink can't be made, changed or tested.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// There is one of this name.
    #[error("there is a sink named `{0}` already: choose another name, or remove it first")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no sink `{0}`")]
    NotFound(String),
    /// It is no webhook.
    #[error("the sink `{0}` is for RabbitMQ, which has no key: name a webhook")]
    NoKey(String),
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

/// A sink, and its state.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkReport {
    /// Its name.
    pub name: String,
    /// `ok`, `waiting` (events do not arrive, and are tried again), `blocked` (the receiver takes none for now) or `off`
    /// (paused, or no server runs it).
    pub state: SinkStatus,
    /// Whether it was paused, or has switched itself off: only `resume` lets it go on.
    pub is_paused: bool,
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
            is_paused: check::is_paused(&state),
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
            is_paused: false,
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
    /// Patterns of the types; an empty list for none.
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

/// Adds a sink that starts there. Returns the key of a webhook, which is shown this once.
///
/// # Errors
/// [`SinkError`]
pub async fn add(
    db: &mut PgConnection,
    config: &Config,
    (kind, name): (SinkKind, &str),
    sink: SinkChange,
    start: Start,
) -> Result<Option<SecretString>, SinkError> {
    check_name(name)?;
    let (types, channels) = (selected_types(sink.types), selected(sink.channels));
    check_types(types.as_deref())?;
    check_channels(db, channels.as_deref()).await?;
    let mut settings = SinkSettings::new(kind, merge(Value::default(), sink.settings))?;
    let secret = secret_of(&mut settings, None, sink.url)?;
    check(&settings, secret.is_some())?;
    let sealed = secret.as_ref().map(|secret| secret::seal(config, name, secret)).transpose()?;
    let new = NewSink {
        kind,
        name,
        settings: &settings.to_value()?,
        secret_sealed: sealed.as_deref(),
        types: types.as_deref(),
        channels: channels.as_deref(),
    };
    let mut transaction = db.begin().await?;
    if !sinks::insert(&mut transaction, &new, start).await? {
        return Err(SinkError::Exists(name.to_owned()));
    }
    check_place(&mut transaction, name).await?;
    transaction.commit().await?;
    let webhook = secret.filter(|_| kind == SinkKind::Webhook).as_ref().and_then(WebhookSecret::parse);
    Ok(webhook.map(|secret| secret.key().text().clone()))
}

/// Changes a sink, which goes on at its cursor.
///
/// # Errors
/// [`SinkError`]
pub async fn change(db: &mut PgConnection, config: &Config, name: &str, change: SinkChange) -> Result<(), SinkError> {
    let mut transaction = db.begin().await?;
    sinks::lock(&mut transaction, name).await?;
    let mut sink = definition(&mut transaction, name).await?;
    let mut change = change;
    if change.url.is_some() {
        // In place of the variable that holds it.
        change.settings.entry("url_env").or_insert(Value::Null);
    }
    let mut settings = SinkSettings::new(sink.kind, merge(sink.settings.clone(), change.settings))?;
    if let Some(types) = change.types {
        sink.types = selected_types(Some(types));
    }
    if let Some(channels) = change.channels {
        sink.channels = selected(Some(channels));
        check_channels(&mut transaction, sink.channels.as_deref()).await?;
    }
    check_types(sink.types.as_deref())?;
    let existing = match sink.kind {
        SinkKind::Amqp => None,
        SinkKind::Webhook => secret::open(config, &sink)?,
    };
    if let Some(secret) = secret_of(&mut settings, existing.as_ref(), change.url)? {
        sink.secret_sealed = Some(secret::seal(config, name, &secret)?);
    }
    check(&settings, sink.secret_sealed.is_some())?;
    sink.settings = settings.to_value()?;
    if !sinks::update(&mut transaction, &sink).await? {
        return Err(SinkError::NotFound(name.to_owned()));
    }
    Ok(transaction.commit().await?)
}

/// Checks that there are these channels. An id may be that of a channel which is added later.
async fn check_channels(db: &mut PgConnection, channels: Option<&[String]>) -> Result<(), SinkError> {
    settings::check_channels(channels)?;
    let is_login = |name: &&str| !name.bytes().all(|byte| byte.is_ascii_digit());
    let logins: Vec<&str> = channels.unwrap_or_default().iter().map(String::as_str).filter(is_login).collect();
    let found = channels::resolve(db, &logins).await?;
    let Some((unknown, _)) = logins.iter().zip(found).find(|(_, id)| id.is_none()) else { return Ok(()) };
    let reason =
        format!("has `{unknown}`, which no channel here is called: correct the login, or give the channel's id");
    Err(SettingsError::new("channels", reason).into())
}

/// Checks that the log leads on from where the sink was put.
async fn check_place(db: &mut PgConnection, name: &str) -> Result<(), SinkError> {
    let states = sinks::states(db).await?;
    if states.iter().any(|sink| sink.name == name && sink.is_reachable) {
        return Ok(());
    }
    Err(SettingsError::new("after", "is the id of no event that the log has; 0 is before all").into())
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

/// A list that selects all types is none.
fn selected_types(types: Option<Vec<String>>) -> Option<Vec<String>> {
    types.filter(|types| *types != [ALL_TYPES])
}

/// What is new of the sink's secret.
fn secret_of(
    settings: &mut SinkSettings,
    existing: Option<&SecretString>,
    url: Option<SecretString>,
) -> Result<Option<SecretString>, SettingsError> {
    match settings {
        SinkSettings::Amqp(settings) => settings.secret(url),
        SinkSettings::Webhook(settings) => settings.secret(existing, url),
    }
}

fn check(settings: &SinkSettings, has_secret: bool) -> Result<(), SettingsError> {
    match settings {
        SinkSettings::Amqp(settings) => settings.check(has_secret),
        SinkSettings::Webhook(settings) => settings.check(),
    }
}

/// Sends a test message through a sink, from this process, and returns whether a queue or the receiver got it.
///
/// # Errors
/// [`SinkError`]
pub async fn test(sink: &SinkDefinition, config: &Config) -> Result<bool, SinkError> {
    match SinkSettings::new(sink.kind, sink.settings.clone())? {
        SinkSettings::Amqp(settings) => {
            let url = settings.url(config, sink)?.ok_or_else(|| missing_variable(settings.url_env.as_deref()))?;
            let tested = amqp::probe::test(&url, &settings, &settings.templates()?).await;
            tested.map_err(|error| SinkError::Undelivered(error.0))
        }
        SinkSettings::Webhook(settings) => {
            let endpoint = settings.endpoint(config, &Clock::default(), sink)?;
            let endpoint = endpoint.ok_or_else(|| missing_variable(settings.url_env.as_deref()))?;
            webhook::test(&endpoint, &settings.templates()?).await.map_err(SinkError::Undelivered)?;
            Ok(true)
        }
    }
}

fn missing_variable(variable: Option<&str>) -> SettingsError {
    let variable = variable.unwrap_or_default();
    SettingsError::new("settings.url_env", format!("names {variable}, which is not set here"))
}

/// Moves a sink to another place of the log.
///
/// # Errors
/// [`SinkError`]
pub async fn rewind(db: &mut PgConnection, name: &str, start: Start) -> Result<(), SinkError> {
    let sink = definition(db, name).await?;
    let mut transaction = db.begin().await?;
    if !followers::rewind(&mut transaction, &sink.follower, start).await? {
        return Err(SinkError::NotFound(name.to_owned()));
    }
    deliveries::remove_behind_cursor(&mut *transaction, &sink).await?;
    check_place(&mut transaction, name).await?;
    Ok(transaction.commit().await?)
}

/// Makes a new key for a webhook. The one before it goes on to sign for [`ROTATION`](crate::outputs::webhook::secret::ROTATION).
///
/// # Errors
/// [`SinkError`]
pub async fn rotate(
    db: &mut PgConnection,
    config: &Config,
    clock: &Clock,
    name: &str,
) -> Result<SecretString, SinkError> {
    let mut transaction = db.begin().await?;
    sinks::lock(&mut transaction, name).await?;
    let mut sink = webhook_named(&mut transaction, name).await?;
    let unreadable =
        || SettingsError::new("name", "is that of a sink whose keys can't be read: remove it, and add it again");
    let text = secret::open(config, &sink)?.ok_or_else(unreadable)?;
    let mut secret = WebhookSecret::parse(&text).ok_or_else(unreadable)?;
    secret.rotate(clock.now());
    sink.secret_sealed = Some(secret::seal(config, name, &secret.text())?);
    if !sinks::update(&mut transaction, &sink).await? {
        return Err(SinkError::NotFound(name.to_owned()));
    }
    transaction.commit().await?;
    Ok(secret.key().text().clone())
}

/// The events that a webhook has not delivered, and tries again or has given up: in this order, behind `after`.
///
/// # Errors
/// [`SinkError::NotFound`], or the database's.
pub async fn undelivered(
    db: &mut PgConnection,
    name: &str,
    order: Order,
    after: Option<LogId>,
    limit: i64,
) -> Result<Vec<Delivery>, SinkError> {
    let sink = definition(db, name).await?;
    Ok(deliveries::page(db, sink.id, order, after, limit).await?)
}

/// Lets an event that was not delivered be sent again at once; without one, all that are out of attempts. Returns how many.
///
/// # Errors
/// [`SinkError::NotFound`], or the database's.
pub async fn resend(db: &mut PgConnection, name: &str, event: Option<LogId>) -> Result<u64, SinkError> {
    let sink = definition(db, name).await?;
    Ok(deliveries::resend(db, sink.id, event).await?)
}

/// Gives up an event that is out of attempts, so that it is shown no more; without one, all of them. Returns how many.
///
/// # Errors
/// [`SinkError::NotFound`], or the database's.
pub async fn dismiss(db: &mut PgConnection, name: &str, event: Option<LogId>) -> Result<u64, SinkError> {
    let sink = definition(db, name).await?;
    Ok(deliveries::dismiss(db, sink.id, event).await?)
}

async fn webhook_named(db: &mut PgConnection, name: &str) -> Result<SinkDefinition, SinkError> {
    let sink = definition(db, name).await?;
    match sink.kind {
        SinkKind::Webhook => Ok(sink),
        SinkKind::Amqp => Err(SinkError::NoKey(name.to_owned())),
    }
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
