//! A fake Twitch on this machine.

mod say;
mod serve;
mod subscription;
mod trigger;
mod ws;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use showtime::cli;
use showtime::mock::ControlClient;
use showtime::program::Program;
use url::Url;

use self::say::SayArgs;
use self::serve::ServeArgs;
use self::subscription::SubscriptionArgs;
use self::trigger::TriggerArgs;
use self::ws::WsCommand;

const AFTER_HELP: &str = "\
What it is:
  The login server, Helix and EventSub (webhooks and WebSocket) of a Twitch of
  its own, on this machine, with one registered application. Nothing is kept
  when it ends.
  It speaks the real protocols, so that any program whose Twitch URLs are
  settings can be tried on it: consent, tokens, refresh, validation, revocation;
  users, streams and channels; chat, moderation and clips, with Twitch's limits;
  subscriptions with challenge, cost and limits;
  signed notifications, redelivered under the same id until the callback takes
  them; revocations; WebSocket sessions at /ws with keepalives, requested
  reconnects, close codes and Twitch's limits; chat over IRC at /irc. The addresses and the mock mode of
  twitch-cli work too.

  Its page, at the address that it prints, shows everything and has a button
  for most of it.

Its control API (JSON; a body may leave out what it does not change):
  GET   /mock/state
        channels, consents, subscriptions, the last deliveries, faults
  POST  /mock/channels                     {\"name\"}
  PATCH /mock/channels/LOGIN               {\"title\", \"game_id\", \"game_name\",
                                            \"language\", \"labels\", \"tags\"}
  POST  /mock/channels/LOGIN/live          {\"silent\": true}: Helix shows it,
  POST  /mock/channels/LOGIN/offline       but sends nothing
  POST  /mock/channels/LOGIN/follow        {\"user\"}
  POST  /mock/channels/LOGIN/raid          {\"from\", \"viewers\"}
  POST  /mock/channels/LOGIN/cheer         {\"user\", \"bits\"}
  POST  /mock/channels/LOGIN/subscribe     {\"user\", \"tier\"}
  POST  /mock/say                          {\"user\", \"text\", \"channel\"}
  GET   /mock/channels/LOGIN/chat          messages, bans, roles, settings, clips
  PUT   /mock/channels/LOGIN/roles         {\"user\", \"role\"}: \"moderator\",
                                            \"vip\" or null
  GET   /mock/irc                          connections of IRC
  POST  /mock/irc/reconnect
  POST  /mock/irc/close                    {\"how\"}: \"close\", \"reset\" or
                                            \"silence\", as if the network were gone
  POST  /mock/irc/membership               {\"channel\", \"joined\", \"left\"}: logins
  GET   /mock/actions                      calls that meant to change something
  POST  /mock/events                       {\"type\", \"version\", \"channel\",
        any type, from its sample           \"user\", \"set\": [\"path=value\"]}
  POST  /mock/consents/LOGIN/withdraw
        ends tokens, and revokes subscriptions that rest on the consent
  POST  /mock/subscriptions/ID/end         {\"status\"}, such as \"user_removed\"
  POST  /mock/subscriptions/ID/status      {\"status\"}: only what Helix shows
  GET   /mock/websocket                    the sessions
  POST  /mock/websocket/reconnect          {\"session\", \"grace_s\"}
  POST  /mock/websocket/SESSION/close      {\"code\"}: 1000, 4000 to 4007, \"abort\"
  PUT   /mock/websocket/SESSION            {\"keepalive\", \"pongs\", \"delivery\"}
  POST  /mock/tokens/app/end               Helix answers 401 from now on
  POST  /mock/tokens/user/end
  POST  /mock/rate-limit                   {\"seconds\"}: Helix answers 429 so long
  GET, PUT /mock/faults
        chances from 0 to 1: delay (by delay_ms), duplicate, reorder,
        drop_answer, helix_error, token_revoked, rate_limit,
        hide_streams, hide_videos; for calls that change something:
        action_delay, action_fail_before (action_status_before), action_fail_after
        (action_status_after), action_reset_after, action_late_answer,
        drop_message (drop_code); for users who come and leave over IRC:
        irc_delay, irc_repeat, irc_loss; for messages over a WebSocket: ws_duplicate,
        ws_reorder, ws_delay, ws_late_on_old, ws_close (with ws_close_code),
        ws_abort, ws_silence, ws_half_open, ws_unknown_type, ws_fragment,
        ws_oversize, reconnect_dead_url;
        countdowns: fail_next_helix, fail_next_oauth, fail_next_upgrade,
        fail_next_subscribe, fail_next_unsubscribe, fail_next_action_before,
        fail_next_action_after, reset_next_action_after, end_token_of_next_action,
        drop_next_message, lose_next_parent;
        times: clip_s, ws_slow_welcome_ms, ws_zombie_s, reconnect_every_s
  POST  /mock/schedule                     {\"name\": \"a-bad-day\", \"speed\"}:
        all faults of the WebSocket, one after the other, in ten minutes

Examples:
  mock-twitch trigger channel.follow
  mock-twitch ws reconnect
  mock-twitch say QuietOtter 'hello there'
  curl -X POST localhost:8080/mock/channels/maplearcade/live";

/// A whole fake Twitch on this machine: OAuth, Helix, EventSub webhooks and WebSocket, to try things out without an account.
/// Without a command it runs; the commands are for one that runs.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// For the commands: the address of the mock-twitch that runs.
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The WebSocket sessions: show them, ask them to reconnect, end them, make them silent.
    #[command(subcommand, visible_alias = "websocket", aliases = ["websockets", "wss"])]
    Ws(WsCommand),
    /// Overwrite the status of a subscription.
    Subscription(SubscriptionArgs),
    /// Let a user write in the chat of a channel.
    Say(SayArgs),
    /// Let an event happen, of any type, from its sample.
    #[command(aliases = ["fire", "emit"])]
    Trigger(TriggerArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(cli::parse_mock()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::fail(error.as_ref()),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let control = || ControlClient::new(args.url.clone(), Program::MockTwitch);
    match args.command {
        None => serve::run(args.serve).await,
        Some(Command::Ws(WsCommand::Start(serve))) => serve::run(*serve).await,
        Some(Command::Ws(command)) => ws::run(&control()?, command).await,
        Some(Command::Subscription(args)) => subscription::run(&control()?, args).await,
        Some(Command::Say(args)) => say::run(&control()?, args).await,
        Some(Command::Trigger(args)) => trigger::run(&control()?, args).await,
    }
}
