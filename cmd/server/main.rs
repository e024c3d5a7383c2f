//! The server, and the commands on its database.

mod banner;
mod bots;
mod chat;
mod database;
mod listen;
mod privacy;
mod rules;
mod sinks;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use showtime::app::App;
use showtime::cli::{self, Shutdown};
use showtime::clock::Clock;
use showtime::config::{Config, LogFormat, unknown_settings};

use self::bots::Bots;
use self::chat::Chat;
use self::database::{LocalDb, Migrate};
use self::listen::Listen;
use self::privacy::{Forget, Prune};
use self::rules::Rules;
use self::sinks::Sinks;

/// Each connection is a file. The usual soft limit of 1024 is less than the readers of one busy feed, and a client that
/// opened so many connections would keep Twitch out.
const MAX_FILES: u64 = 1 << 16;

/// A limit of open files below this is worth a warning.
const ENOUGH_FILES: u64 = 1024;

/// Receives Twitch's events, stores each exactly once, and serves events and the state of channels over HTTP.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (the default)
    Serve,
    /// Delete all derived state and rebuild it from the log
    Rebuild,
    /// Write the database and the secrets to one file, which only you can read
    Backup {
        /// The file; one that exists is replaced
        file: PathBuf,
    },
    /// Restore a backup into an empty database
    Restore {
        /// The file
        file: PathBuf,
        /// Delete all that is in the database, and replace the secrets
        #[arg(long)]
        force: bool,
    },
    /// Forget a user: empty the payloads that name them, and remove them from the state
    Forget(Forget),
    /// Delete the events from before a time; the state stays, also after a rebuild
    Prune(Prune),
    /// Print a live feed in this terminal
    Listen(Box<Listen>),
    /// Manage the sinks, which send every event to other programs
    #[command(subcommand)]
    Sinks(Sinks),
    /// Manage the rules that react to events: commands, thanks, spam filters, timers
    #[command(subcommand)]
    Rules(Rules),
    /// Manage the Discord bots that track channels
    #[command(subcommand)]
    Bot(Bots),
    /// Show and set when the chats of channels are read
    #[command(subcommand)]
    Chat(Chat),
    /// Apply or revert migrations
    #[command(subcommand)]
    Migrate(Migrate),
    /// Use the private Postgres without the server
    #[command(subcommand)]
    LocalDb(LocalDb),
}

fn main() -> ExitCode {
    let arguments: Arguments = cli::parse();
    let config = match Config::load() {
        Ok(config) => config,
        Err(error) => return cli::fail(&error),
    };
    cli::log(&config.log, config.log_format);
    match (start(arguments, &config), config.log_format) {
        (Ok(()), _) => ExitCode::SUCCESS,
        (Err(error), LogFormat::Human) => cli::fail(error.as_ref()),
        (Err(error), LogFormat::Json) => {
            tracing::error!("{}", cli::with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments, config: &Config) -> Result<()> {
    cli::runtime()?.block_on(async {
        match arguments.command.unwrap_or(Command::Serve) {
            Command::Serve => serve(config).await,
            Command::Rebuild => database::rebuild(config).await,
            Command::Backup { file } => database::backup(config, &file).await,
            Command::Restore { file, force } => database::restore(config, &file, force).await,
            Command::Forget(arguments) => privacy::forget(arguments, config).await,
            Command::Prune(arguments) => privacy::prune(arguments, config).await,
            Command::Listen(arguments) => listen::run(*arguments, config).await,
            Command::Sinks(command) => sinks::run(command, config).await,
            Command::Rules(command) => rules::run(command, config).await,
            Command::Bot(command) => bots::run(command, config).await,
            Command::Chat(command) => chat::run(command, config).await,
            Command::Migrate(command) => database::migrate(command, config).await,
            Command::LocalDb(command) => database::local_db(command, config).await,
        }
    })
}

async fn serve(config: &Config) -> Result<()> {
    unknown_settings().iter().for_each(|warning| tracing::warn!("{warning}"));
    match rlimit::increase_nofile_limit(MAX_FILES) {
        Ok(limit) if limit < ENOUGH_FILES => tracing::warn!(
            "at most {limit} files may be open, and so many connections: raise the hard limit (`ulimit -Hn`, or `LimitNOFILE` of \
            systemd) to {ENOUGH_FILES} or more"
        ),
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is, and so does that of connections");
        }
    }
    let mut shutdown = Shutdown::new()?;
    let app = tokio::select! {
        app = App::start(config, Clock::default()) => app?,
        () = shutdown.requested() => return Ok(()),
    };
    banner::announce(&app, config);
    app.run(async {
        shutdown.requested().await;
        // A second signal ends the program at once; the watchdog still stops Postgres.
        tokio::spawn(async move {
            shutdown.requested().await;
            std::process::exit(130);
        });
    })
    .await?;
    Ok(())
}
