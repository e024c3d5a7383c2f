//! Sets everything up at Twitch with one command: consent, callback, subscriptions.

mod consent;
mod session;
mod subscriptions;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use showtime::cli;
use showtime::config::{Config, settings_help};
use showtime::credentials::vault::Vault;
use showtime::program::Program;
use showtime::setup::consent::DEFAULT_PORT;
use showtime::setup::probe::probe;
use showtime::store::locks::Lock;
use showtime::store::served_channels::{self, ServedChannel};
use tokio::time::timeout;

use self::session::Session;
use self::subscriptions::Desired;

/// Time limit for the end of a server's cycle.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Sets showtime up at Twitch: asks for consent, tests whether Twitch can reach the callback, has the server create the
/// subscriptions, and waits until they are enabled. Run it while the server runs. It does only what is missing, so it can
/// be run again at any time.
#[derive(Parser)]
#[command(version, after_help = settings_help())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A channel to serve; can be repeated [default: `TWITCH_CHANNEL_NAME`, and those served already]
    #[arg(long = "channel", value_name = "LOGIN", global = true)]
    channels: Vec<String>,
    /// Print the address of the consent page instead of opening a browser
    #[arg(long, global = true)]
    no_browser: bool,
    /// Delete the subscriptions that no served channel needs; with delete-all, every one
    #[arg(long, global = true)]
    force: bool,
    /// Where Twitch sends the browser back to; http://localhost:PORT/auth must be registered
    #[arg(long, default_value_t = DEFAULT_PORT, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Show what is missing, and change nothing; exit status 1 if anything is
    Check,
    /// Delete every subscription of the application, and serve no channel any more; requires --force
    DeleteAll,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => cli::fail(error.as_ref()),
    }
}

fn start(arguments: &Arguments) -> Result<bool> {
    let config = Config::load()?;
    // The listener that waits for the browser is a server, too, which is no news for the user.
    cli::log(&format!("actix_server=warn,{}", config.log), config.log_format);
    cli::runtime()?.block_on(async {
        let vault = match arguments.command {
            Some(Command::Check) => Vault::peek_for(&config)?,
            None | Some(Command::DeleteAll) => Vault::open_for(&config)?,
        };
        let session = Session::open(&config, vault).await?;
        match arguments.command {
            None => set_up(&session, arguments).await,
            Some(Command::Check) => check(&session, arguments).await,
            Some(Command::DeleteAll) => delete_all(&session, arguments.force).await,
        }
    })
}

/// Gets consent, requests the subscriptions from the server, and returns whether everything is enabled in the end.
async fn set_up(session: &Session, arguments: &Arguments) -> Result<bool> {
    session.prove_client().await?;
    let channels = session.channels(&arguments.channels).await?;
    subscriptions::require_server(session).await?;
    session.tokens.check(&session.app).await?;
    let mut is_complete = consent::obtain(session, &channels, arguments.port, arguments.no_browser).await?;
    is_complete &= delete_unwanted(session, &channels, arguments.force).await?;
    is_complete &= prove_callback(session).await;
    let asked_at = session.request(&channels).await?;
    let are_enabled = subscriptions::follow(session, &channels, asked_at).await?;
    if are_enabled && !is_complete {
        cli::print("not everything succeeded: see above");
    }
    Ok(are_enabled && is_complete)
}

/// Shows the subscriptions that must go, and deletes them if that is allowed. Returns false if one can't be deleted.
async fn delete_unwanted(session: &Session, channels: &[ServedChannel], force: bool) -> Result<bool> {
    let desired = Desired::new(session, channels).await?;
    let held = session.helix.subscriptions().await?.subscriptions;
    let plan = desired.plan(&held);
    subscriptions::show_others(&plan);
    if force {
        return Ok(subscriptions::delete(session, &plan.unwanted).await == 0);
    }
    if !plan.unwanted.is_empty() {
        cli::print(format_args!(
            "{} subscriptions must go: run again with --force to delete them",
            plan.unwanted.len()
        ));
    }
    Ok(true)
}

async fn check(session: &Session, arguments: &Arguments) -> Result<bool> {
    session.prove_client().await?;
    let channels = session.channels(&arguments.channels).await?;
    let mut is_complete = consent::show(session, &channels).await?;
    let desired = Desired::new(session, &channels).await?;
    is_complete &= desired.show(&session.helix.subscriptions().await?.subscriptions);
    is_complete &= prove_callback(session).await;
    if is_complete {
        cli::print("nothing is missing");
    } else {
        cli::print(format_args!("something is missing: run `{}`", Program::Init));
    }
    Ok(is_complete)
}

async fn delete_all(session: &Session, force: bool) -> Result<bool> {
    if !force {
        let held = session.helix.subscriptions().await?.subscriptions;
        for subscription in &held {
            let shown = format!("{} v{} ({})", subscription.kind, subscription.version, subscription.status);
            cli::print(format_args!("  {}", cli::printable(&shown)));
        }
        bail!(
            "nothing was deleted: --force deletes these {} subscriptions, and ends serving every channel",
            held.len()
        );
    }
    // From here to the end no server creates subscriptions: a cycle that was under way has ended.
    let mut lock = session.pool.begin().await?;
    let locked = timeout(LOCK_TIMEOUT, Lock::Reconciler.acquire(&mut lock)).await;
    locked.context("a server is still changing the subscriptions: try again in a minute")??;
    served_channels::clear(&mut *session.pool.acquire().await?).await?;
    let held = session.helix.subscriptions().await?.subscriptions;
    let failures = subscriptions::delete(session, &held.iter().collect::<Vec<_>>()).await;
    cli::print(format_args!(
        "deleted {} of {} subscriptions; no channel is served any more",
        held.len() - failures,
        held.len()
    ));
    if let Some(login) = &session.channel_name {
        cli::print(format_args!(
            "(but a server that runs with TWITCH_CHANNEL_NAME={login} makes those of {login} again)"
        ));
    }
    Ok(failures == 0)
}

async fn prove_callback(session: &Session) -> bool {
    let outcome = probe(&session.callback, Some(&session.direct), &session.secret, &session.clock).await;
    match outcome {
        Ok(()) => cli::print(format_args!("the callback {} can be reached and knows the secret", session.callback)),
        Err(ref error) => cli::print(format_args!(
            "the callback {} can't be used: {}",
            session.callback,
            cli::printable(&error.to_string())
        )),
    }
    outcome.is_ok()
}
