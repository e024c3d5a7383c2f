//! The whole program: built, run and stopped in one place. `cmd/server` and the tests call this.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App as Routes, HttpServer, web};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::{self, Access, OwnToken, TwitchSignIn};
use crate::api;
use crate::clock::Clock;
use crate::config::{Client, Config, Database, SecretFileError};
use crate::credentials::tokens::Tokens;
use crate::credentials::vault::Vault;
use crate::http::{RetryPolicy, TransportError};
use crate::ingest::{Ingest, Writer};
use crate::metrics::Metrics;
use crate::outputs::live::hub::Hub;
use crate::outputs::live::tail::Tail;
use crate::postgres::{self, Durability, LocalError, LocalPostgres};
use crate::program::Program;
use crate::simulate::test_event::{TestEventError, Tester};
use crate::sources::backfill::Gaps;
use crate::sources::webhook::Webhook;
use crate::store::signals::Signals;
use crate::store::{is_outage, migrations, within};
use crate::subscriptions::desired;
use crate::subscriptions::reconciler::Reconciler;
use crate::tasks::Tasks;
use crate::twitch::app_token::AppTokens;
use crate::twitch::helix::Helix;
use crate::twitch::oauth::{Credentials, OAuth};
use crate::twitch::signature::Verifier;

/// How long requests under way may take once the program is told to stop; then what they
/// submitted is written, which has its own limit.
const DRAIN_SECONDS: u64 = 10;

/// How long what was sent to a client may wait for it to read, in milliseconds.
#[cfg(target_os = "linux")]
const STALL_TIMEOUT_MS: u32 = 60_000;

/// One verifies tens of thousands of messages per second, far more than the database takes.
const MAX_HTTP_WORKERS: usize = 4;

/// How long a reader waits for a connection.
const POOL_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections for readers; the writer has its own.
const POOL_SIZE: u32 = 10;

