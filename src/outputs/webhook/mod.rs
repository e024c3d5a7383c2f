//! Sinks for signed webhooks: read the log, send an event, await a 2xx, save the cursor.
//!
//! Events leave one at a time, so at most one is sent twice after a crash, with the same `webhook-id`. One that fails is set
//! aside (table `delivery`) and tried again by a schedule, while those behind it go on. If several fail in a row, the
//! receiver is what is wrong: the cursor stays, and one event at a time is tried with backoff.

pub mod endpoint;
pub mod guard;
mod runner;
pub mod schedule;
pub mod secret;
pub mod settings;
pub mod sign;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::endpoint::{Endpoint, Failure, Outcome, WebhookMessage};
use self::runner::Runner;
use self::settings::WebhookSettings;
use crate::credentials::profile_images::ProfileImages;
use crate::metrics::SinkMetrics;
use crate::outputs::sink::error::SettingsError;
use crate::outputs::sink::example::example;
use crate::outputs::sink::filter::SinkFilter;
use crate::outputs::sink::lease::SinkLease;
use crate::outputs::sink::template::Templates;
use crate::services::Services;
use crate::store::read::events::LoggedEvent;
use crate::store::signals::Signals;
use crate::store::sinks::SinkDefinition;

/// Pause after the sink was switched off, in which its supervisor ends it.
const PAUSE: Duration = Duration::from_secs(5);

/// A webhook, which one server at a time runs.
#[derive(Debug)]
pub struct WebhookSink {
    pool: PgPool,
    signals: Signals,
    definition: Arc<SinkDefinition>,
    /// Whether an event that fails blocks those after it.
    is_ordered: bool,
    filter: SinkFilter,
    templates: Templates,
    endpoint: Endpoint,
    metrics: SinkMetrics,
}

impl WebhookSink {
    /// A sink that this server can run; `None` if it lacks the variable that holds the URL.
    ///
    /// # Errors
    /// Why it can't run here.
    pub fn new(
        services: &Services,
        images: &ProfileImages,
        definition: Arc<SinkDefinition>,
        settings: &WebhookSettings,
    ) -> Result<Option<Self>, SettingsError> {
        let endpoint = settings.endpoint(&services.config, &services.clock, &definition)?;
        let Some(endpoint) = endpoint else { return Ok(None) };
        let (types, channels) = (definition.types.as_deref(), definition.channels.as_deref());
        Ok(Some(Self {
            pool: services.follower_pool.clone(),
            signals: services.signals.clone(),
            is_ordered: settings.ordered,
            filter: SinkFilter::new(types, channels, settings.tests),
            templates: settings.templates()?.with_images(images),
            endpoint,
            metrics: services.metrics.sink(&definition.name),
            definition,
        }))
    }

    /// Sends events whenever this server has the lease, until it is stopped.
    pub async fn run(self, stopping: CancellationToken) {
        while let Some(lease) = stopping.run_until_cancelled(SinkLease::take(&self.pool, &self.definition)).await {
            if let Some(error) = Runner::new(&self, &lease, &stopping).run().await {
                tracing::info!(sink = self.definition.name, %error, "the sink stops here");
            } else if stopping.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                return lease.release().await;
            }
        }
    }
}

/// What is sent about an event.
///
/// # Errors
/// Why the template can't be rendered.
pub fn message(templates: &Templates, event: &LoggedEvent) -> Result<WebhookMessage, String> {
    let body = templates.body(event)?;
    Ok(WebhookMessage { message_id: event.message_id.clone(), is_test: event.is_test, body })
}

/// Sends a made-up follow, with the header `showtime-test`.
///
/// # Errors
/// Why the receiver has not got it, and what to do.
pub async fn test(endpoint: &Endpoint, templates: &Templates) -> Result<(), String> {
    match endpoint.send(&message(templates, &example())?).await {
        Outcome::Delivered => Ok(()),
        Outcome::Gone => Err("the receiver answered 410: it wants no events".to_owned()),
        Outcome::Busy { status, .. } => Err(format!("the receiver answered {status}: it asks to slow down")),
        Outcome::Failed(Failure { problem, .. }) => Err(problem),
    }
}
