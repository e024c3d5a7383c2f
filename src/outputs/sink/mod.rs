//! Sinks: programs of others that get every event, in order, with nothing lost.
//!
//! A sink is a row, and a follower of the log. Each server runs those that it can reach; of each sink one server holds the
//! lease. Nothing is written per event: what a sink has not sent yet is what is behind its cursor.

pub mod apply;
mod check;
pub mod error;
pub mod example;
pub mod filter;
pub mod lease;
pub mod secret;
pub mod service;
pub mod settings;
pub mod template;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::error::SettingsError;
use self::settings::SinkSettings;
use crate::credentials::profile_images::ProfileImages;
use crate::outputs::amqp::AmqpSink;
use crate::outputs::amqp::settings::AMQP_URL;
use crate::outputs::webhook::WebhookSink;
use crate::services::{Services, Stopper, Tasks};
use crate::store::followers::Start;
use crate::store::sinks::{self, NewSink, SinkDefinition, SinkKind};
use crate::store::within;

/// The name of the sink that `SHOWTIME_AMQP_URL` makes.
const ENVIRONMENT_SINK: &str = "amqp";

/// How soon a sink that was added, changed, paused or removed is so on every server.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Time limit of a query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Time limit for receivers to confirm what is on its way, and for giving up the leases.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the supervisor of the sinks, and registers their check.
pub fn spawn(services: &Services, images: &ProfileImages, tasks: &mut Tasks) -> Stopper {
    services.checks.add_on_records(|records| check::check(&records.sinks));
    let stopper = Stopper::new(STOP_TIMEOUT);
    let supervisor = Supervisor {
        services: services.clone(),
        images: images.clone(),
        running: HashMap::new(),
        stopper: stopper.clone(),
    };
    tasks.spawn("sinks", supervisor.run());
    stopper
}

/// Runs the sinks of this server.
struct Supervisor {
    services: Services,
    /// For the templates of all sinks.
    images: ProfileImages,
    /// By the id of the row.
    running: HashMap<i64, Running>,
    stopper: Stopper,
}

struct Running {
    definition: Arc<SinkDefinition>,
    stopping: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Supervisor {
    async fn run(mut self) -> Infallible {
        let mut is_made = self.services.config.amqp_url.is_none();
        let stopping = self.stopper.stopping.clone();
        while !stopping.is_cancelled() {
            if !is_made {
                is_made = self.add_environment_sink().await.is_ok();
            }
            // While the database is away, those that run go on as they can.
            if let Some(Ok(definitions)) = stopping.run_until_cancelled(self.definitions()).await {
                self.compare(definitions);
            }
            stopping.run_until_cancelled(sleep(POLL_INTERVAL)).await;
        }
        for (_, running) in self.running {
            // One that has panicked has finished, too.
            let _ = running.task.await;
        }
        self.stopper.stopped.cancel();
        pending().await
    }

    async fn definitions(&self) -> sqlx::Result<Vec<SinkDefinition>> {
        within(QUERY_TIMEOUT, sinks::definitions(&self.services.follower_pool)).await
    }

    async fn add_environment_sink(&self) -> sqlx::Result<()> {
        let settings = json!({ "url_env": AMQP_URL });
        let sink = NewSink {
            kind: SinkKind::Amqp,
            name: ENVIRONMENT_SINK,
            settings: &settings,
            secret_sealed: None,
            types: None,
            channels: None,
        };
        let is_new = within(QUERY_TIMEOUT, async {
            sinks::insert(&mut *self.services.follower_pool.acquire().await?, &sink, Start::Now).await
        });
        if is_new.await? {
            tracing::info!(sink = ENVIRONMENT_SINK, "sink added, at the end of the log");
        }
        Ok(())
    }

    /// Starts and stops sinks, so that those run that should. One that has changed starts again when it has finished.
    fn compare(&mut self, definitions: Vec<SinkDefinition>) {
        let wanted: HashMap<_, _> =
            definitions.into_iter().filter(|sink| !sink.is_paused).map(|sink| (sink.id, sink)).collect();
        self.running.retain(|id, running| {
            if wanted.get(id).is_none_or(|sink| *sink != *running.definition) {
                running.stopping.cancel();
            }
            !running.task.is_finished()
        });
        for (id, sink) in wanted {
            if !self.running.contains_key(&id)
                && let Some(running) = self.start(sink)
            {
                self.running.insert(id, running);
            }
        }
    }

    /// Starts a sink, if this server has what it requires.
    fn start(&self, definition: SinkDefinition) -> Option<Running> {
        let (definition, stopping) = (Arc::new(definition), self.stopper.stopping.child_token());
        let task = self.spawn(&definition, stopping.clone()).unwrap_or_else(|error| {
            tracing::debug!(sink = definition.name, %error, "the sink can't run here");
            None
        });
        Some(Running { task: AbortOnDropHandle::new(task?), stopping, definition })
    }

    fn spawn(
        &self,
        definition: &Arc<SinkDefinition>,
        stopping: CancellationToken,
    ) -> Result<Option<JoinHandle<()>>, SettingsError> {
        let (services, images, sink) = (&self.services, &self.images, definition.clone());
        Ok(match SinkSettings::new(sink.kind, sink.settings.clone())? {
            SinkSettings::Amqp(settings) => {
                AmqpSink::new(services, images, sink, settings)?.map(|sink| tokio::spawn(sink.run(stopping)))
            }
            SinkSettings::Webhook(settings) => {
                WebhookSink::new(services, images, sink, &settings)?.map(|sink| tokio::spawn(sink.run(stopping)))
            }
        })
    }
}
