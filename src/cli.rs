//! What the programs share: the runtime, the log, signals, a connection to the database, lists as JSON, colour, error texts.

pub mod colour;
mod help;
mod json;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

use self::colour::{BAD, styled};
pub use self::help::parse;
pub use self::json::{AsJson, escaped, print_json};
use crate::config::{Config, Database, LogFormat, describe_database};
use crate::postgres::{self, LocalError};
use crate::program::Program;
use crate::store::read::health::missing_migrations;

/// How long a command waits for the database.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A runtime of two threads, for the writer and for tasks that mostly wait; HTTP has its own threads.
///
/// # Errors
/// If the system has no threads or files left.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Writes the log to stderr from now on; `filter` is a level or `tracing` filter directives. Lines that can't be written
/// (a closed pipe, a full disk) are lost silently: an error message would go to stderr as well, by a macro that panics.
pub fn log(filter: &str, format: LogFormat) {
    // The AMQP client would log each message that no queue gets, with its body.
    let filter = format!("lapin::returned_messages=error,{filter}");
    let output = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr)
        .log_internal_errors(false);
    match format {
        LogFormat::Human => output.with_ansi(colour::is_shown_on_stderr()).init(),
        LogFormat::Json => output.json().init(),
    }
}

/// Ctrl-C, and the `TERM` that service managers send. Caught from [`Shutdown::new`] on, so none is lost.
#[derive(Debug)]
pub struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
}

impl Shutdown {
    /// Catches the signals from now on; they do not end the program by themselves any more.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next signal.
    pub async fn requested(&mut self) {
        tokio::select! { _ = self.interrupt.recv() => {}, _ = self.terminate.recv() => {} }
    }
}

/// Why a command can't use the database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The private Postgres failed.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The connection took more than ten seconds.
    #[error("the database did not answer in time ({0})")]
    Timeout(String),
    /// There is no connection.
    #[error("the database can't be used ({address}): {source}")]
    NotConnected {
        /// Where the database is.
        address: String,
        /// Why not.
        source: sqlx::Error,
    },
    /// A query failed.
    #[error("the database can't be used: {0}")]
    Failed(#[from] sqlx::Error),
    /// The server has not migrated it yet.
    #[error("the database lacks migrations: start the server first, or run `{} migrate up`", Program::Server)]
    LacksMigrations,
}

/// Runs a command on a connection to the configured database, or to the private one: that of the running server, else
/// one that is started for as long as the command takes.
///
/// # Errors
/// [`DatabaseError`], or that of the command.
pub async fn with_database<T, E: From<DatabaseError>>(
    config: &Config,
    command: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<T, E> {
    let (options, postgres) = match &config.database {
        Database::Given(options) => ((**options).clone(), None),
        Database::Private => postgres::start_or_join(&config.data_dir).await.map_err(DatabaseError::from)?,
    };
    let outcome = async {
        let connected = timeout(CONNECT_TIMEOUT, options.connect()).await;
        let connected = connected.map_err(|_| DatabaseError::Timeout(describe_database(&options)))?;
        let failed = |source| DatabaseError::NotConnected { address: describe_database(&options), source };
        command(&mut connected.map_err(failed)?).await
    };
    let outcome = outcome.await;
    if let Some(postgres) = postgres {
        postgres.stop().await.map_err(DatabaseError::from)?;
    }
    outcome
}

/// Fails if the database lacks migrations of this program.
///
/// # Errors
/// [`DatabaseError::LacksMigrations`], or [`DatabaseError::Failed`].
pub async fn require_migrations(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    match missing_migrations(connection).await?.as_slice() {
        [] => Ok(()),
        _ => Err(DatabaseError::LacksMigrations),
    }
}

/// Parses an address of this machine, for the mocks, which serve no other.
///
/// # Errors
/// If it is no IP address, or not one of this machine.
pub fn loopback(text: &str) -> Result<IpAddr, String> {
    let ip: IpAddr =
        if text == "localhost" { Ipv4Addr::LOCALHOST.into() } else { text.parse().map_err(|_| "not an IP address")? };
    ip.is_loopback().then_some(ip).ok_or_else(|| "only an address of this machine, such as 127.0.0.1 or ::1".to_owned())
}

/// Parses the arguments of a mock, or exits with an error. Options for one that is to be started don't go with a command for one
/// that runs at `--url`.
#[must_use]
pub fn parse_mock<A: Parser>() -> A {
    let matches = A::command().get_matches();
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let given = A::command().get_arguments().map(|arg| arg.get_id().to_string()).find(|id| id != "url" && is_given(id));
    if let (Some(option), Some(command)) = (given, matches.subcommand_name()) {
        let text = format!("--{} can't be used with the command `{command}`", option.replace('_', "-"));
        A::command().error(ErrorKind::ArgumentConflict, text).exit();
    }
    A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Prints a line on stdout, with its colours if they are shown. Unlike `println!`, does not panic if that can't be written.
pub fn print(text: impl Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints a line on stderr, with its colours if they are shown. Unlike `eprintln!`, does not panic if that can't be written.
pub fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints an error with its causes.
pub fn note_error(error: &(dyn Error + 'static)) {
    note(format_args!("{} {}", styled(BAD, "error:"), with_causes(error)));
}

/// Prints an error with its causes, and returns the exit status of a failure.
#[must_use]
pub fn fail(error: &(dyn Error + 'static)) -> ExitCode {
    note_error(error);
    ExitCode::FAILURE
}

/// A text that another machine gave, fit for a terminal: what could move its cursor, begin a line or turn the direction of
/// writing is escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(c.escape_unicode());
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// An error and its causes, each once: most errors of the library contain the text of their cause, and the contexts that
/// programs add do not. Each line is [`printable`].
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the port can't be used: {source}")]
    struct PortError {
        source: io::Error,
    }

    #[test]
    fn what_could_change_a_terminal_is_escaped() {
        let shown = printable("Ünïcode 日本 \u{1b}[2J\r\n\u{9b}31m\u{202e}abc\u{2028}\u{7f}");
        assert_eq!(shown, r"Ünïcode 日本 \u{1b}[2J\r\n\u{9b}31m\u{202e}abc\u{2028}\u{7f}");
        assert_eq!(with_causes(&io::Error::other("two\nlines\u{1b}")), "two\nlines\\u{1b}");
    }

    #[test]
    fn each_cause_is_shown_once() {
        let error = || PortError { source: io::Error::other("it is taken") };
        assert_eq!(with_causes(&error()), "the port can't be used: it is taken");
        let wrapped = Err::<(), _>(error()).context("no consent").unwrap_err();
        assert_eq!(with_causes(wrapped.as_ref()), "no consent: the port can't be used: it is taken");
    }
}
