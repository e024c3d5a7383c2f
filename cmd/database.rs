//! The database that the settings name, for commands that need it for a moment.

use std::time::Duration;

use anyhow::{Result, anyhow};
use showtime::config::{Config, Database};
use showtime::postgres;
use sqlx::{ConnectOptions as _, PgConnection};

/// How long a command waits for the database.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to the configured database, or to the private one: that of the server which runs, else
/// one started for as long as it takes.
pub(crate) async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
) -> Result<T> {
    let (options, postgres) = match &config.database {
        Database::Given(options) => ((**options).clone(), None),
        Database::Private => postgres::start_or_join(&config.data_dir).await?,
    };
    let outcome = async {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, options.connect());
        let connected = connecting.await.map_err(|_| anyhow!("the database did not answer in time"))?;
        let mut connection = connected.map_err(|error| anyhow!("the database can't be used: {error}"))?;
        work(&mut connection).await
    };
    let outcome = outcome.await;
    if let Some(postgres) = postgres {
        postgres.stop().await?;
    }
    outcome
}
