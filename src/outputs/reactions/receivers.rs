//! Sends what a step says to a webhook, as its sink would: signed, guarded, within a time limit, and again with the same id
//! until it has arrived.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use time::OffsetDateTime;

use super::QUERY_TIMEOUT;
use super::attempt::{Again, Attempt};
use super::step::Webhook;
use crate::clock::Clock;
use crate::config::Config;
use crate::outputs::sink::error::SettingsError;
use crate::outputs::sink::settings::SinkSettings;
use crate::outputs::webhook::endpoint::{Endpoint, Failure, Outcome, WebhookMessage};
use crate::outputs::webhook::schedule::BACKOFF;
use crate::outputs::webhook::settings::WebhookSettings;
use crate::services::Services;
use crate::store::actions::execute::DueAction;
use crate::store::sinks::{self, SinkDefinition, SinkKind};
use crate::store::within;

/// The receivers of webhooks.
#[derive(Debug)]
pub(super) struct Receivers {
    config: Arc<Config>,
    pool: PgPool,
    clock: Clock,
    /// By the id of the sink; each was made for this definition.
    endpoints: Mutex<HashMap<i64, (SinkDefinition, Arc<Endpoint>)>>,
}

/// Why there is no receiver: now, or for good.
enum Missing {
    Now(String),
    Always(String),
}

impl Receivers {
    pub(super) fn new(services: &Services) -> Self {
        Self {
            config: services.config.clone(),
            pool: services.pool.clone(),
            clock: services.clock.clone(),
            endpoints: Mutex::default(),
        }
    }

    /// Sends a body once.
    pub(super) async fn send(&self, webhook: &Webhook, due: &DueAction) -> Attempt {
        let endpoint = match self.endpoint(&webhook.sink).await {
            Ok(Ok(endpoint)) => endpoint,
            Ok(Err(Missing::Now(problem))) => return self.again(due, problem, None),
            Ok(Err(Missing::Always(problem))) => return Attempt::Failed(problem),
            Err(error) => return self.again(due, error.to_string(), None),
        };
        let message_id = format!("act_{}_{}", due.created_at.unix_timestamp(), due.id);
        let body = webhook.body.to_string().into_bytes();
        match endpoint.send(&WebhookMessage { message_id: message_id.clone(), is_test: false, body }).await {
            Outcome::Delivered => Attempt::Done(json!({ "webhook_id": message_id })),
            Outcome::Gone => Attempt::Failed("the receiver answered 410: it wants nothing more".to_owned()),
            Outcome::Busy { status, retry_after } => {
                self.again(due, format!("the receiver asks to slow down ({status})"), retry_after)
            }
            Outcome::Failed(Failure { problem, .. }) => self.again(due, problem, None),
        }
    }

    fn again(&self, due: &DueAction, problem: String, retry_after: Option<Duration>) -> Attempt {
        let failures = u32::try_from(due.attempts).unwrap_or(0) + 1;
        let at: OffsetDateTime = self.clock.now() + BACKOFF.pause(failures).max(retry_after.unwrap_or_default());
        match at < due.expires_at {
            true => Attempt::Again(Again { at, problem: Some(problem), result: None }),
            false => Attempt::Failed(problem),
        }
    }

    async fn endpoint(&self, name: &str) -> sqlx::Result<Result<Arc<Endpoint>, Missing>> {
        let sinks = within(QUERY_TIMEOUT, sinks::definitions(&self.pool)).await?;
        let found = sinks.into_iter().find(|sink| sink.name == name);
        let Some(sink) = found else { return Ok(Err(Missing::Always(unknown(name)))) };
        if sink.is_paused {
            return Ok(Err(Missing::Now(format!("the sink `{name}` is paused"))));
        }
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((definition, endpoint)) = endpoints.get(&sink.id)
            && *definition == sink
        {
            return Ok(Ok(endpoint.clone()));
        }
        Ok(self.make(&sink).inspect(|endpoint| drop(endpoints.insert(sink.id, (sink.clone(), endpoint.clone())))))
    }

    fn make(&self, sink: &SinkDefinition) -> Result<Arc<Endpoint>, Missing> {
        let unusable = |error: SettingsError| Missing::Now(format!("the sink `{}` can't be used: {error}", sink.name));
        let SinkSettings::Webhook(settings) = SinkSettings::new(sink.kind, sink.settings.clone()).map_err(unusable)?
        else {
            return Err(Missing::Always(no_webhook(&sink.name)));
        };
        // The body is always JSON; the sink's content type is that of its template.
        let settings = WebhookSettings { content_type: WebhookSettings::default().content_type, ..settings };
        let made = settings.endpoint(&self.config, &self.clock, sink).map_err(unusable)?;
        made.map(Arc::new).ok_or_else(|| {
            let lacking = "the server that executes the actions lacks the variable with the URL of the sink";
            Missing::Now(format!("{lacking} `{}`", sink.name))
        })
    }
}

/// What is wrong with the name of a sink that a step sends to, if something is.
///
/// # Errors
/// If the database fails.
pub async fn check(pool: &PgPool, name: &str) -> sqlx::Result<Option<String>> {
    let found = sinks::definitions(pool).await?.into_iter().find(|sink| sink.name == name);
    Ok(match found {
        None => Some(unknown(name)),
        Some(sink) if sink.kind != SinkKind::Webhook => Some(no_webhook(name)),
        Some(_) => None,
    })
}

fn unknown(name: &str) -> String {
    format!("there is no sink `{name}`")
}

fn no_webhook(name: &str) -> String {
    format!("the sink `{name}` is for RabbitMQ: name a webhook")
}
