//! The server, and what is done to its database from the command line.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::{Parser, Subcommand};
use showtime::app::App;
use showtime::clock::Clock;
use showtime::config::{Config, Database, LogFormat, settings_help};
use showtime::store::local;
use showtime::store::{migrations, state};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How long a command waits for the database.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Receives Twitch's events, keeps them exactly once, and tells what is on.
#[derive(Parser)]
#[command(version, after_help = settings_help())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (the default)
    Serve,
    /// Throw all derived state away and make it again from the log
    Rebuild,
    /// Apply or revert migrations
    #[command(subcommand)]
    Migrate(Migrate),
    /// Use the private Postgres without the server
    #[command(subcommand)]
    LocalDb(LocalDb),
}

#[derive(Subcommand)]
enum Migrate {
    /// Apply all that are missing
    Up,
    /// Revert the newest
    Down,
    /// List them
    Status,
}

#[derive(Subcommand)]
enum LocalDb {
    /// Start it, and leave it running
    Up,
    /// Stop it
    Down,
    /// Delete everything in it
    Reset,
    /// Print the variables with which other programs reach it
    Env,
    /// Open psql on it
    Psql {
        /// Passed on to psql
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    log(&config);
    match (start(arguments, &config), config.log_format) {
        (Ok(()), _) => return ExitCode::SUCCESS,
        (Err(error), LogFormat::Human) => eprintln!("error: {error}"),
        (Err(error), LogFormat::Json) => tracing::error!("{error}"),
    }
    ExitCode::FAILURE
}

/// HTTP has threads of its own; what runs here is the writer, and whatever waits.
fn start(arguments: Arguments, config: &Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(arguments, config))
}

async fn run(arguments: Arguments, config: &Config) -> Result<()> {
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config).await,
        Command::Rebuild => {
            let count = with_database(config, async |connection| {
                let mut transaction = connection.begin().await?;
                let count = state::rebuild(&mut transaction).await?;
                transaction.commit().await?;
                Ok(count)
            })
            .await?;
            println!("rebuilt from {count} messages");
            Ok(())
        }
        Command::Migrate(command) => with_database(config, async |connection| migrate(command, connection).await).await,
        Command::LocalDb(command) => local_db(command, config).await,
    }
}

async fn serve(config: &Config) -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let app = tokio::select! {
        app = App::start(config, Clock::default()) => app?,
        () = either(&mut interrupt, &mut terminate) => return Ok(()),
    };
    let addr = app.addr();
    let banner = format!(
        "showtime serves on http://{addr}\n  \
           try it:    cargo run --bin simulate stream.online\n  \
           then see:  curl -s http://{addr}/channels\n  \
           API:       http://{addr}/docs   health: http://{addr}/status\n"
    );
    // Nobody may be reading, which is no reason not to serve.
    let _ = std::io::stdout().write_all(banner.as_bytes());
    app.run(async {
        either(&mut interrupt, &mut terminate).await;
        // Whoever asks twice does not want to wait; the watchdog still stops Postgres.
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            std::process::exit(130);
        });
    })
    .await?;
    Ok(())
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
}

async fn migrate(command: Migrate, connection: &mut PgConnection) -> Result<()> {
    match command {
        Migrate::Up => migrations::up(connection).await?,
        Migrate::Down => match migrations::down(connection).await? {
            Some(reverted) => println!("reverted {:04} {}", reverted.version, reverted.description),
            None => println!("nothing to revert"),
        },
        Migrate::Status => {}
    }
    for migration in migrations::status(connection).await? {
        let mark = if migration.is_applied { "applied" } else { "missing" };
        println!("{mark}  {:04} {}", migration.version, migration.description);
    }
    Ok(())
}

async fn local_db(command: LocalDb, config: &Config) -> Result<()> {
    let dir = &config.data_dir;
    let said = match command {
        LocalDb::Up => local::up(dir).await?,
        LocalDb::Down => local::down(dir).await?,
        LocalDb::Reset => local::reset(dir).await?,
        LocalDb::Env => local::env(dir).await?,
        LocalDb::Psql { arguments } => return Err(local::psql(dir, &arguments).await.into()),
    };
    println!("{said}");
    Ok(())
}

/// Connects to the configured database, or to the private one: that of the server which runs, else
/// one started for as long as it takes.
async fn with_database<T>(config: &Config, work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
    let (options, postgres) = match &config.database {
        Database::Given(options) => ((**options).clone(), None),
        Database::Private => local::start_or_join(&config.data_dir).await?,
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

fn log(config: &Config) {
    let filter = EnvFilter::new(&config.log);
    let output = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Json => output.json().init(),
        LogFormat::Human if std::io::stderr().is_terminal() => output.init(),
        LogFormat::Human => output.with_ansi(false).init(),
    }
}
