//! The database of a server: found or started, prepared, and waited for while it is away.

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::task::JoinHandle;

use super::AppError;
use crate::access::{self, BootstrapToken};
use crate::clock::Clock;
use crate::config::{Config, Database, describe_database};
use crate::ingest::Ingest;
use crate::postgres::{Durability, LocalPostgres};
use crate::program::Program;
use crate::services::Services;
use crate::store::migrations::{self, MigrationError};
use crate::store::read::scan;
use crate::store::{answered, databases, epoch, is_outage, pool_options, within};

/// How long a request waits for a connection.
const POOL_TIMEOUT: Duration = Duration::from_secs(2);

/// Settings of the connections that requests share. A transaction may last while Twitch makes a token, with all repeats.
const SETTINGS: [(&str, &str); 3] = [
    ("application_name", "showtime api"),
    ("statement_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "180000"),
];

/// Connections that requests share; the writer has its own.
pub const POOL_SIZE: u32 = 10;

/// The pause between two attempts to reach a database that is away at start.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The address of the configured database, or of a private one that is started.
pub(super) async fn open(config: &Config) -> Result<(PgConnectOptions, Option<LocalPostgres>), AppError> {
    match &config.database {
        Database::Given(options) => Ok(((**options).clone(), None)),
        Database::Private => {
            let postgres = LocalPostgres::start(&config.data_dir, Durability::Durable).await?;
            Ok((postgres.connect_options(), Some(postgres)))
        }
    }
}

/// The connections that requests share.
///
/// After a time in which nothing could be written, connections from before it are not used again.
pub(super) fn pool(database: PgConnectOptions, ingest: &Ingest) -> PgPool {
    let options = database.options(SETTINGS).options(scan::SETTINGS);
    let is_since_recovery = ingest.is_since_recovery();
    pool_options()
        .max_connections(POOL_SIZE)
        .acquire_timeout(POOL_TIMEOUT)
        .before_acquire(move |_, connection| {
            let is_usable = is_since_recovery(connection.age);
            Box::pin(async move { Ok(is_usable) })
        })
        .connect_lazy_with(options)
}

/// The preparation of a database that was away at start, while it goes on.
#[derive(Debug, Default)]
pub(super) struct Preparation(Option<JoinHandle<Result<(), AppError>>>);

impl Preparation {
    /// Migrates the database and makes sure that there is an access token. If the database is away, keeps trying in the
    /// background.
    pub(super) async fn start(services: &Services) -> Result<(Self, Option<BootstrapToken>), AppError> {
        let (database, config, clock) = (services.database.clone(), services.config.clone(), services.clock.clone());
        match prepare(&database, &config, &clock).await {
            Err(AppError::Database { address, source: error }) if is_outage(&error) => {
                tracing::warn!(%error, database.address = address, "the database is away; waiting for it");
                Ok((Self(Some(tokio::spawn(retry(database, config, clock)))), None))
            }
            outcome => outcome.map(|token| (Self::default(), token)),
        }
    }

    /// Waits for the preparation to fail; never returns if it succeeds.
    pub(super) async fn failure(&mut self) -> AppError {
        if let Some(task) = &mut self.0 {
            let outcome = task.await;
            self.0 = None;
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(_) => return AppError::TaskEnded("preparation of the database"),
            }
        }
        std::future::pending().await
    }

    pub(super) fn abort(self) {
        if let Some(task) = self.0 {
            task.abort();
        }
    }
}

async fn retry(database: PgConnectOptions, config: Arc<Config>, clock: Clock) -> Result<(), AppError> {
    loop {
        tokio::time::sleep(RETRY_PAUSE).await;
        match prepare(&database, &config, &clock).await {
            Err(AppError::Database { source, .. }) if is_outage(&source) => {}
            outcome => {
                let token = outcome?;
                tracing::info!("the database is there");
                log_token(token.as_ref(), &config);
                return Ok(());
            }
        }
    }
}

async fn prepare(
    database: &PgConnectOptions,
    config: &Config,
    clock: &Clock,
) -> Result<Option<BootstrapToken>, AppError> {
    let failed = |source| AppError::Database { address: describe_database(database), source };
    let mut connection = connect(database).await?;
    if config.migrate {
        migrations::up(&mut connection).await.map_err(|error| match error {
            MigrationError::Failed(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))
                if is_outage(&error) =>
            {
                failed(error)
            }
            error => AppError::Migrate(error),
        })?;
    }
    // It waits for a rebuild of the log, without a limit: nothing may be written before a new epoch has begun.
    match epoch::check(&mut connection).await {
        Ok(Some(first)) => tracing::warn!(
            "the database was restored or moved: the log goes on with id {first}, and readers that know newer ids than it has \
            start over"
        ),
        Ok(None) => {}
        Err(error) if is_outage(&error) => return Err(failed(error)),
        Err(error) => tracing::warn!(%error, "whether the database was restored can't be found out"),
    }
    let token = match answered(access::bootstrap(&mut connection, config, clock)).await {
        Err(error) if is_outage(&error) => return Err(failed(error)),
        // Migrations may be missing; `/readyz` shows them.
        Err(error) => {
            tracing::warn!(%error, "access tokens can't be used yet");
            None
        }
        Ok(token) => token,
    };
    answered(connection.close()).await.map_err(failed)?;
    Ok(token)
}

/// Connects with a setting of the connection, as all tasks of the server do.
///
/// # Errors
/// [`AppError::Pooler`] if a connection pooler refuses that, or gives connections no session of their own.
async fn connect(database: &PgConnectOptions) -> Result<PgConnection, AppError> {
    let options = database.clone().options([("application_name", "showtime start")]);
    let open = || within(POOL_TIMEOUT, options.connect());
    let check = async {
        let (mut connection, mut other) = (open().await?, open().await?);
        let is_shared = within(POOL_TIMEOUT, databases::shares_sessions(&mut connection, &mut other)).await?;
        answered(other.close()).await?;
        Ok((connection, is_shared))
    };
    match check.await {
        Ok((connection, false)) => Ok(connection),
        Ok((_, true)) => Err(AppError::Pooler("its connections share sessions".to_owned())),
        Err(error) if databases::is_poolers_fault(&error) => Err(AppError::Pooler(error.to_string())),
        Err(source) => Err(AppError::Database { address: describe_database(database), source }),
    }
}

/// Logs where the token is, never what it is: by now, the banner with the token has been printed without it.
fn log_token(token: Option<&BootstrapToken>, config: &Config) {
    let path = config.bootstrap_token_file();
    match token {
        Some(BootstrapToken { write_error: Some(error), .. }) => tracing::error!(
            %error,
            "an access token was made, but can't be put into {}: make another with `{} create`",
            path.display(),
            Program::Token
        ),
        Some(BootstrapToken { write_error: None, .. }) => tracing::info!("an access token is in {}", path.display()),
        None => {}
    }
}
