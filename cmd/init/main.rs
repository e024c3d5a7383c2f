//! Sets everything up at Twitch with one command: consent, callback or WebSocket, subscriptions.

mod bot;
mod check;
mod consent;
mod delete;
mod progress;
mod prove;
mod session;
mod subscriptions;

use std::process::ExitCode;

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, Subcommand};
use showtime::cli::{self, AsJson};
use showtime::config::{Config, unknown_settings};
use showtime::credentials::vault::Vault;
use showtime::setup::consent::DEFAULT_PORT;
use showtime::store::served_channels::ServedChannel;
use showtime::twitch::transport::TransportKind;

use self::consent::Browser;
use self::session::Session;

/// Sets up showtime at Twitch: asks for consent, tests the callback or the WebSocket, has the server create the
/// subscriptions, and waits until they are enabled. Run it while the server runs. It does only what is missing, so it can
/// be run again at any time.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A channel to serve; can be repeated [default: `TWITCH_CHANNEL_NAME` and those served already, or else the one that
    /// consents]
    #[arg(long = "channel", value_name = "LOGIN", global = true)]
    channels: Vec<String>,
    /// Ask for the consent of the account that is to be the bot, for what the enabled rules need and the scopes of --scope. It
    /// then acts on all channels. Nothing else is set up
    #[arg(long, conflicts_with_all = ["channels", "transport"])]
    bot: bool,
    /// A further scope to ask for, for actions on Twitch; can be repeated. What was granted before stays
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How Twitch delivers the messages of these channels from now on [default: as before, or as
    /// `TWITCH_EVENTSUB_TRANSPORT` says]
    #[arg(long, value_name = "TRANSPORT", value_parser = transports())]
    transport: Option<TransportKind>,
    /// Print the address of the consent page instead of opening a browser
    #[arg(long, global = true)]
    no_browser: bool,
    /// Delete the subscriptions that no served channel needs; with delete-all, every one
    #[arg(long, global = true)]
    force: bool,
    /// The port to which Twitch sends the browser back; http://localhost:PORT/auth must be registered
    #[arg(long, default_value_t = DEFAULT_PORT, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

fn transports() -> impl clap::builder::TypedValueParser<Value = TransportKind> {
    let names = [TransportKind::Webhook, TransportKind::Websocket].map(TransportKind::as_str);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<TransportKind>())
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Show what is missing, and change nothing; exit status 1 if anything is
    Check(AsJson),
    /// Delete every subscription of the application, and serve no channel any more; requires --force
    DeleteAll,
}

fn main() -> ExitCode {
    let arguments: Arguments = cli::parse();
    match start(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => cli::fail(error.as_ref()),
    }
}

fn start(arguments: &Arguments) -> Result<bool> {
    let mut config = Config::load()?;
    config.twitch.transport = arguments.transport.or(config.twitch.transport);
    // The listener that waits for the browser is a server, too, which is no news for the user.
    cli::log(&format!("actix_server=warn,{}", config.log), config.log_format);
    unknown_settings().iter().for_each(|warning| tracing::warn!("{warning}"));
    cli::runtime()?.block_on(async {
        let vault = match arguments.command {
            Some(Command::Check(_)) => Vault::peek_for(&config)?,
            None | Some(Command::DeleteAll) => Vault::open_for(&config)?,
        };
        let session = Session::open(&config, vault).await?;
        match arguments.command {
            None => set_up(&session, arguments).await,
            Some(Command::Check(format)) => check::run(&session, &arguments.channels, format).await,
            Some(Command::DeleteAll) => delete::all(&session, arguments.force).await,
        }
    })
}

/// Gets consent, requests the subscriptions from the server, and returns whether everything is enabled in the end.
async fn set_up(session: &Session, arguments: &Arguments) -> Result<bool> {
    session.prove_client().await?;
    let browser = Browser { port: arguments.port, opens: !arguments.no_browser };
    if arguments.bot {
        return bot::obtain(session, &arguments.scopes, browser).await;
    }
    let mut channels = session.channels(&arguments.channels).await?;
    choose_transport(&mut channels, arguments.transport);
    session.require_settings(&channels)?;
    progress::require_server(session).await?;
    session.tokens.check(&session.app).await?;
    let mut is_complete = true;
    if channels.is_empty() {
        channels.push(consent::obtain_any(session, &arguments.scopes, browser).await?);
        choose_transport(&mut channels, arguments.transport);
    } else {
        is_complete = consent::obtain(session, &channels, &arguments.scopes, browser).await?;
    }
    is_complete &= delete::unwanted(session, &channels, arguments.force).await?;
    is_complete &= prove::show(session, &channels).await?;
    let asked_at = session.request(&mut channels).await?;
    let are_enabled = progress::follow(session, &channels, asked_at).await?;
    is_complete &= progress::show_switches(session, &channels).await?;
    if are_enabled && !is_complete {
        cli::print("not everything succeeded: see above");
    }
    Ok(are_enabled && is_complete)
}

fn choose_transport(channels: &mut [ServedChannel], chosen: Option<TransportKind>) {
    for channel in channels {
        channel.transport = chosen.or(channel.transport);
    }
}
