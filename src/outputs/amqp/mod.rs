//! Sinks for RabbitMQ (AMQP 0-9-1): read the log, publish, await the confirmation, save the cursor.
//!
//! Up to [`WINDOW`] messages are on their way. The cursor is that of the last message before which all are confirmed, so what
//! a crash or a lost connection leaves unknown is published again, in its order and with the same `message_id`.
//! <https://www.rabbitmq.com/docs/confirms>

pub mod broker;
pub mod message;
pub mod probe;
mod publisher;
pub mod settings;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::broker::{Broker, BrokerError};
use self::publisher::{End, Publisher};
use self::settings::AmqpSettings;
use crate::backoff::Backoff;
use crate::credentials::profile_images::ProfileImages;
use crate::metrics::SinkMetrics;
use crate::outputs::sink::error::SettingsError;
use crate::outputs::sink::filter::SinkFilter;
use crate::outputs::sink::lease::{LeaseError, SinkLease};
use crate::outputs::sink::template::Templates;
use crate::services::Services;
use crate::store::signals::Signals;
use crate::store::sinks::{SinkDefinition, SinkStatus};

/// Messages that are published and not confirmed, at most.
pub const WINDOW: usize = 512;

/// Between two attempts.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(30) };

/// A sink for RabbitMQ, which one server at a time runs.
#[derive(Debug)]
pub struct AmqpSink {
    /// Connections of the followers.
    pub pool: PgPool,
    /// Wakes it when events were appended.
    pub signals: Signals,
    /// Its row.
    pub definition: Arc<SinkDefinition>,
    /// What it is to do.
    pub settings: AmqpSettings,
    /// Its templates.
    pub templates: Templates,
    /// The broker.
    pub url: SecretString,
    /// Its counters.
    pub metrics: SinkMetrics,
}

impl AmqpSink {
    /// A sink that this server can run; `None` if it lacks the variable that holds the URL.
    ///
    /// # Errors
    /// Why it can't run here.
    pub fn new(
        services: &Services,
        images: &ProfileImages,
        definition: Arc<SinkDefinition>,
        settings: AmqpSettings,
    ) -> Result<Option<Self>, SettingsError> {
        let Some(url) = settings.url(&services.config, &definition)? else { return Ok(None) };
        Ok(Some(Self {
            pool: services.follower_pool.clone(),
            signals: services.signals.clone(),
            templates: settings.templates()?.with_images(images),
            metrics: services.metrics.sink(&definition.name),
            definition,
            settings,
            url,
        }))
    }

    /// Publishes events whenever this server has the lease, until it is stopped.
    pub async fn run(self, stopping: CancellationToken) {
        while let Some(lease) = stopping.run_until_cancelled(SinkLease::take(&self.pool, &self.definition)).await {
            match self.hold(&lease, &stopping).await {
                Ok(()) => return lease.release().await,
                Err(error) => tracing::info!(sink = self.definition.name, %error, "the sink stops here"),
            }
        }
    }

    /// Publishes until it is stopped, or the lease is taken over.
    async fn hold(&self, lease: &SinkLease<'_>, stopping: &CancellationToken) -> Result<(), LeaseError> {
        let mut failures = 0;
        loop {
            let (confirmed, problem) = match self.publish(lease, stopping).await {
                Ok((_, End::Stopped)) => return Ok(()),
                Ok((_, End::Lease(error @ LeaseError::Superseded))) | Err(error @ LeaseError::Superseded) => {
                    return Err(error);
                }
                Ok((confirmed, End::Lease(error))) => (confirmed, error.to_string()),
                Ok((confirmed, End::Broker(error))) => (confirmed, error.0),
                Ok((confirmed, End::Event(error))) => (confirmed, error),
                Err(error) => (false, error.to_string()),
            };
            if failures == 0 || confirmed {
                tracing::warn!(sink = self.definition.name, problem, "the sink failed; trying again");
            }
            failures = if confirmed { 1 } else { failures + 1 };
            lease.record(SinkStatus::Waiting, Some(&problem), 0).await;
            if lease.keep(stopping.run_until_cancelled(sleep(BACKOFF.pause(failures)))).await?.is_none() {
                return Ok(());
            }
        }
    }

    /// Connects, and publishes until something fails. Returns also whether anything was confirmed.
    async fn publish(&self, lease: &SinkLease<'_>, stopping: &CancellationToken) -> Result<(bool, End), LeaseError> {
        let cursor = lease.cursor().await?;
        let opening = stopping.run_until_cancelled(Broker::open(&self.url, &self.settings));
        let broker = match lease.keep(opening).await? {
            Some(Ok(broker)) => broker,
            Some(Err(error)) => return Ok((false, End::Broker(error))),
            None => return Ok((false, End::Stopped)),
        };
        let filter =
            SinkFilter::new(self.definition.types.as_deref(), self.definition.channels.as_deref(), self.settings.tests);
        let mut publisher = Publisher::new(self, &broker, filter, cursor);
        let end = publisher.run(lease, stopping).await;
        // What is confirmed need not be sent again.
        let (saved, confirmed) = (publisher.save(lease).await, publisher.has_confirmed());
        broker.close().await;
        match (saved, end) {
            (Err(error @ LeaseError::Superseded), _) => Err(error),
            (_, end) => Ok((confirmed, end)),
        }
    }

    /// What a broker's error means.
    fn explain(&self, error: &lapin::Error) -> BrokerError {
        broker::explain(&self.url, &self.settings, error)
    }
}
