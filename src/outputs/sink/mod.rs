//! Sinks: programs of others that get every event, in order, with nothing lost.
//!
//! A sink is a row, and a follower of the log. Each server runs those that it can reach; of each sink one server holds the
//! lease. Nothing is written per event: what a sink has not sent yet is what is behind its cursor.

pub mod apply;
mod check;
pub mod error;
pub mod example;
pub mod filter;
pub mod images;
pub mod lease;
pub mod secret;
pub mod service;
pub mod settings;
pub mod template;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use self::error::SettingsError;
use self::images::ProfileImages;
use self::settings::SinkSettings;
use crate::credentials::application::Application;
use crate::outputs::amqp::AmqpSink;
use crate::outputs::amqp::settings::AMQP_URL;
use crate::outputs::webhook::WebhookSink;
use crate::services::{Services, Tasks};
use crate::store::followers::Start;
use crate::store::sinks::{self, NewSink, SinkDefinition, SinkKind};
use crate::store::within;

/// The name of the sink that `SHOWTIME_AMQP_URL` makes.
const ENVIRONMENT_SINK: &str = "amqp";

/// How soon a sink that was added, changed, paused or removed is so on every server.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Time limit of a query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts the supervisor of the sinks, and registers their check.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) {
    let helix = application.map(|application| application.helix.clone());
    let images = helix.map(|helix| ProfileImages::spawn(services, helix, tasks)).unwrap_or_default();
    services.checks.add_on_records(|records| check::check(&records.sinks));
    tasks.spawn("sinks", Supervisor { services: services.clone(), images, running: HashMap::new() }.run());
}

/// Runs the sinks of this server.
struct Supervisor {
    services: Services,
    /// For the templates of all sinks.
    images: ProfileImages,
    /// By the id of the row.
    running: HashMap<i64, Running>,
}

struct Running {
    definition: Arc<SinkDefinition>,
    task: AbortOnDropHandle<Infallible>,
}

impl Supervisor {
    async fn run(mut self) -> Infallible {
        let mut is_made = self.services.config.amqp_url.is_none();
        loop {
            if !is_made {
                is_made = self.add_environment_sink().await.is_ok();
            }
            // While the database is away, those that run go on as they can.
            if let Ok(definitions) = self.definitions().await {
                self.compare(definitions);
            }
            sleep(POLL_INTERVAL).await;
        }
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

    /// Starts and stops sinks, so that those run that should.
    fn compare(&mut self, definitions: Vec<SinkDefinition>) {
        let wanted: HashMap<_, _> =
            definitions.into_iter().filter(|sink| !sink.is_paused).map(|sink| (sink.id, sink)).collect();
        self.running.retain(|id, running| {
            !running.task.is_finished() && wanted.get(id).is_some_and(|sink| *sink == *running.definition)
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
        let definition = Arc::new(definition);
        let task = self.spawn(&definition).unwrap_or_else(|error| {
            tracing::debug!(sink = definition.name, %error, "the sink can't run here");
            None
        });
        Some(Running { task: AbortOnDropHandle::new(task?), definition })
    }

    fn spawn(&self, definition: &Arc<SinkDefinition>) -> Result<Option<JoinHandle<Infallible>>, SettingsError> {
        let (services, images, sink) = (&self.services, &self.images, definition.clone());
        Ok(match SinkSettings::new(sink.kind, sink.settings.clone())? {
            SinkSettings::Amqp(settings) => {
                AmqpSink::new(services, images, sink, settings)?.map(|sink| tokio::spawn(sink.run()))
            }
            SinkSettings::Webhook(settings) => {
                WebhookSink::new(services, images, sink, &settings)?.map(|sink| tokio::spawn(sink.run()))
            }
        })
    }
}
