//! A fake Discord on this machine.

mod channel;
mod faults;
mod messages;
mod serve;
mod webhook;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;
use showtime::cli::{self, AsJson};
use showtime::mock::ControlClient;
use showtime::program::Program;
use url::Url;

use self::channel::ChannelCommand;
use self::faults::FaultsArgs;
use self::serve::ServeArgs;
use self::webhook::WebhookCommand;

const AFTER_HELP: &str = "\
What it is:
  The webhooks of a Discord of its own, on this machine: execute, edit, delete,
  threads and forums, with Discord's limits on texts and calls, its errors, and
  the ban of addresses. Nothing is kept when it ends. Any program whose Discord
  URL is a setting can be tried on it.

  Its page, at the address that it prints, shows the channels as Discord would.

Its control API (JSON; a body may leave out what has a default):
  GET    /mock/state                       channels, webhooks, last calls, faults
  GET    /mock/ledger                      calls, and changes of messages with pings
  POST   /mock/channels                    {\"name\", \"kind\", \"parent\", \"guild_id\",
                                            \"tags\", \"requires_tag\"}; kinds: text,
                                            announcement, forum, media, thread
  PATCH  /mock/channels/CHANNEL            {\"is_archived\", \"is_locked\"}
  DELETE /mock/channels/CHANNEL
  GET    /mock/channels/CHANNEL/messages
  POST   /mock/webhooks                    {\"channel\", \"name\", \"is_of_app\",
                                            \"may_mention_everyone\"}
  PATCH  /mock/webhooks/ID                 {\"channel\"}: moves it
  DELETE /mock/webhooks/ID
  DELETE /mock/messages/ID
  POST   /mock/roles                       {\"name\", \"mentionable\"}
  POST   /mock/members                     {\"name\"}
  GET, PUT /mock/faults                    {\"chances\": {FAULT: 0 to 1},
                                            \"next\": {FAULT: count}, \"delay_ms\",
                                            \"hang_ms\", \"error_status\",
                                            \"retry_after_ms\"}
  DELETE /mock/bans                        lifts all bans
  POST   /mock/clock                       {\"seconds\"}: moves the clock

Examples:
  mock-discord messages
  mock-discord webhook delete 1234567890
  mock-discord faults --next reset_after=1
  mock-discord faults reset_after=0.1 error_before=0.05";

/// A fake Discord on this machine, with webhooks, to try things out without a server.
/// Without a command it runs; the commands are for one that runs.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// For the commands: the address of the mock-discord that runs.
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    url: Url,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the messages of a channel.
    Messages {
        /// Name or id of the channel
        #[arg(default_value = "go-live")]
        channel: String,
        #[command(flatten)]
        format: AsJson,
    },
    /// Show the pings.
    Pings(AsJson),
    /// Delete a message, as a person can.
    DeleteMessage {
        /// Its id
        id: String,
    },
    /// The webhooks: show, make, move or delete them.
    #[command(subcommand, visible_alias = "webhooks")]
    Webhook(WebhookCommand),
    /// The channels and threads: show, make, archive, lock or delete them.
    #[command(subcommand, visible_alias = "channels")]
    Channel(ChannelCommand),
    /// Show or set what goes wrong.
    Faults(FaultsArgs),
    /// Move the clock on by this time, such as `90s` or `2h`.
    Advance {
        /// How far
        #[arg(value_parser = humantime::parse_duration)]
        by: std::time::Duration,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(cli::parse_mock()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::fail(error.as_ref()),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let Some(command) = args.command else { return serve::run(args.serve).await };
    let control = ControlClient::new(args.url, Program::MockDiscord)?;
    match command {
        Command::Messages { channel, format } => messages::list(&control, &channel, format).await,
        Command::Pings(format) => messages::pings(&control, format).await,
        Command::DeleteMessage { id } => {
            control.delete(&format!("/mock/messages/{id}")).await?;
            cli::print(format_args!("deleted the message {id}"));
            Ok(())
        }
        Command::Webhook(command) => webhook::run(&control, command).await,
        Command::Channel(command) => channel::run(&control, command).await,
        Command::Faults(args) => faults::run(&control, args).await,
        Command::Advance { by } => {
            let answer = control.post("/mock/clock", &json!({ "seconds": by.as_secs() })).await?;
            cli::print(format_args!("it is {} there", answer["now"].as_str().unwrap_or_default()));
            Ok(())
        }
    }
}
