//! The commands on Discord bots.

use anyhow::Result;
use secrecy::{ExposeSecret as _, SecretString};
use showtime::api;
use showtime::cli::{self, AsJson, with_database};
use showtime::clock::Clock;
use showtime::config::Config;
use showtime::store::tracking::bots::{self, Bot};
use showtime::tracking::bots as service;
use sqlx::PgConnection;

#[derive(clap::Subcommand)]
pub(crate) enum Bots {
    /// Add a bot, and print its secret, which is shown once
    Add {
        /// Its name
        name: String,
    },
    /// Make a new secret for a bot, and refuse its tokens
    Rotate {
        /// Its name
        name: String,
    },
    /// List the bots, and how much they track
    List(AsJson),
    /// Refuse a bot's tokens and give it no more; its tracks stay
    Disable {
        /// Its name
        name: String,
    },
    /// Give a bot tokens again
    Enable {
        /// Its name
        name: String,
    },
    /// Remove a bot and all that it tracks
    Remove {
        /// Its name
        name: String,
    },
}

pub(crate) async fn run(command: Bots, config: &Config) -> Result<()> {
    with_database(config, async |connection| {
        cli::require_migrations(connection).await?;
        let now = Clock::default().now();
        match command {
            Bots::Add { name } => print(&service::add(connection, &name, now).await?),
            Bots::Rotate { name } => print(&service::rotate(connection, &name).await?),
            Bots::List(format) => list(connection, format).await?,
            Bots::Disable { name } => {
                service::switch(connection, &name, Some(now)).await?;
                cli::print(format_args!("{name} gets no tokens"));
            }
            Bots::Enable { name } => {
                service::switch(connection, &name, None).await?;
                cli::print(format_args!("{name} gets tokens again"));
            }
            Bots::Remove { name } => {
                service::remove(connection, &name).await?;
                cli::print(format_args!("removed {name}"));
            }
        }
        Ok(())
    })
    .await
}

/// Prints a secret alone, so that a script can take it.
fn print(secret: &SecretString) {
    cli::print(secret.expose_secret());
}

async fn list(connection: &mut PgConnection, format: AsJson) -> Result<()> {
    let bots = bots::all(connection).await?;
    if format.json {
        return Ok(cli::print_json(&bots.into_iter().map(api::Bot::from).collect::<Vec<_>>())?);
    }
    let width = bots.iter().map(|bot| bot.name.len()).max().unwrap_or_default().max(4);
    cli::print(format_args!("{:width$}  {:8}  {:>16}  {:>15}", "name", "state", "Discord channels", "Twitch channels"));
    for Bot { name, disabled_at, destinations, tracks, .. } in bots {
        let state = if disabled_at.is_some() { "disabled" } else { "enabled" };
        cli::print(format_args!("{name:width$}  {state:8}  {destinations:>16}  {tracks:>15}"));
    }
    Ok(())
}
