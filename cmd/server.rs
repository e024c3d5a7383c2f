//! The server, and what is done to its database from the command line.

mod database;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret as _;
use showtime::access::BootstrapToken;
use showtime::app::App;
use showtime::clock::Clock;
use showtime::config::{Config, LogFormat, settings_help};
use showtime::postgres;
use showtime::program::Program;
use showtime::store::{migrations, state};
use sqlx::{Connection as _, PgConnection};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use self::database::with_database;

/// Each connection is a file. The usual soft limit of 1024 is less than the readers of one busy feed,
/// and whoever opens that many connections would keep Twitch out.
const MAX_FILES: u64 = 1 << 16;

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
    if let Err(error) = rlimit::increase_nofile_limit(MAX_FILES) {
        tracing::warn!(%error, "the limit of open files stays as it is, and so does that of connections");
    }
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let app = tokio::select! {
        app = App::start(config, Clock::default()) => app?,
        () = either(&mut interrupt, &mut terminate) => return Ok(()),
    };
    // Nobody may be reading, which is no reason not to serve.
    let _ = std::io::stdout().write_all(banner(app.addr(), app.token(), config).as_bytes());
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

/// What to do next. Not part of the log: it holds a token.
fn banner(addr: SocketAddr, token: Option<&BootstrapToken>, config: &Config) -> String {
    let file = config.bootstrap_token_file();
    let (fragment, bearer) = match token {
        Some(BootstrapToken { text, write_error }) => {
            let text = text.expose_secret();
            let bearer = if write_error.is_some() { text.to_owned() } else { format!("$(cat {})", file.display()) };
            (format!("#token={text}"), bearer)
        }
        None => (String::new(), "TOKEN".to_owned()),
    };
    let mut banner = format!("showtime serves on http://{addr}\n  dashboard: http://{addr}/{fragment}\n");
    // A String takes everything.
    let _ = match token {
        Some(BootstrapToken { write_error: Some(error), .. }) => writeln!(
            banner,
            "  note:      keep that token, it is not shown again: {} can't be written ({error})",
            file.display()
        ),
        Some(_) => Ok(()),
        None => writeln!(banner, "  token:     {} create --name NAME --scope admin", Program::Token),
    };
    let _ = write!(
        banner,
        "  try it:    {} stream.online\n  \
           then see:  curl -s -H \"Authorization: Bearer {bearer}\" http://{addr}/channels\n  \
           API:       http://{addr}/docs   health: http://{addr}/status\n",
        Program::Simulate
    );
    banner
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
        LocalDb::Up => postgres::up(dir).await?,
        LocalDb::Down => postgres::down(dir).await?,
        LocalDb::Reset => postgres::reset(dir).await?,
        LocalDb::Env => postgres::env(dir).await?,
        LocalDb::Psql { arguments } => return Err(postgres::psql(dir, &arguments).await.into()),
    };
    println!("{said}");
    Ok(())
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
