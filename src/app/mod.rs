//! The whole server: started, run and stopped in one place. `cmd/server` and the tests call this.

pub mod backup;
mod database;
mod http;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use futures_util::future::join_all;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use self::database::POOL_SIZE;
use self::database::Preparation;
use crate::access::{self, BootstrapToken};
use crate::api;
use crate::clock::Clock;
use crate::config::{Config, SecretFileError};
use crate::credentials;
use crate::credentials::application::Application;
use crate::credentials::profile_images::ProfileImages;
use crate::credentials::tokens::Tokens;
use crate::emotes::Emotes;
use crate::grpc::{self, Grpc};
use crate::http::{Http, RetryPolicy, TransportError};
use crate::incidents::Incidents;
use crate::ingest::{Ingest, Writer};
use crate::metrics::Metrics;
use crate::outages;
use crate::outputs::live::hub::Hub;
use crate::outputs::{announcements, follow, live, reactions, sink};
use crate::postgres::{self, LocalError, LocalPostgres};
use crate::retention;
use crate::services::{Services, Stopper, Tasks};
use crate::simulate::test_event::{TestEventError, TestEventSender};
use crate::sources::demo;
use crate::sources::irc;
use crate::sources::polling;
use crate::sources::webhook::Webhook;
use crate::sources::websocket::{self, StartError, gap};
use crate::status::Checks;
use crate::store::migrations::MigrationError;
use crate::store::signals::Signals;
use crate::store::with_keepalives;
use crate::subscriptions;
use crate::subscriptions::reconciler;
use crate::tracking::Tracking;
use crate::tracking::feed::Feed;

