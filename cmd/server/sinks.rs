//! The commands on sinks.

mod add;
mod apply;
mod webhooks;

use std::path::PathBuf;

use anyhow::{Result, bail};
use showtime::cli::colour::{FAINT, GOOD, WARNING, styled};
use showtime::cli::{self, AsJson, with_database};
use showtime::config::Config;
use showtime::outputs::sink::service::{self, SinkReport};
use showtime::postgres;
use showtime::store::LogId;
use showtime::store::followers::Start;
use showtime::store::sinks::{self, SinkKind, SinkStatus};
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(clap::Subcommand)]
pub(crate) enum Sinks {
    /// List the sinks, with the state of each
    List(AsJson),
    /// Add a sink, which starts with the next event
    Add(Box<add::Add>),
    /// Remove a sink and its position in the log
    Remove {
        /// Its name
        name: String,
    },
    /// Add and change sinks as in a TOML file, and print what changed
    Apply {
        /// The file, with a table [sinks.NAME] per sink
        file: PathBuf,
    },
    /// Pause a sink, which keeps its position in the log
    Pause {
        /// Its name
        name: String,
    },
    /// Resume a sink where it was
    Resume {
        /// Its name
        name: String,
    },
    /// Send everything after a position of the log once more
    Rewind {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Send a test message, and say whether it arrived
    Test {
        /// Its name
        name: String,
    },
    /// Make a new key for a webhook; the old one also signs for another 24 hours
    Rotate {
        /// Its name
        name: String,
    },
    /// List the events that a webhook has not delivered
    Deliveries {
        /// Its name
        name: String,
        #[command(flatten)]
        format: AsJson,
    },
    /// Send again the events that a webhook has not delivered
    Resend {
        /// Its name
        name: String,
        /// One event; without it, all that have no attempts left
        #[arg(long, value_name = "ID")]
        event: Option<LogId>,
    },
    /// Give up the events that a webhook has not delivered
    Dismiss {
        /// Its name
        name: String,
        /// One event that has no attempts left; without it, all of them
        #[arg(long, value_name = "ID")]
        event: Option<LogId>,
    },
}

/// A position in the log.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// The id of the event to continue after; 0 for everything
    #[arg(long, value_name = "ID")]
    after: Option<LogId>,
    /// Continue with the first event that was received then or later, such as 2026-07-01T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<OffsetDateTime>,
}

fn time(text: &str) -> Result<OffsetDateTime, String> {
    let error = || "must be a time with its zone, such as 2026-07-01T18:00:00Z".to_owned();
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| error())
}

pub(crate) async fn run(command: Sinks, config: &Config) -> Result<()> {
    with_database(config, async |connection| {
        cli::require_migrations(connection).await?;
        match command {
            Sinks::List(format) => list(connection, format).await?,
            Sinks::Add(sink) => add::run(connection, config, *sink).await?,
            Sinks::Remove { name } => {
                service::remove(connection, &name).await?;
                cli::print(format_args!("removed {name}"));
            }
            Sinks::Apply { file } => {
                // The key that encrypts URLs is kept there.
                postgres::create_data_dir(&config.data_dir)?;
                apply::run(connection, config, &file).await?;
            }
            Sinks::Pause { name } => {
                service::pause(connection, &name, true).await?;
                cli::print(format_args!("{name} is paused, and keeps its place in the log"));
            }
            Sinks::Resume { name } => {
                service::pause(connection, &name, false).await?;
                cli::print(format_args!("{name} goes on"));
            }
            Sinks::Rewind { name, place: Place { after, at } } => {
                let after = match at {
                    Some(at) => sinks::last_before(&mut *connection, at).await?,
                    None => after.unwrap_or(LogId::START),
                };
                service::rewind(connection, &name, Start::After(after)).await?;
                cli::print(format_args!("{name} goes on after event {after}"));
            }
            Sinks::Test { name } => {
                let sink = service::definition(connection, &name).await?;
                if !service::test(&sink, config).await? {
                    bail!("the broker took the message and dropped it, since no queue is bound for it");
                }
                cli::print(match sink.kind {
                    SinkKind::Amqp => "the message is in a queue",
                    SinkKind::Webhook => "the receiver has the message",
                });
            }
            Sinks::Rotate { name } => webhooks::rotate(connection, config, &name).await?,
            Sinks::Deliveries { name, format } => webhooks::list(connection, &name, format).await?,
            Sinks::Resend { name, event } => webhooks::resend(connection, &name, event).await?,
            Sinks::Dismiss { name, event } => webhooks::dismiss(connection, &name, event).await?,
        }
        Ok(())
    })
    .await
}

async fn list(connection: &mut PgConnection, format: AsJson) -> Result<()> {
    let sinks = service::list(connection).await?;
    if format.json {
        return Ok(cli::print_json(&sinks)?);
    }
    let width = sinks.iter().map(|sink| sink.name.len()).max().unwrap_or_default().max(4);
    cli::print(format_args!(
        "{:width$}  kind     state    {:>10}  {:>13}  {:>14}",
        "name", "cursor", "events behind", "seconds behind"
    ));
    for sink in sinks {
        let SinkReport { name, settings, state, cursor, events_behind, seconds_behind, problem, .. } = sink;
        let style = match state {
            SinkStatus::Ok => GOOD,
            SinkStatus::Waiting | SinkStatus::Blocked => WARNING,
            SinkStatus::Off => FAINT,
        };
        let (kind, state): (&str, &str) = (settings.kind().into(), state.into());
        let (state, cursor) = (styled(style, format_args!("{state:7}")), cursor.to_string());
        cli::print(format_args!(
            "{name:width$}  {kind:7}  {state}  {cursor:>10}  {events_behind:>13}  {seconds_behind:>14.1}"
        ));
        if let Some(problem) = problem {
            cli::print(format_args!("  {}", cli::printable(&problem)));
        }
    }
    Ok(())
}
