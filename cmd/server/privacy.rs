//! The commands that delete data: `forget` and `prune`.

use anyhow::{Result, bail};
use showtime::cli::{self, with_database};
use showtime::clock::Clock;
use showtime::config::{Config, MAX_DAYS};
use showtime::store::forget::{self, Known};
use showtime::store::prune::{self, MIN_AGE, Rule};
use sqlx::PgConnection;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};

/// The user or channel to forget.
#[derive(clap::Args)]
pub(crate) struct Forget {
    /// A user's id or login
    #[arg(required_unless_present = "channel", conflicts_with = "channel")]
    user: Option<String>,
    /// The id or login of an invented channel, to remove it with its state and the payloads of its events
    #[arg(long)]
    channel: Option<String>,
    /// Do it; without, only say what would be done
    #[arg(long)]
    force: bool,
}

/// What to prune.
#[derive(clap::Args)]
pub(crate) struct Prune {
    /// A date, such as 2026-01-31, or an age in days, such as 90d
    #[arg(long, value_name = "DATE|DAYS", value_parser = before)]
    before: Before,
    /// Do it; without, only say what would be done
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy)]
enum Before {
    Time(OffsetDateTime),
    Age(Duration),
}

fn before(text: &str) -> Result<Before, String> {
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        return match days {
            1..=MAX_DAYS => Ok(Before::Age(Duration::days(days.into()))),
            _ => Err(format!("must be 1d to {MAX_DAYS}d")),
        };
    }
    let date = Date::parse(text, format_description!("[year]-[month]-[day]")).map(|date| date.midnight().assume_utc());
    date.or_else(|_| OffsetDateTime::parse(text, &Rfc3339))
        .map(Before::Time)
        .map_err(|_| "must be a date, such as 2026-01-31, or a number of days, such as 90d".to_owned())
}

pub(crate) async fn forget(arguments: Forget, config: &Config) -> Result<()> {
    with_database(config, async |connection| {
        cli::require_migrations(connection).await?;
        let name = arguments.channel.as_deref().or(arguments.user.as_deref()).unwrap_or_default();
        let Some(known) = forget::find(connection, name).await? else {
            bail!("neither the state nor the log knows {name}");
        };
        let who = known
            .login
            .as_ref()
            .filter(|login| !login.is_empty())
            .map_or_else(|| known.id.to_string(), |login| format!("{login} ({})", known.id));
        check(config, &known, arguments.channel.is_some(), &who)?;
        if !arguments.force {
            bail!("nothing was forgotten: --force removes {who} and empties {} events", known.events);
        }
        let emptied = forget::forget(connection, &known.id).await?;
        cli::print(format_args!("forgot {who}; {emptied} events were emptied"));
        Ok(())
    })
    .await
}

fn check(config: &Config, known: &Known, is_for_channel: bool, who: &str) -> Result<()> {
    let is_configured = known.login.is_some() && known.login == config.twitch.channel_name;
    match (known.is_served || is_configured, known.is_channel, is_for_channel) {
        (true, ..) => bail!("{who} is a channel that this server serves"),
        (false, true, false) => {
            bail!("{who} is a channel: `forget --channel {}` removes it with all its events", known.id)
        }
        (false, false, true) => bail!("{who} is no channel: `forget {}` removes the user", known.id),
        _ => Ok(()),
    }
}

pub(crate) async fn prune(arguments: Prune, config: &Config) -> Result<()> {
    let now = Clock::default().now();
    let before = match arguments.before {
        Before::Time(time) => time,
        Before::Age(age) => now - age,
    };
    if now - before < MIN_AGE {
        bail!("events of less than a day can't be pruned: readers may still come for them");
    }
    with_database(config, async |connection| {
        cli::require_migrations(connection).await?;
        if arguments.force { delete(connection, before).await } else { refuse(connection, before).await }
    })
    .await
}

async fn refuse(connection: &mut PgConnection, before: OffsetDateTime) -> Result<()> {
    let count = prune::count(connection, before).await?;
    bail!("nothing was pruned: --force deletes {count} events from before {}", before.format(&Rfc3339)?)
}

async fn delete(connection: &mut PgConnection, before: OffsetDateTime) -> Result<()> {
    let pruned = prune::prune(connection, &Rule { kind: None, except: Vec::new(), before }).await?;
    cli::print(format_args!("pruned {} events; the state stays as it is", pruned.events));
    match pruned.held_back_by {
        Some(follower) => bail!("the follower {follower} has not handled the others yet"),
        None => Ok(()),
    }
}