/// Time limit for tokens that are being refreshed: that of a call.
const TOKENS_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for the connections that requests share to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the program can't start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The private Postgres failed.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// A generated secret can't be read or made.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The address or port can't be used.
    #[error("{addr} can't be served on: {source}; BIND_ADDR and LISTEN_PORT choose another")]
    Bind {
        /// The configured address.
        addr: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The database answers, but waiting won't help.
    #[error("the database can't be used ({address}): {source}")]
    Database {
        /// Where it is.
        address: String,
        /// Why it can't be used.
        source: sqlx::Error,
    },
    /// A connection pooler is between this program and the database.
    #[error(
        "the address of the database leads to a connection pooler in transaction mode, or to one that refuses settings \
        ({0}): use the direct address of the database, or the pooler's address for session mode"
    )]
    Pooler(String),
    /// A migration failed.
    #[error("the database can't be migrated: {0}")]
    Migrate(MigrationError),
    /// The HTTP server failed.
    #[error("the HTTP server failed: {0}")]
    Server(#[from] io::Error),
    /// The sender of test events can't be made.
    #[error("test events can't be sent: {0}")]
    TestEventSender(#[from] TestEventError),
    /// HTTPS can't be used.
    #[error("no other server can be called: {0}")]
    Https(#[from] TransportError),
    /// WebSocket sessions with Twitch can't be kept.
    #[error(transparent)]
    WebSocket(#[from] StartError),
    /// Chats can't be read.
    #[error(transparent)]
    Irc(#[from] irc::StartError),
    /// gRPC can't be served.
    #[error(transparent)]
    Grpc(#[from] grpc::StartError),
    /// A task that should have gone on ended.
    #[error("the {0} ended unexpectedly")]
    TaskEnded(&'static str),
}

/// The running server.
#[derive(Debug)]
pub struct App {
    /// The address it serves on, with the port that the system chose if the setting was 0.
    addr: SocketAddr,
    /// The address of gRPC, if that is served.
    grpc_addr: Option<SocketAddr>,
    /// The access token in the data directory, for the banner.
    token: Option<BootstrapToken>,
    /// Stops the HTTP server, which `serving` runs.
    server: ServerHandle,
    /// The HTTP server. Its handlers hold the API's clones of [`Ingest`], and drop them when it ends.
    serving: JoinHandle<io::Result<()>>,
    /// The writer of the log, the other end of every [`Ingest`]; ends when the last of them is dropped.
    writing: JoinHandle<()>,
    /// Waits for a database that was away at start.
    preparation: Preparation,
    /// Close the connections to Twitch, and let sinks, actions, posts, calls over gRPC and the demo show
    /// finish, before their tasks are aborted.
    stoppers: [Stopper; 7],
    /// The background tasks of the components.
    tasks: Tasks,
    /// The readers of the live feeds, to be disconnected before the HTTP server can stop.
    hub: Arc<Hub>,
    /// The readers of bots' events, likewise.
    bot_feed: Feed,
    /// Twitch's tokens, if an application is configured. One that is being refreshed is waited for.
    tokens: Option<Tokens>,
    /// The connections of the API and the tasks, closed after both.
    pool: PgPool,
    /// The connections of the followers.
    follower_pool: PgPool,
    /// The private Postgres, unless another database is configured; stopped last.
    postgres: Option<LocalPostgres>,
}

impl App {
    /// Starts everything, and returns when it serves. A database that is away is waited for in the background;
    /// meanwhile, requests that need it are answered with 503.
    ///
    /// # Errors
    /// What can't be started, and what to do about it.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self, AppError> {
        let (database, postgres) = database::open(config).await?;
        match Self::start_on(database, config, clock).await {
            Ok(app) => Ok(Self { postgres, ..app }),
            Err(error) => {
                if let Some(postgres) = postgres {
                    postgres.stop().await?;
                }
                Err(error)
            }
        }
    }

    async fn start_on(database: PgConnectOptions, config: &Config, clock: Clock) -> Result<Self, AppError> {
        let made = postgres::create_data_dir(&config.data_dir);
        // If nothing needs to be written there, a read-only place will do.
        let secret = config.webhook_secret().or_else(|error| made.map_err(AppError::from).and(Err(error.into())))?;
        let listener = http::bind(SocketAddr::new(config.bind_addr, config.listen_port))?;
        let addr = listener.local_addr()?;
        let (services, writer) = services(database, config, clock)?;
        let (pool, follower_pool) = (services.pool.clone(), services.follower_pool.clone());
        let (preparation, token) = Preparation::start(&services).await?;
        let application = Application::open(&services)?;

        // `/status` shows the checks in the order in which these register them.
        let mut tasks = Tasks::new();
        tasks.spawn("listening to the database", services.signals.clone().run(services.database.clone()));
        reconciler::spawn(&services, application.as_ref(), &secret, &mut tasks);
        let webhook = Webhook::new(&services, &secret);
        credentials::spawn(&services, application.as_ref(), &mut tasks);
        subscriptions::check::register(&services);
        let websocket = websocket::spawn(&services, application.as_ref(), &mut tasks)?;
        let chats = irc::spawn(&services, application.as_ref(), &mut tasks)?;
        polling::spawn(&services, application.as_ref(), &mut tasks);
        gap::spawn(&services, application.as_ref(), &mut tasks);
        let (demo, show) = demo::spawn(&services, &mut tasks);
        retention::spawn(&services, &mut tasks);
        outages::spawn(&services, &mut tasks);
        let access = access::spawn(&services, application.as_ref(), &mut tasks);
        let hub = live::spawn(&services, &mut tasks);
        let images = ProfileImages::spawn(&services, application.as_ref(), &mut tasks);
        let sinks = sink::spawn(&services, &images, &mut tasks);
        let actions = reactions::spawn(&services, application.as_ref(), &mut tasks);
        let posts = announcements::spawn(&services, application.as_ref(), &images, &mut tasks);
        let emotes = Emotes::new(&services)?;

        let tracking = Arc::new(Tracking::spawn(&services, application.as_ref(), images, &mut tasks));
        let bot_feed = tracking.feed.clone();
        let Grpc { addr: grpc_addr, stopper: grpc } = grpc::spawn(&services, &tracking, &access, &mut tasks)?;
        let tester = TestEventSender::new(addr, secret, services.clock.clone())?;
        let components = api::Components { webhook, access, tracking, tester, demo, hub: hub.clone(), emotes };
        let tokens = application.as_ref().map(|application| application.tokens.clone());
        let context = api::Context::new(services, application, components);
        let server = http::serve(listener, context)?;
        Ok(Self {
            addr,
            grpc_addr,
            token,
            server: server.handle(),
            serving: tokio::spawn(server),
            writing: tokio::spawn(writer.run()),
            preparation,
            stoppers: [websocket, chats, sinks, actions, posts, grpc, show],
            tasks,
            hub,
            bot_feed,
            tokens,
            pool,
            follower_pool,
            postgres: None,
        })
    }

    /// The address it serves on, with the port that the system chose if the setting was 0.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address on which it serves gRPC, if it does.
    #[must_use]
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc_addr
    }

    /// The access token that is in the data directory, or should have been put there. Nothing is known of it while the
    /// database is away at start; the log says later where the token is.
    #[must_use]
    pub fn token(&self) -> Option<&BootstrapToken> {
        self.token.as_ref()
    }

    /// Runs until `shutdown` is ready, then answers what was accepted and stops everything.
    ///
    /// # Errors
    /// If a part of the program ended by itself. Everything else is stopped all the same.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), AppError> {
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            error = self.failure() => Err(error),
        };
        let stopped = self.stop().await;
        outcome.and(stopped)
    }

    /// Waits until a part of the program ends by itself. Cancel safe; after it has returned, only [`Self::stop`] may follow.
    pub async fn failure(&mut self) -> AppError {
        tokio::select! {
            served = &mut self.serving => match served {
                Ok(Err(error)) => AppError::Server(error),
                _ => AppError::TaskEnded("HTTP server"),
            },
            _ = &mut self.writing => AppError::TaskEnded("writer of the log"),
            error = self.preparation.failure() => error,
            Some((name, _)) = self.tasks.join_next() => AppError::TaskEnded(name),
            error = supervise(&mut self.postgres) => error.into(),
        }
    }

    /// Stops in the order in which work flows, so that nothing accepted is dropped.
    ///
    /// # Errors
    /// If the private Postgres does not stop.
    pub async fn stop(mut self) -> Result<(), AppError> {
        tracing::info!("stopping");
        self.preparation.abort();
        // Feeds have no end of their own, and would hold up the end of the HTTP server.
        self.hub.stop();
        self.bot_feed.stop();
        join_all(self.stoppers.iter().map(Stopper::stop)).await;
        self.tasks.shutdown().await;
        if let Some(tokens) = &self.tokens {
            let _ = timeout(TOKENS_TIMEOUT, tokens.finish()).await;
        }
        self.server.stop(true).await;
        if !self.serving.is_finished() {
            // Ends when the last worker has dropped its handlers, and with them the last `Ingest`.
            let _ = (&mut self.serving).await;
        }
        if !self.writing.is_finished() {
            let _ = (&mut self.writing).await;
        }
        // A database that hangs closes nothing.
        let _ = timeout(CLOSE_TIMEOUT, join_all([self.pool.close(), self.follower_pool.close()])).await;
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await?;
        }
        Ok(())
    }
}

/// What the components share, and the writer behind its [`Ingest`].
fn services(database: PgConnectOptions, config: &Config, clock: Clock) -> Result<(Services, Writer), AppError> {
    let database = with_keepalives(database);
    let (incidents, metrics) = (Incidents::new(clock.clone()), Metrics::default());
    let (ingest, writer) = Ingest::new(database.clone(), clock.clone(), incidents.clone(), metrics.clone());
    let services = Services {
        config: Arc::new(config.clone()),
        pool: database::pool(database.clone(), &ingest),
        follower_pool: follow::pool(database.clone()),
        database,
        ingest,
        http: Http::new(RetryPolicy::default(), clock.clone())?,
        signals: Signals::default(),
        clock,
        incidents,
        metrics,
        checks: Checks::default(),
    };
    Ok((services, writer))
}

/// Waits for the private Postgres to end; never returns if there is none.
async fn supervise(postgres: &mut Option<LocalPostgres>) -> LocalError {
    match postgres {
        Some(postgres) => postgres.supervise().await,
        None => std::future::pending().await,
    }
}