/// Between two attempts to reach a database that is away at start.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// Why the program can't start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The private Postgres.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The generated secret.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The address or port.
    #[error("{addr} can't be served on: {source}; BIND_ADDR and LISTEN_PORT choose another")]
    Bind {
        /// Where.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The database answers, but waiting won't help.
    #[error("the database can't be used: {0}")]
    Database(sqlx::Error),
    /// A migration failed.
    #[error("the database can't be migrated: {0}")]
    Migrate(migrations::MigrationError),
    /// The HTTP server.
    #[error("the HTTP server failed: {0}")]
    Server(#[from] io::Error),
    /// What sends test events can't be made.
    #[error("test events can't be sent: {0}")]
    Tester(#[from] TestEventError),
    /// HTTPS can't be used.
    #[error("Twitch can't be called: {0}")]
    Twitch(#[from] TransportError),
    /// A task that should have gone on ended.
    #[error("the {0} ended unexpectedly")]
    TaskEnded(&'static str),
}

/// The running program.
#[derive(Debug)]
pub struct App {
    addr: SocketAddr,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
    writing: JoinHandle<()>,
    preparing: Option<Preparing>,
    /// What follows the log, and what acts on Twitch, if an application is configured.
    tasks: Tasks,
    hub: Arc<Hub>,
    pool: PgPool,
    postgres: Option<LocalPostgres>,
    token: Option<OwnToken>,
}

impl App {
    /// Starts everything and returns when it serves. A database that is away is waited for in the
    /// background; until then requests that need it are answered with 503.
    ///
    /// # Errors
    /// What can't be started, and how to help it.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self, AppError> {
        let (database, postgres) = match &config.database {
            Database::Given(options) => ((**options).clone(), None),
            Database::Private => {
                let postgres = LocalPostgres::start(&config.data_dir, Durability::Durable).await?;
                (postgres.connect_options(), Some(postgres))
            }
        };
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
        postgres::create_data_dir(&config.data_dir)?;
        let secret = config.webhook_secret()?;
        let verifier =
            Verifier::new([Some(&secret), config.twitch.previous_webhook_secret.as_ref()].into_iter().flatten());
        let listener = bind(SocketAddr::new(config.bind_addr, config.listen_port))?;
        let addr = listener.local_addr()?;
        let pool = PgPoolOptions::new()
            .max_connections(POOL_SIZE)
            .acquire_timeout(POOL_TIMEOUT)
            .connect_lazy_with(for_readers(database.clone()));
        let client = config.twitch.client.as_ref();
        let application = client.map(|client| Application::new(client, config, &pool, &clock)).transpose()?;
        let (preparing, token) = prepare(database.clone(), config, &clock).await?;
        let (ingest, writer) = Ingest::new(database.clone(), clock.clone());
        let metrics = Metrics::default();
        let webhook = Webhook { verifier, clock: clock.clone(), ingest: ingest.clone(), metrics: metrics.clone() };
        let sign_in = application.as_ref().map(|application| TwitchSignIn {
            oauth: application.oauth.clone(),
            channel_name: config.twitch.channel_name.clone(),
        });
        let access = Arc::new(Access::new(pool.clone(), clock.clone(), sign_in));
        let (trouble, troubles) = watch::channel(None);
        let tester = Tester::new(addr, secret.clone(), clock.clone())?;
        let hub = Hub::new(pool.clone());
        let context = api::Context {
            pool: pool.clone(),
            clock: clock.clone(),
            webhook,
            access: access.clone(),
            tester,
            cors_origins: config.cors_origins.clone(),
            metrics,
            hub: hub.clone(),
            setup: config.into(),
            troubles,
        };
        let server = serve(listener, context)?;
        let mut tasks = Tasks::default();
        tasks.spawn("noting of tokens' use", access.note_use());
        let signals = Signals::default();
        tasks.spawn("listening to the database", signals.clone().run(database.clone()));
        tasks.spawn("tail of the log", Tail::new(hub.clone(), database.clone(), signals.clone()).run());
        if let Some(Application { client_id, tokens, app_tokens, helix, .. }) = application {
            let reconciler = Reconciler {
                database,
                signals,
                helix: helix.clone(),
                clock: clock.clone(),
                client_id,
                channel_name: config.twitch.channel_name.clone(),
                types: desired::types(&config.twitch.extra_types),
                callback: config.twitch.callback_url.clone(),
                secret,
                trouble,
            };
            tasks.spawn("reconciler", reconciler.run());
            tasks.spawn("validation of tokens", tokens.run(app_tokens));
            tasks.spawn("filling of gaps", Gaps { helix, pool: pool.clone(), ingest, clock }.run());
        }
        Ok(Self {
            addr,
            server: server.handle(),
            serving: tokio::spawn(server),
            writing: tokio::spawn(Writer::run(writer)),
            preparing,
            tasks,
            hub,
            pool,
            postgres: None,
            token,
        })
    }

    /// Where it serves, with the port that the system chose if the setting was 0.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The access token that is in the data directory, if one is, or was to be put there. A database
    /// that is away at start tells nothing of tokens; then the log says where it was put.
    #[must_use]
    pub fn token(&self) -> Option<&OwnToken> {
        self.token.as_ref()
    }

    /// Runs until `shutdown` is ready, then answers what was accepted and stops everything.
    ///
    /// # Errors
    /// If a part of the program ended by itself. Everything else is stopped all the same.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), AppError> {
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            served = &mut self.serving => Err(served.map_or(AppError::TaskEnded("HTTP server"), |result| {
                result.err().map_or(AppError::TaskEnded("HTTP server"), AppError::Server)
            })),
            _ = &mut self.writing => Err(AppError::TaskEnded("writer of the log")),
            error = prepared(&mut self.preparing) => Err(error),
            name = self.tasks.any_end() => Err(AppError::TaskEnded(name)),
            error = supervised(&mut self.postgres) => Err(error.into()),
        };
        let stopped = self.stop().await;
        outcome.and(stopped)
    }

    /// In the order in which work flows, so that nothing accepted is dropped.
    async fn stop(mut self) -> Result<(), AppError> {
        tracing::info!("stopping");
        if let Some(preparing) = self.preparing.take() {
            preparing.abort();
        }
        // Streams have no end of their own, and would hold up the server's.
        self.hub.stop();
        self.tasks.stop().await;
        self.server.stop(true).await;
        if !self.serving.is_finished() {
            // Ends when the last worker has dropped its handlers, and with them the last `Ingest`.
            let _ = (&mut self.serving).await;
        }
        if !self.writing.is_finished() {
            let _ = (&mut self.writing).await;
        }
        self.pool.close().await;
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await?;
        }
        Ok(())
    }
}

/// What is needed to act on Twitch, as the configured application.
struct Application {
    client_id: String,
    oauth: OAuth,
    tokens: Arc<Tokens>,
    app_tokens: Arc<AppTokens>,
    helix: Helix,
}

impl Application {
    fn new(client: &Client, config: &Config, pool: &PgPool, clock: &Clock) -> Result<Self, AppError> {
        let credentials = Credentials { client_id: client.id.clone(), client_secret: client.secret.clone() };
        let oauth = OAuth::new(credentials, &config.twitch.auth_url, RetryPolicy::default(), clock.clone())?;
        let tokens = Arc::new(Tokens::new(pool.clone(), Vault::open_for(config)?, oauth.clone(), clock.clone()));
        let app_tokens = tokens.shared_app();
        let helix = Helix::new(config.twitch.api_url.clone(), app_tokens.clone());
        Ok(Self { client_id: client.id.clone(), oauth, tokens, app_tokens, helix })
    }
}

