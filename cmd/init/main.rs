//! Sets everything up at Twitch with one command: consent, callback, subscriptions.

#[path = "../causes.rs"]
mod causes;
mod consent;
mod session;
mod subscriptions;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use showtime::config::{Config, LogFormat, settings_help};
use showtime::credentials::vault::Vault;
use showtime::program::Program;
use showtime::setup::consent::DEFAULT_PORT;
use showtime::setup::probe::probe;
use tracing_subscriber::EnvFilter;

use self::session::Session;
use self::subscriptions::Wishes;

/// Sets showtime up at Twitch: asks for consent, proves that the callback can be reached, makes the
/// subscriptions and waits until they are enabled. Run it while the server runs; again whenever you
/// like, since it does only what is missing.
#[derive(Parser)]
#[command(version, after_help = settings_help())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A channel to serve; may be given many times [default: `TWITCH_CHANNEL_NAME`, and those served already]
    #[arg(long = "channel", value_name = "LOGIN", global = true)]
    channels: Vec<String>,
    /// Print the address of the consent page instead of opening a browser
    #[arg(long, global = true)]
    no_browser: bool,
    /// Delete subscriptions that must go
    #[arg(long, global = true)]
    force: bool,
    /// Where Twitch sends the browser back to; http://localhost:PORT/auth must be registered
    #[arg(long, default_value_t = DEFAULT_PORT, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Say what is missing, and change nothing; fails if something is
    Check,
    /// Delete every subscription of the application, and serve no channel any more; wants --force
    DeleteAll,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", causes::with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<bool> {
    let config = Config::load()?;
    // What waits for the browser is a server, too, but nobody has to hear of that.
    let filter = EnvFilter::new(format!("actix_server=warn,{}", config.log));
    let output = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Human => output.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => output.json().init(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
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

/// Whether everything is as wanted in the end.
async fn set_up(session: &Session, arguments: &Arguments) -> Result<bool> {
    let app = session.connect().await?;
    session.tokens.check(&app).await?;
    let channels = session.channels(&arguments.channels).await?;
    consent::obtain(session, &channels, arguments.port, arguments.no_browser).await?;
    let wishes = Wishes::new(session, &channels, &session.served().await?);
    let held = session.helix.subscriptions().await?;
    wishes.show(&held.subscriptions);
    let plan = wishes.plan(&held.subscriptions);
    let doomed: Vec<_> = plan.dead.iter().map(|(_, dead)| *dead).chain(plan.unwanted.iter().copied()).collect();
    if arguments.force {
        subscriptions::delete(session, &doomed).await;
    } else if !doomed.is_empty() {
        println!("{} subscriptions must go: run again with --force to delete them", doomed.len());
    }
    let is_reachable = plan.create.is_empty() || prove_callback(session).await;
    session.serve(&channels).await?;
    let mut failures = Default::default();
    if is_reachable {
        failures = wishes.create(session, &plan.create).await?;
    }
    let is_complete = wishes.wait(session, failures).await?;
    session.tokens.keep_app(&app).await?;
    session.announce().await?;
    if is_complete && !session.until_server_agrees().await? {
        println!("the server does not show all of them as enabled yet: see its /status");
    }
    Ok(is_complete && is_reachable)
}

async fn check(session: &Session, arguments: &Arguments) -> Result<bool> {
    let channels = session.channels(&arguments.channels).await?;
    let mut is_well = consent::show(session, &channels).await?;
    let wishes = Wishes::new(session, &channels, &session.served().await?);
    let held = session.helix.subscriptions().await?;
    wishes.show(&held.subscriptions);
    is_well &= wishes.are_enabled(&held.subscriptions);
    is_well &= prove_callback(session).await;
    if is_well {
        println!("nothing is missing");
    } else {
        println!("something is missing: run `{}`", Program::Init);
    }
    Ok(is_well)
}

async fn delete_all(session: &Session, force: bool) -> Result<bool> {
    let held = session.helix.subscriptions().await?.subscriptions;
    if !force {
        for subscription in &held {
            println!("  {} v{} ({})", subscription.kind, subscription.version, subscription.status);
        }
        bail!(
            "nothing was deleted: --force deletes these {} subscriptions, and ends serving every channel",
            held.len()
        );
    }
    session.serve_none().await?;
    let failures = subscriptions::delete(session, &held.iter().collect::<Vec<_>>()).await;
    println!("deleted {} of {} subscriptions; no channel is served any more", held.len() - failures, held.len());
    if let Some(login) = &session.channel_name {
        println!("(but a server that runs with TWITCH_CHANNEL_NAME={login} makes those of {login} again)");
    }
    Ok(failures == 0)
}

async fn prove_callback(session: &Session) -> bool {
    let outcome = probe(&session.callback, Some(&session.direct), &session.secret, &session.clock).await;
    match outcome {
        Ok(()) => println!("the callback {} can be reached and knows the secret", session.callback),
        Err(ref error) => println!("the callback {} can't be used: {error}", session.callback),
    }
    outcome.is_ok()
}
