//! The commands on webhooks alone.

use anyhow::Result;
use secrecy::{ExposeSecret as _, SecretString};
use showtime::api::Delivery;
use showtime::cli::{self, AsJson, printable};
use showtime::clock::{Clock, to_text};
use showtime::config::Config;
use showtime::outputs::sink::service;
use showtime::store::{LogId, Order};
use sqlx::PgConnection;

/// Events that are listed, at most.
const MAX_LISTED: i64 = 1_000;

/// Prints a key, this once.
pub(super) fn print_key(key: &SecretString) {
    cli::print(format_args!("its key, which is not shown again: {}", key.expose_secret()));
}

pub(super) async fn rotate(connection: &mut PgConnection, config: &Config, name: &str) -> Result<()> {
    let key = service::rotate(connection, config, &Clock::default(), name).await?;
    cli::print(format_args!("{name} signs with a new key, and for 24 hours with the one before it as well"));
    print_key(&key);
    Ok(())
}

pub(super) async fn list(connection: &mut PgConnection, name: &str, format: AsJson) -> Result<()> {
    let rows = service::undelivered(connection, name, Order::Asc, None, MAX_LISTED).await?;
    if format.json {
        return Ok(cli::print_json(&rows.into_iter().map(Delivery::from).collect::<Vec<_>>())?);
    }
    cli::print(format_args!("{:>10}  {:>8}  {:20}  {:30}  problem", "event", "attempts", "next attempt", "type"));
    for row in rows {
        let (event, next) = (row.event_id.to_string(), row.next_at.map_or("none".to_owned(), to_text));
        let (kind, problem) = (printable(row.kind.as_deref().unwrap_or("deleted")), printable(&row.problem));
        cli::print(format_args!("{event:>10}  {:>8}  {next:20}  {kind:30}  {problem}", row.attempts));
    }
    Ok(())
}

pub(super) async fn resend(connection: &mut PgConnection, name: &str, event: Option<LogId>) -> Result<()> {
    let count = service::resend(connection, name, event).await?;
    cli::print(format_args!("{name} sends {count} events again"));
    Ok(())
}

pub(super) async fn dismiss(connection: &mut PgConnection, name: &str, event: Option<LogId>) -> Result<()> {
    let count = service::dismiss(connection, name, event).await?;
    cli::print(format_args!("{name} gives up {count} events"));
    Ok(())
}