fn bind(addr: SocketAddr) -> Result<TcpListener, AppError> {
    let listener = std::net::TcpListener::bind(addr).map_err(|source| AppError::Bind { addr, source })?;
    listener.set_nonblocking(true)?;
    // Connections inherit it: the system ends those whose other side takes nothing any more. Without
    // that a reader who has stalled would keep its place for ever.
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(&listener, nix::sys::socket::sockopt::TcpUserTimeout, &STALL_TIMEOUT_MS)
        .map_err(io::Error::from)?;
    Ok(listener)
}

/// A plan that serves every filter at once would read the whole log for most of them, and to compile one takes longer than
/// to follow it.
fn for_readers(database: PgConnectOptions) -> PgConnectOptions {
    database.options([
        ("application_name", "showtime api"),
        ("statement_timeout", "5000"),
        ("plan_cache_mode", "force_custom_plan"),
        ("jit", "off"),
    ])
}

fn serve(listener: TcpListener, context: api::Context) -> Result<Server, AppError> {
    let context = web::Data::new(context);
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_HTTP_WORKERS));
    let server = HttpServer::new(move || Routes::new().configure(api::configure(context.clone())))
        .workers(workers)
        .disable_signals()
        .tcp_nodelay(true)
        .shutdown_timeout(DRAIN_SECONDS)
        .listen(listener)?
        .run();
    Ok(server)
}

/// The preparation that goes on in the background, if the database is away.
type Preparing = JoinHandle<Result<(), AppError>>;

/// Makes sure that the database is there and migrated, and that somebody has an access token. If
/// the database is away, goes on trying in a task.
async fn prepare(
    database: PgConnectOptions,
    config: &Config,
    clock: &Clock,
) -> Result<(Option<Preparing>, Option<OwnToken>), AppError> {
    match prepare_once(&database, config, clock).await {
        Err(AppError::Database(error)) if is_outage(&error) => {
            tracing::warn!(%error, "the database is away; waiting for it");
            let (config, clock) = (config.clone(), clock.clone());
            let preparing = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(DATABASE_PAUSE).await;
                    match prepare_once(&database, &config, &clock).await {
                        Err(AppError::Database(error)) if is_outage(&error) => {}
                        outcome => {
                            tell_of(outcome?.as_ref(), &config);
                            return Ok(());
                        }
                    }
                }
            });
            Ok((Some(preparing), None))
        }
        outcome => outcome.map(|token| (None, token)),
    }
}

/// Where nobody waits for a token any more, the log says where it is, but never what it is.
fn tell_of(token: Option<&OwnToken>, config: &Config) {
    tracing::info!("the database is there");
    let path = config.own_token_file();
    match token {
        Some(OwnToken { unkept: Some(error), .. }) => tracing::error!(
            %error,
            "an access token was made, but can't be put into {}: make another with `{} create`",
            path.display(),
            Program::Token
        ),
        Some(OwnToken { unkept: None, .. }) => tracing::info!("an access token is in {}", path.display()),
        None => {}
    }
}

async fn prepare_once(
    database: &PgConnectOptions,
    config: &Config,
    clock: &Clock,
) -> Result<Option<OwnToken>, AppError> {
    let mut connection = within(POOL_TIMEOUT, database.connect()).await.map_err(AppError::Database)?;
    if config.migrate {
        migrations::up(&mut connection).await.map_err(|error| match error {
            migrations::MigrationError::Failed(MigrateError::Execute(error)) if is_outage(&error) => {
                AppError::Database(error)
            }
            error => AppError::Migrate(error),
        })?;
    }
    let token = match access::find_or_make(&mut connection, config, clock).await {
        Err(error) if is_outage(&error) => return Err(AppError::Database(error)),
        // Migrations may be missing, which `/readyz` tells.
        Err(error) => {
            tracing::warn!(%error, "access tokens can't be used yet");
            None
        }
        Ok(token) => token,
    };
    connection.close().await.map_err(AppError::Database)?;
    Ok(token)
}

/// Never ready while the preparation goes on or after it succeeded.
async fn prepared(preparing: &mut Option<Preparing>) -> AppError {
    if let Some(task) = preparing {
        let outcome = task.await;
        *preparing = None;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(_) => return AppError::TaskEnded("preparation of the database"),
        }
    }
    std::future::pending().await
}

async fn supervised(postgres: &mut Option<LocalPostgres>) -> LocalError {
    match postgres {
        Some(postgres) => postgres.supervise().await,
        None => std::future::pending().await,
    }
}
